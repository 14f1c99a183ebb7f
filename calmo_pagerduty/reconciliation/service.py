"""Compare with PagerDuty and add what is missing. Each step may run again: what was added is found again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyAccounts
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import Pace
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutyLog, Told
from calmo_pagerduty.reconciliation.repair_service import Healed, Healing, batches, is_ours
from calmo_pagerduty.reconciliation.rules import difference
from calmo_pagerduty.reconciliation.store import Held

PATIENCE = timedelta(seconds=30)
#: How far a run looks back beyond the last one: PagerDuty's log may be written late.
OVERLAP = timedelta(minutes=15)
#: How far the first run looks back at most.
FIRST_LOOK = timedelta(days=7)
#: A run that was begun less than this ago and has not ended is taken to be under way.
UNDER_WAY = timedelta(minutes=15)
#: How many incidents that only we hold open are asked for one by one in a run; the next run goes on.
MAX_ONE_BY_ONE = 400
SCHEDULED = "scheduled"
CANNOT_ASK = "the connection has no PagerDuty token: gaps can't be healed"


class Tally(FrozenModel):
    """What a run has done so far: figures only, for a history and for its report."""

    windows: int = 0
    requests: int = 0
    entries: int = 0
    incidents: int = 0
    #: Incidents that stood otherwise here, by what did.
    drift: Mapping[str, int] = {}
    differed: int = 0
    healed: int = 0
    opened: int = 0
    #: Entries added to timelines.
    added: int = 0
    #: Incidents that could not be made right within the run.
    failed: int = 0
    #: What kept the run from its work, in words.
    problem: str = ""

    @property
    def has_converged(self) -> bool:
        return not self.failed and not self.problem


class RunToBegin(FrozenModel):
    connection_id: str
    reason: str
    since: datetime | None = None


class RunBegun(FrozenModel):
    """`run_id` None: there is nothing to do. `problem` says why a run can't go on."""

    run_id: int | None
    since: datetime
    until: datetime
    problem: str = ""


class WindowToHeal(FrozenModel):
    """`since` None: everything that is open, there or here."""

    run_id: int
    connection_id: str
    tally: Tally
    since: datetime | None = None
    until: datetime | None = None


class RunToFinish(FrozenModel):
    run_id: int
    connection_id: str
    until: datetime
    tally: Tally


class ReconciliationService:
    """A comparison with PagerDuty: begin, heal a window, heal what is open, finish."""

    def __init__(self, database: Database, accounts: PagerDutyAccounts) -> None:
        self._database = database
        self._accounts = accounts
        self._paces: dict[str, Pace] = {}

    async def begin(self, order: RunToBegin) -> RunBegun:
        """Say which time is to be compared. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        return await self._database.write(lambda transaction: _begin(transaction, order, now))

    async def finish(self, order: RunToFinish) -> None:
        """Keep the report; the watermark moves only if everything is right. Raises StoreUnavailable."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> None:
            reconciliations.finish(tx, order.run_id, order.tally.model_dump(mode="json"), now)
            if order.tally.has_converged:
                reconciliations.move_watermark(tx, order.connection_id, order.until)

        await self._database.write(write)

    def pace_of(self, connection_id: str) -> Pace:
        """Return the connection's pace: all runs of this process share it."""
        return self._paces.setdefault(connection_id, Pace())

    async def heal(self, order: WindowToHeal, attempt: int) -> Tally:
        """Read PagerDuty's log of a time and make right what differs.

        `attempt` counts from 1. Raises PagerDutyError for what is to be tried again, ConnectionRemoved,
        StoreUnavailable.
        """
        try:
            connection = await self._connection(order.connection_id)
            client = await self._accounts.client(connection, PATIENCE, self.pace_of(connection.id))
            log = PagerDutyLog(client)
            if order.since is not None and order.until is not None:
                told = await log.within(order.since, order.until)
            else:
                told = await self._open_anywhere(log, connection.id)
            healing = await Healing(self._database, connection.id, told, log.look_at).run()
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return order.tally.model_copy(update={"problem": _in_words(error)})
        tally = _add(order.tally, told, healing)
        await self._database.write(
            lambda transaction: reconciliations.note(transaction, order.run_id, tally.model_dump(mode="json"))
        )
        return tally

    async def _open_anywhere(self, log: PagerDutyLog, connection_id: str) -> Told:
        """Everything that is open there, and what is open here only, one by one."""
        told = await log.open_incidents()
        ours = await self._database.read(lambda t: reconciliations.held_open(t, connection_id))
        only_here = [incident_id for incident_id in ours if incident_id not in told.pictures]
        told.is_whole = told.is_whole and len(only_here) <= MAX_ONE_BY_ONE
        for incident_id in only_here[:MAX_ONE_BY_ONE]:
            await log.look_at(incident_id, told)
        for incident_id in await self._differing(connection_id, told):
            # Its state is known; what led to it belongs on the timeline too.
            await log.history_of(incident_id, told)
        return told

    async def _differing(self, connection_id: str, told: Told) -> list[str]:
        reach = await self._database.read(lambda t: reconciliations.reach(t, connection_id))
        found: list[str] = []
        for ids in batches(list(told.pictures)):
            for incident_id, ours in (await self._held(connection_id, ids)).items():
                picture = told.pictures[incident_id]
                compared = difference(picture, (), ours.issue, ours.known)
                if compared.fields and not ours.is_moving and is_ours(picture, ours, reach):
                    found.append(incident_id)
        return found[:MAX_ONE_BY_ONE]

    async def _held(self, connection_id: str, ids: Sequence[str]) -> Mapping[str, Held]:
        return await self._database.read(lambda t: reconciliations.held(t, connection_id, ids))

    async def _connection(self, connection_id: str) -> Connection:
        found = await self._database.read(lambda t: connections.find(t, EVERYTHING, connection_id))
        if found is None:
            raise ConnectionRemoved("the connection was removed")
        return found


def _begin(tx: Transaction, order: RunToBegin, now: datetime) -> RunBegun:
    connection = connections.find(tx, EVERYTHING, order.connection_id)
    if connection is None:
        return RunBegun(run_id=None, since=now, until=now, problem="the connection was removed")
    if order.reason == SCHEDULED and _is_under_way(tx, connection.id, now):
        return RunBegun(run_id=None, since=now, until=now)
    known = reconciliations.watermark(tx, connection.id)
    since = order.since or (known - OVERLAP if known else max(connection.created_at, now - FIRST_LOOK))
    since = min(since, now)
    run_id = reconciliations.begin(tx, connection.id, order.reason, since, now, now)
    problem = "" if connection.token_kind is not None else CANNOT_ASK
    return RunBegun(run_id=run_id, since=since, until=now, problem=problem)


def _is_under_way(tx: Transaction, connection_id: str, now: datetime) -> bool:
    latest = reconciliations.runs(tx, connection_id, 1)
    return any(run.finished_at is None and run.begun_at > now - UNDER_WAY for run in latest)


def _add(before: Tally, told: Told, healed: Healed) -> Tally:
    return Tally(
        windows=before.windows + 1,
        requests=before.requests + told.requests,
        entries=before.entries + sum(map(len, told.entries.values())),
        incidents=before.incidents + healed.incidents,
        drift=dict(Counter(before.drift) + healed.drift),
        differed=before.differed + len(healed.differed),
        healed=before.healed + len(healed.differed - healed.failed),
        opened=before.opened + healed.opened,
        added=before.added + healed.added,
        failed=before.failed + len(healed.failed),
        problem=before.problem or ("" if told.is_whole else "PagerDuty did not hand out everything"),
    )


def _in_words(error: PagerDutyError) -> str:
    """Say what kind of error it was: its own message may hold texts, and this goes into a history."""
    return (type(error).__doc__ or type(error).__name__).strip()
