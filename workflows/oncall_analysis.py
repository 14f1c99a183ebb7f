"""Take a snapshot of an account, step by step, and carry out the on-call analyses on it."""

from datetime import datetime

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.oncall import OnCallActivities
    from activities.retrying import REMOVED
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.oncall.model import (
        SCHEDULED,
        AnalysisOutcome,
        AnalysisToRun,
        RunState,
        RunToFinish,
        RunToStart,
        SnapshotToAnalyse,
        SnapshotToBegin,
        StartedRun,
    )
    from calmo_pagerduty.snapshots.collecting_service import SnapshotProgress
    from workflows import activity_options, names

#: A step reads some 40 pages: a larger account goes on with its next run.
MAX_STEPS = 250
#: Lower than a context's: nobody waits at night.
ONCALL_PRIORITY = 5
#: What a person reads of an error that ended the run, by its type.
PROBLEMS = {
    "TokenRejected": "PagerDuty refuses the connection's token",
    "SnapshotUnreadable": "the snapshot can't be read by this version",
    REMOVED: "the connection was removed",
}
UNREACHABLE = "PagerDuty or our database could not be reached for long enough"
NO_SNAPSHOT = "there is no snapshot of that time or before"
TOO_LARGE = "the account is too large for a single run: the next one goes on"


class OnCallStart(FrozenModel):
    """A run's input. Times are UTC.

    `as_of`: analyse the stored snapshot of that time instead of a new one. `now`: what the analyses take
    for the present; None: when the snapshot was taken. `is_fresh`: the account was changed, so its
    configuration is read anew even if it was read some minutes ago.
    """

    connection_id: str
    reason: str = SCHEDULED
    as_of: datetime | None = None
    now: datetime | None = None
    is_fresh: bool = False


class OnCallProgress(FrozenModel):
    """How far a run is, in figures. `outcomes` are of the analyses that ended."""

    state: RunState = RunState.READING
    snapshot_id: str = ""
    taken_at: int = 0
    requests: int = 0
    tasks: int = 0
    tasks_done: int = 0
    analyses: tuple[str, ...] = ()
    outcomes: tuple[AnalysisOutcome, ...] = ()
    problem: str = ""


@workflow.defn(name=names.ONCALL_ANALYSIS_WORKFLOW)
class OnCallAnalysisWorkflow:
    """Message protocol: the query `oncall_progress` returns how far the run is; the result is its end.
    Histories hold counts, references and digests, no names and no texts.
    """

    @workflow.init
    def __init__(self, start: OnCallStart) -> None:
        self._start = start
        self._progress = OnCallProgress()

    @workflow.run
    async def run(self, start: OnCallStart) -> OnCallProgress:
        order = RunToStart(
            run_id=workflow.info().run_id,
            connection_id=start.connection_id,
            reason=start.reason,
            as_of=start.as_of,
            now=start.now,
        )
        try:
            started: StartedRun = await workflow.execute_local_activity_method(
                OnCallActivities.begin_oncall_run, order, **activity_options.STORE, summary=start.reason
            )
            self._update(analyses=started.analyses, problem=started.problem)
            if not started.problem:
                await self._carry_out(order)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            self._update(problem=_problem(error))
        self._update(state=RunState.FAILED if self._progress.problem else RunState.COMPLETE)
        if self._progress.problem != PROBLEMS[REMOVED]:
            await self._finish(order.run_id)
        return self._progress

    @workflow.query(name=names.QUERY_ONCALL_PROGRESS, description="How far the run is")
    def progress(self) -> OnCallProgress:
        return self._progress

    async def _carry_out(self, order: RunToStart) -> None:
        if order.as_of is None:
            await self._take_snapshot(order.run_id)
        else:
            await self._find_snapshot(order)
        if self._progress.problem:
            return
        self._update(state=RunState.ANALYSING)
        now = int(order.now.timestamp()) if order.now else self._progress.taken_at
        for analysis in self._progress.analyses:
            await self._analyse(order.run_id, analysis, now)

    async def _take_snapshot(self, run_id: str) -> None:
        begin = SnapshotToBegin(
            run_id=run_id, connection_id=self._start.connection_id, is_fresh=self._start.is_fresh
        )
        read: SnapshotProgress = await workflow.execute_local_activity_method(
            OnCallActivities.begin_snapshot, begin, **activity_options.STORE, summary="begin a snapshot"
        )
        order = SnapshotToAnalyse(run_id=run_id, snapshot_id=read.snapshot_id)
        for step in range(MAX_STEPS):
            self._note(read)
            if read.is_read:
                break
            read = await workflow.execute_activity_method(
                OnCallActivities.read_snapshot,
                order,
                task_queue=names.pagerduty_queue(workflow.info().task_queue),
                priority=self._priority,
                summary=f"step {step + 1}: {read.tasks_done} of {read.tasks} lists read",
                **activity_options.RECONCILE,
            )
        self._note(read)
        if not read.is_read:
            self._update(problem=TOO_LARGE)
            return
        await workflow.execute_activity_method(
            OnCallActivities.finish_snapshot,
            order,
            task_queue=names.pagerduty_queue(workflow.info().task_queue),
            priority=self._priority,
            summary="put the snapshot together",
            **activity_options.RECONCILE,
        )

    async def _find_snapshot(self, order: RunToStart) -> None:
        found: SnapshotProgress = await workflow.execute_activity_method(
            OnCallActivities.find_snapshot,
            order,
            task_queue=names.pagerduty_queue(workflow.info().task_queue),
            priority=self._priority,
            summary="find the snapshot",
            **activity_options.RECONCILE,
        )
        self._note(found)
        if not found.snapshot_id:
            self._update(problem=NO_SNAPSHOT)

    async def _analyse(self, run_id: str, analysis: str, now: int) -> None:
        """Carry out an analysis. If it fails, the others still count."""
        order = AnalysisToRun(
            run_id=run_id,
            connection_id=self._start.connection_id,
            snapshot_id=self._progress.snapshot_id,
            analysis=analysis,
            now=now,
        )
        try:
            outcome: AnalysisOutcome = await workflow.execute_activity_method(
                OnCallActivities.run_analysis,
                order,
                task_queue=names.pagerduty_queue(workflow.info().task_queue),
                priority=self._priority,
                summary=analysis,
                **activity_options.RECONCILE,
            )
        except ActivityError as error:
            if is_cancelled_exception(error) or _type_of(error) == REMOVED:
                raise
            outcome = AnalysisOutcome(analysis=analysis, problem=_problem(error))
        self._update(outcomes=(*self._progress.outcomes, outcome))

    async def _finish(self, run_id: str) -> None:
        end = RunToFinish(run_id=run_id, state=self._progress.state, problem=self._progress.problem)
        await workflow.execute_local_activity_method(
            OnCallActivities.finish_oncall_run, end, **activity_options.STORE, summary="save the end"
        )

    @property
    def _priority(self) -> Priority:
        return Priority(priority_key=ONCALL_PRIORITY, fairness_key=f"{self._start.connection_id}:oncall")

    def _note(self, read: SnapshotProgress) -> None:
        self._update(
            snapshot_id=read.snapshot_id,
            taken_at=read.taken_at,
            requests=read.requests,
            tasks=read.tasks,
            tasks_done=read.tasks_done,
        )

    def _update(self, **changes: object) -> None:
        self._progress = self._progress.model_copy(update=changes)
        workflow.set_current_details(operator_summary(self._start, self._progress))


def operator_summary(start: OnCallStart, progress: OnCallProgress) -> str:
    """Return what an operator sees of a run, as Markdown."""
    what = f"On-call analyses of connection `{start.connection_id}`: {start.reason}."
    findings = sum(outcome.findings for outcome in progress.outcomes)
    failed = sum(bool(outcome.problem) for outcome in progress.outcomes)
    how = {
        RunState.READING: f"Reading: {progress.tasks_done} of {progress.tasks} lists",
        RunState.ANALYSING: f"Analysing: {len(progress.outcomes)} of {len(progress.analyses)}",
        RunState.COMPLETE: f"Complete: {findings} findings, {failed} analyses failed",
        RunState.FAILED: f"Failed: {progress.problem}",
    }[progress.state]
    return f"{what}\n\n{how}; {progress.requests} requests."


def _type_of(error: ActivityError) -> str | None:
    return error.cause.type if isinstance(error.cause, ApplicationError) else None


def _problem(error: ActivityError) -> str:
    return PROBLEMS.get(_type_of(error) or "", UNREACHABLE)
