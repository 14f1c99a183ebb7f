"""The Temporal schedule of a connection's weekly digest: Monday 07:00 in the account's zone.

Temporal keeps it. It is made once, so that whoever reschedules it, here or in Temporal, has the last word.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
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

from calmo_pagerduty.temporal.handle import TemporalUnavailable
from workflows import names
from workflows.oncall_digest import DigestStart

#: After an outage a digest is made late rather than not at all.
CATCHUP_WINDOW = timedelta(days=3)
#: Temporal's numbers: Sunday is 0.
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When the digest is made each week, in local time of a zone with IANA's name."""

    weekday: str = "monday"
    hour: int = 7
    minute: int = 0
    time_zone: str = "Etc/UTC"


@dataclass(frozen=True, slots=True)
class DigestSchedule:
    """A schedule as Temporal keeps it. `time` is None if somebody gave it another form there."""

    time: DigestTime | None
    is_paused: bool
    next_times: tuple[datetime, ...]


async def create_schedule(
    client: Client, task_queue: str, connection_id: str, scope: str, time: DigestTime
) -> bool:
    """Create the schedule unless there is one, which stays as it is. Raises RPCError."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            names.ONCALL_DIGEST_WORKFLOW,
            DigestStart(connection_id=connection_id),
            id=names.digest_workflow_id(connection_id),
            task_queue=task_queue,
            typed_search_attributes=_search_attributes(connection_id, scope),
        ),
        spec=_spec(time),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCHUP_WINDOW),
    )
    try:
        await client.create_schedule(names.digest_workflow_id(connection_id), schedule)
    except ScheduleAlreadyRunningError:
        return False
    return True


async def update_schedule(client: Client, connection_id: str, time: DigestTime) -> bool:
    """Give the schedule another time. Returns False if there is none. Raises TemporalUnavailable."""

    async def change(current: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = current.description.schedule
        schedule.spec = _spec(time)
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.get_schedule_handle(names.digest_workflow_id(connection_id)).update(change)
    except RPCError as error:
        return _is_missing(error)
    return True


async def get_schedule(client: Client, connection_id: str) -> DigestSchedule | None:
    """Return the schedule; None if there is none yet. Raises TemporalUnavailable."""
    try:
        found = await client.get_schedule_handle(names.digest_workflow_id(connection_id)).describe()
    except RPCError as error:
        _is_missing(error)
        return None
    return DigestSchedule(
        time=_time(found.schedule.spec),
        is_paused=found.schedule.state.paused,
        next_times=tuple(found.info.next_action_times[:3]),
    )


async def delete_schedule(client: Client, connection_id: str) -> None:
    """Delete the schedule. Repeating it is harmless. Raises TemporalUnavailable."""
    try:
        await client.get_schedule_handle(names.digest_workflow_id(connection_id)).delete()
    except RPCError as error:
        _is_missing(error)


async def start_digest(client: Client, task_queue: str, connection_id: str, scope: str) -> str:
    """Make a digest now, unless one is being made. Return the workflow's id. Raises TemporalUnavailable."""
    workflow_id = names.digest_workflow_id(connection_id)
    try:
        await client.start_workflow(
            names.ONCALL_DIGEST_WORKFLOW,
            DigestStart(connection_id=connection_id),
            id=workflow_id,
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"the digest of {connection_id}",
            search_attributes=_search_attributes(connection_id, scope),
        )
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error
    return workflow_id


def _is_missing(error: RPCError) -> bool:
    """Return False if the schedule does not exist. Raises TemporalUnavailable for any other fault."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return False
    raise TemporalUnavailable(str(error.status.name)) from error


def _spec(time: DigestTime) -> ScheduleSpec:
    at = ScheduleCalendarSpec(
        second=[ScheduleRange(0)],
        minute=[ScheduleRange(time.minute)],
        hour=[ScheduleRange(time.hour)],
        day_of_week=[ScheduleRange(WEEKDAYS.index(time.weekday))],
        comment="weekly digest",
    )
    return ScheduleSpec(calendars=[at], time_zone_name=time.time_zone)


def _time(spec: ScheduleSpec) -> DigestTime | None:
    if len(spec.calendars) != 1 or spec.intervals or spec.cron_expressions:
        return None
    [calendar] = spec.calendars
    fields = (calendar.day_of_week, calendar.hour, calendar.minute)
    if any(len(field) != 1 or field[0].end > field[0].start for field in fields):
        return None
    weekday, hour, minute = (field[0].start for field in fields)
    return DigestTime(WEEKDAYS[weekday % 7], hour, minute, spec.time_zone_name or "Etc/UTC")


def _search_attributes(connection_id: str, scope: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(names.CONNECTION, connection_id), SearchAttributePair(names.SCOPE, scope)]
    )
