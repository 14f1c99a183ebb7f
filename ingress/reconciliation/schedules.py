"""Temporal schedules for reconciliation and the doctor: one of each per connection."""

from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.reconciliation.reason_queries import ReconciledConnection
from calmo_pagerduty.temporal.handle import TemporalUnavailable
from workflows import names
from workflows.doctor import DoctorStart
from workflows.reconcile import ReconcileStart

INTERVAL = timedelta(minutes=5)
JITTER = timedelta(seconds=30)
PREFIXES = (names.reconcile_workflow_id(""), names.doctor_workflow_id(""))


def schedule_ids(connection_id: str) -> tuple[str, str]:
    return names.reconcile_workflow_id(connection_id), names.doctor_workflow_id(connection_id)


async def upsert_schedules(client: Client, task_queue: str, connection: ReconciledConnection) -> None:
    """Create or update a connection's schedules. Repeating it is harmless. Raises RPCError."""
    for schedule_id, schedule in _schedules(task_queue, connection):
        try:
            await client.create_schedule(schedule_id, schedule)
        except ScheduleAlreadyRunningError:
            handle = client.get_schedule_handle(schedule_id)
            await handle.update(_replaced_by(schedule))


async def delete_schedules(client: Client, connection_id: str) -> None:
    """Delete a connection's schedules. Repeating it is harmless. Raises RPCError."""
    for schedule_id in schedule_ids(connection_id):
        try:
            await client.get_schedule_handle(schedule_id).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def list_scheduled_connections(client: Client) -> set[str]:
    """Return the ids of the connections that have schedules. Raises RPCError."""
    connection_ids = set()
    async for schedule in await client.list_schedules():
        for prefix in PREFIXES:
            if schedule.id.startswith(prefix):
                connection_ids.add(schedule.id.removeprefix(prefix))
    return connection_ids


async def start_reconcile(client: Client, task_queue: str, scope: str, start: ReconcileStart) -> str:
    """Start a reconciliation unless it runs already. Return the workflow's id. Raises TemporalUnavailable."""
    workflow_id = names.reconcile_workflow_id(start.connection_id)
    summary = f"{start.connection_id} compared with PagerDuty"
    await _start(
        client, names.RECONCILE_WORKFLOW, start, workflow_id, task_queue, summary, scope, start.connection_id
    )
    return workflow_id


async def start_doctor(client: Client, task_queue: str, scope: str, connection_id: str) -> Any:
    """Start an examination unless it runs already. Return its handle. Raises TemporalUnavailable."""
    start = DoctorStart(connection_id=connection_id)
    workflow_id, summary = (
        names.doctor_workflow_id(connection_id),
        f"the webhooks of {connection_id} examined",
    )
    return await _start(
        client, names.DOCTOR_WORKFLOW, start, workflow_id, task_queue, summary, scope, connection_id
    )


async def _start(
    client: Client,
    workflow: str,
    start: object,
    workflow_id: str,
    task_queue: str,
    summary: str,
    scope: str,
    connection_id: str,
) -> Any:
    try:
        return await client.start_workflow(
            workflow,
            start,
            id=workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=summary,
            search_attributes=_search_attributes(connection_id, scope),
        )
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error


def _schedules(task_queue: str, connection: ReconciledConnection) -> tuple[tuple[str, Schedule], ...]:
    starts = (
        (names.RECONCILE_WORKFLOW, ReconcileStart(connection_id=connection.connection_id)),
        (names.DOCTOR_WORKFLOW, DoctorStart(connection_id=connection.connection_id)),
    )
    return tuple(
        (
            schedule_id,
            Schedule(
                action=ScheduleActionStartWorkflow(
                    workflow,
                    start,
                    id=schedule_id,
                    task_queue=task_queue,
                    typed_search_attributes=_search_attributes(connection.connection_id, connection.scope),
                ),
                spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=INTERVAL)], jitter=JITTER),
                # After an outage a single run is enough, because it covers all of the missed time.
                policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=INTERVAL),
            ),
        )
        for schedule_id, (workflow, start) in zip(schedule_ids(connection.connection_id), starts, strict=True)
    )


def _replaced_by(schedule: Schedule) -> Any:
    async def update(_input: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    return update


def _search_attributes(connection_id: str, scope: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(names.CONNECTION, connection_id), SearchAttributePair(names.SCOPE, scope)]
    )
