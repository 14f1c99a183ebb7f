"""Start drills in Temporal, on demand or by a schedule, and end those whose workflow was lost."""

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.escalation.drill_service import drill_id_of
from calmo_pagerduty.escalation.drill_store import Drill
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from workflows import names
from workflows.escalation_drill import DrillStart

JITTER = timedelta(hours=1)


async def start_drill(client: Client, task_queue: str, scope: str, start: DrillStart) -> str:
    """Start a drill unless the service has one. Return its drill's id. Raises TemporalUnavailable."""
    workflow_id = (
        names.drill_workflow_id(start.connection_id, start.service_id)
        if start.ends is None
        else names.ending_drill_workflow_id(start.ends)
    )
    try:
        handle = await client.start_workflow(
            names.ESCALATION_DRILL_WORKFLOW,
            start,
            id=workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"escalation drill on {start.service_id}",
            search_attributes=_search_attributes(start.connection_id, scope),
        )
        run_id = handle.result_run_id or (await handle.describe()).run_id
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
    return start.ends or drill_id_of(run_id)


async def cancel_drill(client: Client, connection_id: str, drill: Drill) -> bool:
    """Cancel the workflow that holds a drill. False if none does. Raises TemporalUnavailable."""
    own_id = names.drill_workflow_id(connection_id, drill.service_id)
    try:
        for workflow_id in (own_id, *await _running_by_schedule(client, own_id)):
            description = await _describe(client, workflow_id)
            if description is None or description.status is not WorkflowExecutionStatus.RUNNING:
                continue
            if drill_id_of(description.run_id) == drill.id:
                await client.get_workflow_handle(workflow_id, run_id=description.run_id).cancel()
                return True
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
    return False


async def _running_by_schedule(client: Client, schedule_id: str) -> tuple[str, ...]:
    """Return the ids of the workflows that a schedule runs now: each ends with the time of its start."""
    try:
        description = await client.get_schedule_handle(schedule_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return ()
        raise
    running = description.info.running_actions
    return tuple(x.workflow_id for x in running if isinstance(x, ScheduleActionExecutionStartWorkflow))


async def _describe(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def keep_schedule(
    client: Client, task_queue: str, scope: str, start: DrillStart, every_days: int | None
) -> None:
    """Create, change or delete a service's schedule of drills. Raises TemporalUnavailable."""
    schedule_id = names.drill_workflow_id(start.connection_id, start.service_id)
    try:
        if every_days is None:
            await _delete(client, schedule_id)
            return
        schedule = _schedule(task_queue, scope, start, schedule_id, every_days)
        try:
            await client.create_schedule(schedule_id, schedule)
        except ScheduleAlreadyRunningError:

            async def update(_input: ScheduleUpdateInput) -> ScheduleUpdate:
                return ScheduleUpdate(schedule=schedule)

            await client.get_schedule_handle(schedule_id).update(update)
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error


async def _delete(client: Client, schedule_id: str) -> None:
    try:
        await client.get_schedule_handle(schedule_id).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def _schedule(task_queue: str, scope: str, start: DrillStart, schedule_id: str, every_days: int) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            names.ESCALATION_DRILL_WORKFLOW,
            start,
            id=schedule_id,
            task_queue=task_queue,
            typed_search_attributes=_search_attributes(start.connection_id, scope),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=every_days))], jitter=JITTER),
        # A drill that was missed isn't made up for: people expect it at its own time.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=10)),
    )


def _search_attributes(connection_id: str, scope: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(names.CONNECTION, connection_id), SearchAttributePair(names.SCOPE, scope)]
    )
