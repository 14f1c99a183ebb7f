"""Compare with PagerDuty and add what is missing. Each step may run again: what was added is found again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import Pacer
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.reconciliation.pagerduty_snapshot_service import PagerDutyReader, PagerDutySnapshot
from calmo_pagerduty.reconciliation.repair_service import (
    IncidentReconciler,
    ReconcileCounts,
    batches,
    is_covered,
)
from calmo_pagerduty.reconciliation.rules import compare_incident
from calmo_pagerduty.reconciliation.store import LocalIncident

PERMIT_TIMEOUT = timedelta(seconds=30)
#: How far a run looks back beyond the last one: PagerDuty's log may be written late.
OVERLAP = timedelta(minutes=15)
#: How far the first run looks back at most.
INITIAL_LOOKBACK = timedelta(days=7)
#: A run that was begun less than this ago and has not ended is taken to be under way.
MAX_RUN_DURATION = timedelta(minutes=15)
#: How many incidents that only we hold open are asked for one by one in a run; the next run goes on.
MAX_SINGLE_READS = 400
SCHEDULED = "scheduled"
NO_CREDENTIAL_TEXT = "the connection has no PagerDuty token: gaps can't be healed"


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


class RunToStart(FrozenModel):
    connection_id: str
    reason: str
    since: datetime | None = None


class StartedRun(FrozenModel):
    """`run_id` None: there is nothing to do. `problem` says why a run can't go on."""

    run_id: int | None
    since: datetime
    until: datetime
    problem: str = ""


class WindowToReconcile(FrozenModel):
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

    def __init__(self, database: Database, accounts: PagerDutyClients) -> None:
        self._database = database
        self._accounts = accounts
        self._paces: dict[str, Pacer] = {}

    async def begin(self, order: RunToStart) -> StartedRun:
        """Say which time is to be compared. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        return await self._database.write(lambda transaction: _start_run(transaction, order, now))

    async def finish(self, order: RunToFinish) -> None:
        """Keep the report; the watermark moves only if everything is right. Raises StoreUnavailable."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> None:
            reconciliations.mark_run_finished(tx, order.run_id, order.tally.model_dump(mode="json"), now)
            if order.tally.has_converged:
                reconciliations.update_watermark(tx, order.connection_id, order.until)

        await self._database.write(write)

    def pacer_of(self, connection_id: str) -> Pacer:
        """Return the connection's pace: all runs of this process share it."""
        return self._paces.setdefault(connection_id, Pacer())

    async def reconcile(self, order: WindowToReconcile, attempt: int) -> Tally:
        """Read PagerDuty's log of a time and make right what differs.

        `attempt` counts from 1. Raises PagerDutyError for what is to be tried again, ConnectionRemoved,
        StoreUnavailable.
        """
        try:
            connection = await self._connection(order.connection_id)
            client = await self._accounts.client(connection, PERMIT_TIMEOUT, self.pacer_of(connection.id))
            log = PagerDutyReader(client)
            if order.since is not None and order.until is not None:
                told = await log.read_window(order.since, order.until)
            else:
                told = await self._read_open_incidents(log, connection.id)
            healing = await IncidentReconciler(self._database, connection.id, told, log.read_incident).run()
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return order.tally.model_copy(update={"problem": _error_kind(error)})
        tally = _add_counts(order.tally, told, healing)
        await self._database.write(
            lambda transaction: reconciliations.update_run_report(
                transaction, order.run_id, tally.model_dump(mode="json")
            )
        )
        return tally

    async def _read_open_incidents(self, log: PagerDutyReader, connection_id: str) -> PagerDutySnapshot:
        """Everything that is open there, and what is open here only, one by one."""
        told = await log.read_open_incidents()
        ours = await self._database.read(lambda t: reconciliations.list_open_incidents(t, connection_id))
        only_here = [incident_id for incident_id in ours if incident_id not in told.incidents]
        told.is_whole = told.is_whole and len(only_here) <= MAX_SINGLE_READS
        for incident_id in only_here[:MAX_SINGLE_READS]:
            await log.read_incident(incident_id, told)
        for incident_id in await self._list_differing(connection_id, told):
            # Its state is known; what led to it belongs on the timeline too.
            await log.read_incident_log(incident_id, told)
        return told

    async def _list_differing(self, connection_id: str, snapshot: PagerDutySnapshot) -> list[str]:
        reach = await self._database.read(lambda t: reconciliations.get_webhook_coverage(t, connection_id))
        found: list[str] = []
        for ids in batches(list(snapshot.incidents)):
            for incident_id, ours in (await self._local_incidents(connection_id, ids)).items():
                picture = snapshot.incidents[incident_id]
                compared = compare_incident(picture, (), ours.issue, ours.timeline_events)
                if compared.fields and not ours.is_in_flight and is_covered(picture, ours, reach):
                    found.append(incident_id)
        return found[:MAX_SINGLE_READS]

    async def _local_incidents(self, connection_id: str, ids: Sequence[str]) -> Mapping[str, LocalIncident]:
        return await self._database.read(lambda t: reconciliations.get_local_incidents(t, connection_id, ids))

    async def _connection(self, connection_id: str) -> Connection:
        found = await self._database.read(lambda t: connections.get_connection(t, EVERYTHING, connection_id))
        if found is None:
            raise ConnectionRemoved("the connection was removed")
        return found


def _start_run(tx: Transaction, order: RunToStart, now: datetime) -> StartedRun:
    connection = connections.get_connection(tx, EVERYTHING, order.connection_id)
    if connection is None:
        return StartedRun(run_id=None, since=now, until=now, problem="the connection was removed")
    if order.reason == SCHEDULED and _is_running(tx, connection.id, now):
        return StartedRun(run_id=None, since=now, until=now)
    known = reconciliations.get_watermark(tx, connection.id)
    since = order.since or (known - OVERLAP if known else max(connection.created_at, now - INITIAL_LOOKBACK))
    since = min(since, now)
    run_id = reconciliations.insert_run(tx, connection.id, order.reason, since, now, now)
    problem = "" if connection.token_kind is not None else NO_CREDENTIAL_TEXT
    return StartedRun(run_id=run_id, since=since, until=now, problem=problem)


def _is_running(tx: Transaction, connection_id: str, now: datetime) -> bool:
    latest = reconciliations.list_runs(tx, connection_id, 1)
    return any(run.finished_at is None and run.begun_at > now - MAX_RUN_DURATION for run in latest)


def _add_counts(before: Tally, snapshot: PagerDutySnapshot, healed: ReconcileCounts) -> Tally:
    return Tally(
        windows=before.windows + 1,
        requests=before.requests + snapshot.requests,
        entries=before.entries + sum(map(len, snapshot.entries.values())),
        incidents=before.incidents + healed.incidents,
        drift=dict(Counter(before.drift) + healed.drift),
        differed=before.differed + len(healed.differed),
        healed=before.healed + len(healed.differed - healed.failed),
        opened=before.opened + healed.opened,
        added=before.added + healed.added,
        failed=before.failed + len(healed.failed),
        problem=before.problem or ("" if snapshot.is_whole else "PagerDuty did not hand out everything"),
    )


def _error_kind(error: PagerDutyError) -> str:
    """Say what kind of error it was: its own message may hold texts, and this goes into a history."""
    return (type(error).__doc__ or type(error).__name__).strip()
