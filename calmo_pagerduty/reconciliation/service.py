"""Reconcile a connection: read PagerDuty, and add missing events. Each step may safely run again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import HEALTH_PACE
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_marker_store import list_drill_incidents, mark_drill_incident
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
#: How far a run goes back before the watermark: PagerDuty may write its log late.
OVERLAP = timedelta(minutes=15)
#: How far the first run goes back at most.
INITIAL_LOOKBACK = timedelta(days=7)
#: How far back any run goes at most, whatever it is asked for.
MAX_LOOKBACK = timedelta(days=90)
#: An unfinished run that began less than this ago counts as running.
MAX_RUN_DURATION = timedelta(minutes=15)
#: How many incidents that are open only here a run reads one by one; the next run continues.
MAX_SINGLE_READS = 400
SCHEDULED = "scheduled"
INCOMPLETE_TEXT = "PagerDuty did not return everything"
MANY_OPEN_TEXT = "more incidents are open than one run reads: the next one goes on"
NO_CREDENTIAL_TEXT = "the connection has no PagerDuty token: gaps can't be healed"


class Tally(FrozenModel):
    """The counts of a run so far, for its history and its report."""

    windows: int = 0
    requests: int = 0
    entries: int = 0
    incidents: int = 0
    #: Field → number of incidents that differed in it.
    drift: Mapping[str, int] = {}
    differed: int = 0
    healed: int = 0
    opened: int = 0
    #: Entries added to timelines.
    added: int = 0
    #: Incidents that the run could not repair.
    failed: int = 0
    #: Why the run could not do its work, as a text.
    problem: str = ""
    #: What the run left to the next one, as a text.
    note: str = ""


class RunToStart(FrozenModel):
    """A reconciliation to begin. Without `since` it goes on from the connection's watermark (UTC)."""

    connection_id: str
    reason: str
    since: datetime | None = None


class StartedRun(FrozenModel):
    """`run_id` is None if there is nothing to do; `problem` says why a run can't proceed. Times are UTC."""

    run_id: int | None
    since: datetime
    until: datetime
    problem: str = ""


class WindowToReconcile(FrozenModel):
    """A window of PagerDuty's log, in UTC. `since` None means all incidents that are open there or here."""

    run_id: int
    connection_id: str
    tally: Tally
    since: datetime | None = None
    until: datetime | None = None


class RunToFinish(FrozenModel):
    """A reconciliation to end. `until` becomes the watermark (UTC) if all up to then was compared.

    What could not be repaired does not hold it up: it is marked, and each run looks at it again.
    """

    run_id: int
    connection_id: str
    until: datetime
    tally: Tally


class ReconciliationService:
    """The steps of a reconciliation: begin, reconcile a window, reconcile open incidents, finish."""

    def __init__(self, database: Database, accounts: PagerDutyClients) -> None:
        self._database = database
        self._accounts = accounts

    async def begin(self, order: RunToStart) -> StartedRun:
        """Insert a run and return the time span to compare. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        return await self._database.write(lambda transaction: _start_run(transaction, order, now))

    async def finish(self, order: RunToFinish) -> None:
        """Save the report; move the watermark only if all was compared. Raises StoreUnavailable."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> None:
            reconciliations.mark_run_finished(tx, order.run_id, order.tally.model_dump(mode="json"), now)
            if not order.tally.problem:
                reconciliations.update_watermark(tx, order.connection_id, order.until)

        await self._database.write(write)

    async def reconcile(self, order: WindowToReconcile, attempt: int) -> Tally:
        """Read PagerDuty in a window and repair the drift. Returns the run's counts so far.

        `attempt` counts from 1. Raises PagerDutyError for errors that a retry may fix, ConnectionRemoved,
        StoreUnavailable.
        """
        try:
            connection = await self._connection(order.connection_id)
            client = await self._accounts.client(connection, PERMIT_TIMEOUT, HEALTH_PACE)
            reader = PagerDutyReader(client)
            if order.since is not None and order.until is not None:
                tally = order.tally
                async for snapshot in reader.read_window(order.since, order.until):
                    tally = _add_counts(tally, snapshot, await self._repair(reader, connection.id, snapshot))
                tally = tally.model_copy(
                    update={"problem": tally.problem or ("" if snapshot.is_whole else INCOMPLETE_TEXT)}
                )
            else:
                snapshot = await self._read_open_incidents(reader, connection.id)
                counts = await self._repair(reader, connection.id, snapshot)
                tally = _add_counts(order.tally, snapshot, counts)
                # The log is compared up to its end, and the next run looks at open incidents again.
                tally = tally.model_copy(update={"note": "" if snapshot.is_whole else MANY_OPEN_TEXT})
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return order.tally.model_copy(update={"problem": _error_kind(error)})
        tally = tally.model_copy(update={"windows": tally.windows + 1})
        await self._database.write(
            lambda tx: reconciliations.update_run_report(tx, order.run_id, tally.model_dump(mode="json"))
        )
        return tally

    async def _repair(
        self, reader: PagerDutyReader, connection_id: str, snapshot: PagerDutySnapshot
    ) -> ReconcileCounts:
        """Repair the drift from the snapshot. Later runs look at what could not be repaired, one by one."""
        await self._drop_drills(connection_id, snapshot)
        reconciler = IncidentReconciler(self._database, connection_id, snapshot, reader.read_incident)
        counts = await reconciler.run()
        if counts.failed:
            await self._database.write(
                lambda tx: reconciliations.mark_needs_reconcile(tx, connection_id, sorted(counts.failed))
            )
        return counts

    async def _drop_drills(self, connection_id: str, snapshot: PagerDutySnapshot) -> None:
        """Leave out the incidents of escalation drills, which are no issues."""
        ids = list({*snapshot.incidents, *snapshot.entries})

        def write(tx: Transaction) -> frozenset[str]:
            for incident_id, key in snapshot.drill_keys.items():
                mark_drill_incident(tx, connection_id, incident_id, key)
            found: set[str] = set()
            for part in batches(ids):
                found |= list_drill_incidents(tx, connection_id, part)
            return frozenset(found)

        snapshot.drop(await self._database.write(write))

    async def _read_open_incidents(self, reader: PagerDutyReader, connection_id: str) -> PagerDutySnapshot:
        """Read all incidents that are open there, and one by one those that are open only here."""
        snapshot = await reader.read_open_incidents()
        open_here = await self._database.read(
            lambda tx: reconciliations.list_open_incidents(tx, connection_id)
        )
        only_here = [incident_id for incident_id in open_here if incident_id not in snapshot.incidents]
        snapshot.is_whole = snapshot.is_whole and len(only_here) <= MAX_SINGLE_READS
        for incident_id in only_here[:MAX_SINGLE_READS]:
            await reader.read_incident(incident_id, snapshot)
        for incident_id in await self._list_differing(connection_id, snapshot):
            # The snapshot has its state; the log adds the events that led to it.
            await reader.read_incident_log(incident_id, snapshot)
        return snapshot

    async def _list_differing(self, connection_id: str, snapshot: PagerDutySnapshot) -> list[str]:
        coverage = await self._database.read(
            lambda tx: reconciliations.get_webhook_coverage(tx, connection_id)
        )
        differing: list[str] = []
        for ids in batches(list(snapshot.incidents)):
            for incident_id, local in (await self._local_incidents(connection_id, ids)).items():
                rest_incident = snapshot.incidents[incident_id]
                difference = compare_incident(rest_incident, (), local.issue, local.timeline_events)
                if (
                    difference.fields
                    and not local.is_in_flight
                    and is_covered(rest_incident, local, coverage)
                ):
                    differing.append(incident_id)
        return differing[:MAX_SINGLE_READS]

    async def _local_incidents(self, connection_id: str, ids: Sequence[str]) -> Mapping[str, LocalIncident]:
        return await self._database.read(
            lambda tx: reconciliations.get_local_incidents(tx, connection_id, ids)
        )

    async def _connection(self, connection_id: str) -> Connection:
        connection = await self._database.read(
            lambda tx: connections.get_connection(tx, EVERYTHING, connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        return connection


def _start_run(tx: Transaction, order: RunToStart, now: datetime) -> StartedRun:
    connection = connections.get_connection(tx, EVERYTHING, order.connection_id)
    if connection is None:
        return StartedRun(run_id=None, since=now, until=now, problem="the connection was removed")
    if order.reason == SCHEDULED and _is_running(tx, connection.id, now):
        return StartedRun(run_id=None, since=now, until=now)
    watermark = reconciliations.get_watermark(tx, connection.id)
    initial = max(connection.created_at, now - INITIAL_LOOKBACK)
    since = min(order.since or (watermark - OVERLAP if watermark else initial), now)
    since = max(since, now - MAX_LOOKBACK)
    run_id = reconciliations.insert_run(tx, connection.id, order.reason, since, now, now)
    problem = "" if connection.token_kind is not None else NO_CREDENTIAL_TEXT
    return StartedRun(run_id=run_id, since=since, until=now, problem=problem)


def _is_running(tx: Transaction, connection_id: str, now: datetime) -> bool:
    latest = reconciliations.list_runs(tx, connection_id, 1)
    return any(run.finished_at is None and run.begun_at > now - MAX_RUN_DURATION for run in latest)


def _add_counts(before: Tally, snapshot: PagerDutySnapshot, counts: ReconcileCounts) -> Tally:
    return Tally(
        windows=before.windows,
        requests=before.requests + snapshot.requests,
        entries=before.entries + sum(map(len, snapshot.entries.values())),
        incidents=before.incidents + counts.incidents,
        drift=dict(Counter(before.drift) + counts.drift),
        differed=before.differed + len(counts.differed),
        healed=before.healed + len(counts.differed - counts.failed),
        opened=before.opened + counts.opened,
        added=before.added + counts.added,
        failed=before.failed + len(counts.failed),
        problem=before.problem,
    )


def _error_kind(error: PagerDutyError) -> str:
    """Describe the kind of error. Its own message may hold texts, which must not go into a history."""
    return (type(error).__doc__ or type(error).__name__).strip()
