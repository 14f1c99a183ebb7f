"""When Temporal makes a connection's reports: one schedule for each kind, which an administrator sets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from temporalio.api.common.v1 import Payload
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
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.reports.model import ReportKind
from calmo_pagerduty.temporal.client import ensure_search_attributes
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.reconciliation.digest_schedules import DigestTime, digest_spec
from ingress.reconciliation.schedules import ScheduledWorkflow
from workflows import names
from workflows.report import ReportStart

#: After an outage a report is made late rather than not at all.
CATCHUP_WINDOW = timedelta(days=3)


def _id_of(kind: ReportKind, connection_id: str) -> str:
    return names.report_workflow_id(connection_id, kind)


def _start_of(kind: ReportKind, connection_id: str) -> ReportStart:
    return ReportStart(connection_id=connection_id, kind=kind)


#: All that may be scheduled, for those who delete what a removed connection leaves.
REPORTS = tuple(
    ScheduledWorkflow(
        names.REPORT_WORKFLOW,
        partial(_id_of, kind),
        partial(_start_of, kind),
        lambda zone: digest_spec(DigestTime.in_zone(zone)),
        CATCHUP_WINDOW,
        is_made_once=True,
    )
    for kind in ReportKind
)


@dataclass(frozen=True, slots=True)
class ReportSchedule:
    """A schedule as Temporal keeps it. Times are UTC."""

    kind: ReportKind
    is_paused: bool
    next_times: tuple[datetime, ...]
    #: How many days each report is about; None is the kind's own.
    days: int | None


async def put_schedule(
    client: Client,
    task_queue: str,
    connection_id: str,
    scope: str,
    kind: ReportKind,
    time: DigestTime,
    monthly: bool,
    days: int | None = None,
) -> None:
    """Create or replace the schedule of a kind, for reports about so many days; None is the kind's own.

    Raises TemporalUnavailable, MissingSearchAttributes.
    """
    schedule_id = names.report_workflow_id(connection_id, kind)
    attributes = [
        SearchAttributePair(names.CONNECTION, connection_id),
        SearchAttributePair(names.SCOPE, scope),
    ]
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            names.REPORT_WORKFLOW,
            ReportStart(connection_id=connection_id, kind=kind, days=days),
            id=schedule_id,
            task_queue=task_queue,
            typed_search_attributes=TypedSearchAttributes(attributes),
        ),
        spec=_monthly(time) if monthly else digest_spec(time),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCHUP_WINDOW),
    )

    async def replace(_current: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    try:
        await ensure_search_attributes(client, names.SEARCH_ATTRIBUTES)
        try:
            await client.create_schedule(schedule_id, schedule)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(schedule_id).update(replace)
    except RPCError as error:
        raise TemporalUnavailable(str(error.status.name)) from error


async def list_schedules(client: Client, connection_id: str) -> tuple[ReportSchedule, ...]:
    """Return the connection's schedules, in the order of the kinds. Raises TemporalUnavailable."""
    found = []
    for kind in ReportKind:
        try:
            told = await client.get_schedule_handle(names.report_workflow_id(connection_id, kind)).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise TemporalUnavailable(str(error.status.name)) from error
            continue
        times = tuple(told.info.next_action_times[:3])
        days = await _days_of(client, told.schedule)
        found.append(ReportSchedule(kind, told.schedule.state.paused, times, days))
    return tuple(found)


async def delete_schedule(client: Client, connection_id: str, kind: ReportKind) -> bool:
    """Delete the schedule of a kind. False if there was none. Raises TemporalUnavailable."""
    try:
        await client.get_schedule_handle(names.report_workflow_id(connection_id, kind)).delete()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise TemporalUnavailable(str(error.status.name)) from error
    return True


async def _days_of(client: Client, schedule: Schedule) -> int | None:
    """Return how many days the reports of a schedule are about, as Temporal keeps its start."""
    if not isinstance(schedule.action, ScheduleActionStartWorkflow) or not schedule.action.args:
        return None
    payload = schedule.action.args[0]
    if not isinstance(payload, Payload):
        return None
    [start] = await client.data_converter.decode([payload], [ReportStart])
    return start.days if isinstance(start, ReportStart) else None


def _monthly(time: DigestTime) -> ScheduleSpec:
    """Return the first day of each month."""
    at = ScheduleCalendarSpec(
        second=[ScheduleRange(0)],
        minute=[ScheduleRange(time.minute)],
        hour=[ScheduleRange(time.hour)],
        day_of_month=[ScheduleRange(1)],
        comment="monthly report",
    )
    return ScheduleSpec(calendars=[at], time_zone_name=time.time_zone)
