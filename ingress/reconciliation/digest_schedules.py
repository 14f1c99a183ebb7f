"""The time of a connection's weekly digest: Monday 07:00 in the account's zone, until somebody changes it.

Temporal keeps it. The schedule itself is a row of `ingress/reconciliation/schedules.py`.
"""

from dataclasses import dataclass
from datetime import datetime

from temporalio.client import (
    Client,
    ScheduleCalendarSpec,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from workflows import names

#: Temporal's numbers: Sunday is 0.
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


@dataclass(frozen=True, slots=True)
class DigestTime:
    """When the digest is made each week, in local time of a zone with IANA's name."""

    weekday: str = "monday"
    hour: int = 7
    minute: int = 0
    time_zone: str = "Etc/UTC"

    @classmethod
    def in_zone(cls, name: str | None) -> "DigestTime":
        """Return the usual time in a zone, which PagerDuty may name as Rails does: Temporal knows IANA's."""
        zone = time_zone(name)
        return cls() if zone is None else cls(time_zone=zone.key)


@dataclass(frozen=True, slots=True)
class DigestSchedule:
    """A schedule as Temporal keeps it. `time` is None if somebody gave it another form there."""

    time: DigestTime | None
    is_paused: bool
    next_times: tuple[datetime, ...]


async def update_schedule(client: Client, connection_id: str, time: DigestTime) -> bool:
    """Give the schedule another time. Returns False if there is none. Raises TemporalUnavailable."""

    async def change(current: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = current.description.schedule
        schedule.spec = digest_spec(time)
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


def _is_missing(error: RPCError) -> bool:
    """Return False if the schedule does not exist. Raises TemporalUnavailable for any other fault."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return False
    raise TemporalUnavailable(str(error.status.name)) from error


def digest_spec(time: DigestTime) -> ScheduleSpec:
    """Return the time as Temporal has it."""
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
