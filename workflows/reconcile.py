"""Compare a connection's issues with PagerDuty, and add the events that are missing here."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.reconciliation import ReconcileActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.reconciliation.service import (
        SCHEDULED,
        RunToFinish,
        RunToStart,
        StartedRun,
        Tally,
        WindowToReconcile,
    )
    from workflows import activity_options, names

#: PagerDuty's log is read in windows, so that a failure repeats one window only.
WINDOW = timedelta(hours=6)
MAX_WINDOWS = 200
#: Windows overlap, so that related log entries at an edge are read together.
WINDOW_OVERLAP = timedelta(seconds=10)


class ReconcileStart(FrozenModel):
    """A run's input. Without `since`, the run starts a little before the watermark. Times are UTC."""

    connection_id: str
    reason: str = SCHEDULED
    since: datetime | None = None


@workflow.defn(name=names.RECONCILE_WORKFLOW)
class ReconcileWorkflow:
    """Message protocol: the query `reconcile_state` returns the counts so far; the result is the final
    counts. Histories hold counts, no incident ids and no texts.
    """

    @workflow.init
    def __init__(self, start: ReconcileStart) -> None:
        self._connection_id = start.connection_id
        self._tally = Tally()

    @workflow.run
    async def run(self, start: ReconcileStart) -> Tally:
        """Compare all windows since the watermark, and repair what differs."""
        started: StartedRun = await workflow.execute_local_activity_method(
            ReconcileActivities.begin_run,
            RunToStart(connection_id=start.connection_id, reason=start.reason, since=start.since),
            **activity_options.STORE,
            summary=start.reason,
        )
        self._tally = Tally(problem=started.problem)
        if started.run_id is None:
            return self._tally
        try:
            if not started.problem:
                await self._reconcile_windows(started.run_id, started)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            problem = "PagerDuty or our database could not be reached for long enough"
            self._tally = self._tally.model_copy(update={"problem": problem})
        await self._finish(started.run_id, started.until)
        workflow.set_current_details(operator_summary(start, self._tally))
        return self._tally

    @workflow.query(name=names.QUERY_RECONCILE_STATE, description="The counts of the run so far")
    def state(self) -> Tally:
        """Return how far the run is."""
        return self._tally

    async def _reconcile_windows(self, run_id: int, started: StartedRun) -> None:
        """Reconcile each window of the log, oldest first, then the incidents open there or here."""
        for since, until in split_windows(started.since, started.until):
            if not self._tally.problem:
                await self._reconcile_window(
                    run_id, since, until, f"{since:%Y-%m-%d %H:%M} to {until:%H:%M} UTC"
                )
        if not self._tally.problem:
            await self._reconcile_window(run_id, None, None, "open incidents")

    async def _reconcile_window(
        self, run_id: int, since: datetime | None, until: datetime | None, summary: str
    ) -> None:
        self._tally = await workflow.execute_activity_method(
            ReconcileActivities.reconcile_window,
            WindowToReconcile(
                run_id=run_id,
                connection_id=self._connection_id,
                tally=self._tally,
                since=since,
                until=until,
            ),
            task_queue=names.pagerduty_queue(workflow.info().task_queue),
            priority=Priority(fairness_key=self._connection_id),
            summary=summary,
            **activity_options.RECONCILE,
        )

    async def _finish(self, run_id: int, until: datetime) -> None:
        await workflow.execute_local_activity_method(
            ReconcileActivities.finish_run,
            RunToFinish(run_id=run_id, connection_id=self._connection_id, until=until, tally=self._tally),
            **activity_options.STORE,
            summary="save the report",
        )


def split_windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield (since, until) of windows, oldest first; each starts a little before the previous ends."""
    size = max(WINDOW, (until - since) / MAX_WINDOWS)
    begin = since
    while begin < until:
        end = min(begin + size, until)
        yield begin - WINDOW_OVERLAP, end
        begin = end


def operator_summary(start: ReconcileStart, tally: Tally) -> str:
    """Return what an operator sees of a run, as Markdown."""
    what = f"Connection `{start.connection_id}` compared with PagerDuty: {start.reason}."
    counts = (
        f"{tally.incidents} incidents compared, {tally.differed} differed, {tally.healed} healed, "
        f"{tally.opened} opened, {tally.failed} could not be healed."
    )
    return f"{what}\n\n{tally.problem or counts}"
