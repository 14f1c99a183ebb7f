"""All Temporal schedules per connection: reconciliation, the doctor, on-call analyses, the weekly digest."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

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

from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.reconciliation.digest_schedules import DigestTime, digest_spec
from workflows import names
from workflows.doctor import DoctorStart
from workflows.oncall_analysis import OnCallStart
from workflows.oncall_digest import DigestStart
from workflows.reconcile import ReconcileStart


class ScheduledConnection(Protocol):
    """What a schedule needs to know of its connection."""

    @property
    def connection_id(self) -> str: ...

    @property
    def scope(self) -> str: ...


#: The times of a schedule, in the account's zone as PagerDuty names it; None if it isn't known.
SpecOf = Callable[[str | None], ScheduleSpec]


class ScheduledWorkflow(NamedTuple):
    """A workflow that runs for each connection. What was missed for longer than `catchup_window` is dropped.

    With `is_made_once`, whoever reschedules it, here or in Temporal, has the last word.
    """

    workflow: str
    id_of: Callable[[str], str]
    start_of: Callable[[str], object]
    spec_of: SpecOf
    catchup_window: timedelta
    is_made_once: bool = False


def _every(interval: timedelta, jitter: timedelta) -> SpecOf:
    """Return the times of an interval, each up to `jitter` later."""
    return lambda _zone: ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)], jitter=jitter)


_MINUTES, _SECONDS, _DAY = timedelta(minutes=5), timedelta(seconds=30), timedelta(days=1)
#: For connections with webhooks.
HEALTH = (
    ScheduledWorkflow(
        names.RECONCILE_WORKFLOW,
        names.reconcile_workflow_id,
        lambda connection_id: ReconcileStart(connection_id=connection_id),
        _every(_MINUTES, _SECONDS),
        catchup_window=_MINUTES,
    ),
    ScheduledWorkflow(
        names.DOCTOR_WORKFLOW,
        names.doctor_workflow_id,
        lambda connection_id: DoctorStart(connection_id=connection_id),
        _every(_MINUTES, _SECONDS),
        catchup_window=_MINUTES,
    ),
)
#: For connections with a token. The jitter spreads the accounts over two hours.
ONCALL = (
    ScheduledWorkflow(
        names.ONCALL_ANALYSIS_WORKFLOW,
        names.oncall_workflow_id,
        lambda connection_id: OnCallStart(connection_id=connection_id),
        _every(_DAY, timedelta(hours=2)),
        catchup_window=_DAY,
    ),
)
#: For connections whose account was analysed. After an outage a digest is made late rather than not at all.
DIGEST = (
    ScheduledWorkflow(
        names.ONCALL_DIGEST_WORKFLOW,
        names.digest_workflow_id,
        lambda connection_id: DigestStart(connection_id=connection_id),
        lambda zone: digest_spec(DigestTime.in_zone(zone)),
        catchup_window=3 * _DAY,
        is_made_once=True,
    ),
)


async def upsert_schedules(
    client: Client,
    task_queue: str,
    connection: ScheduledConnection,
    workflows: tuple[ScheduledWorkflow, ...],
    time_zone: str | None = None,
    replaces: bool = True,
) -> None:
    """Create a connection's schedules, and update those that exist if it `replaces` them; `time_zone` is the
    account's. Repeating it is harmless.

    Raises RPCError.
    """
    for scheduled in workflows:
        schedule_id = scheduled.id_of(connection.connection_id)
        schedule = _schedule(scheduled, task_queue, connection, time_zone)
        try:
            await client.create_schedule(schedule_id, schedule)
        except ScheduleAlreadyRunningError:
            if scheduled.is_made_once or not replaces:
                continue
            handle = client.get_schedule_handle(schedule_id)
            await handle.update(_replaced_by(schedule))


async def delete_schedules(
    client: Client, connection_id: str, workflows: tuple[ScheduledWorkflow, ...]
) -> None:
    """Delete a connection's schedules. Repeating it is harmless. Raises RPCError."""
    for scheduled in workflows:
        try:
            await client.get_schedule_handle(scheduled.id_of(connection_id)).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def list_scheduled_connections(client: Client, workflows: tuple[ScheduledWorkflow, ...]) -> set[str]:
    """Return the ids of the connections that have schedules for any of the workflows. Raises RPCError."""
    prefixes = tuple(scheduled.id_of("") for scheduled in workflows)
    connection_ids = set()
    async for schedule in await client.list_schedules():
        for prefix in prefixes:
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


async def start_oncall(client: Client, task_queue: str, scope: str, start: OnCallStart) -> Any:
    """Start the on-call analyses unless they run already. Return their handle. Raises TemporalUnavailable."""
    workflow_id = names.oncall_workflow_id(start.connection_id, start.as_of, start.now)
    summary = f"the on-call analyses of {start.connection_id}"
    return await _start(
        client,
        names.ONCALL_ANALYSIS_WORKFLOW,
        start,
        workflow_id,
        task_queue,
        summary,
        scope,
        start.connection_id,
    )


async def start_digest(client: Client, task_queue: str, scope: str, connection_id: str) -> str:
    """Make a digest now, unless one is being made. Return the workflow's id. Raises TemporalUnavailable."""
    workflow_id = names.digest_workflow_id(connection_id)
    start, summary = DigestStart(connection_id=connection_id), f"the digest of {connection_id}"
    await _start(
        client,
        names.ONCALL_DIGEST_WORKFLOW,
        start,
        workflow_id,
        task_queue,
        summary,
        scope,
        connection_id,
    )
    return workflow_id


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


def _schedule(
    scheduled: ScheduledWorkflow, task_queue: str, connection: ScheduledConnection, time_zone: str | None
) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            scheduled.workflow,
            scheduled.start_of(connection.connection_id),
            id=scheduled.id_of(connection.connection_id),
            task_queue=task_queue,
            typed_search_attributes=_search_attributes(connection.connection_id, connection.scope),
        ),
        spec=scheduled.spec_of(time_zone),
        # After an outage a single run is enough, because it covers all of the missed time.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=scheduled.catchup_window),
    )


def _replaced_by(schedule: Schedule) -> Any:
    async def update(_input: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    return update


def _search_attributes(connection_id: str, scope: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(names.CONNECTION, connection_id), SearchAttributePair(names.SCOPE, scope)]
    )
