"""Plan the overrides and custom shifts that put one person on call in a shift-based schedule. Pure."""

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.pagerduty.schedules import member_id

#: Sources that an override can replace → where a schedule names them, and how an override does.
_REPLACEABLE = {
    "schedule_rotation": ("rotation_id", "rotation_id"),
    "custom_shift": ("shift_id", "custom_shift_id"),
}


@dataclass(frozen=True, slots=True)
class Duty:
    """A user's time on call within the window of the override. Times are UTC."""

    start: datetime
    end: datetime
    user_id: str
    source: JsonObject


@dataclass(frozen=True, slots=True)
class OverridePlan:
    """The overrides and custom shifts to create, in the form of PagerDuty's requests."""

    overrides: tuple[JsonObject, ...] = ()
    custom_shifts: tuple[JsonObject, ...] = ()


def plan_overrides(
    schedule: JsonObject, start: datetime, end: datetime, user_id: str, replaced_user_id: str | None
) -> OverridePlan:
    """Return what puts the user on call from start to end. It leaves out times that are theirs already.

    Without a replaced user, it replaces everybody on call and fills gaps.
    Raises InvalidRequest if it is unclear whom to replace, or if they can't be replaced.
    """
    duties = _duties(schedule, start, end)
    theirs = [duty for duty in duties if duty.user_id == user_id]
    others = [duty for duty in duties if duty.user_id != user_id]
    if replaced_user_id:
        others = [duty for duty in others if duty.user_id == replaced_user_id]
        if not others and not theirs:
            raise InvalidRequest("The replaced user isn't on call in this time")
        return OverridePlan(tuple(_override(duty, user_id) for duty in others))
    _check_no_overlap(others)
    uncovered = _uncovered(duties, start, end)
    outside = [duty for duty in others if not _overlaps(duty, theirs)]
    return OverridePlan(
        tuple(_override(duty, user_id) for duty in outside),
        tuple(_custom_shift(first, last, user_id) for first, last in uncovered),
    )


def _duties(schedule: JsonObject, start: datetime, end: datetime) -> list[Duty]:
    rows = as_objects(as_object(schedule.get("final_schedule")).get("computed_shift_assignments"))
    duties = []
    for row in rows:
        first, last = parse_instant(row.get("start_time")), parse_instant(row.get("end_time"))
        user = member_id(row.get("member"))
        if first and last and user and first < end and last > start:
            duties.append(Duty(max(first, start), min(last, end), user, as_object(row.get("source"))))
    return sorted(duties, key=lambda duty: (duty.start, duty.end))


def _check_no_overlap(duties: list[Duty]) -> None:
    for earlier, later in pairwise(duties):
        if later.start < earlier.end:
            raise InvalidRequest(
                "Several people are on call at the same time",
                advice=f"give replaced_user_id, such as {earlier.user_id} or {later.user_id}",
            )


def _overlaps(duty: Duty, others: list[Duty]) -> bool:
    return any(other.start <= duty.start and duty.end <= other.end for other in others)


def _uncovered(duties: list[Duty], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    gaps, covered_to = [], start
    for duty in duties:
        if duty.start > covered_to:
            gaps.append((covered_to, duty.start))
        covered_to = max(covered_to, duty.end)
    return [*gaps, (covered_to, end)] if covered_to < end else gaps


def _override(duty: Duty, user_id: str) -> JsonObject:
    kind = str(duty.source.get("type"))
    read, written = _REPLACEABLE.get(kind, (None, None))
    source_id = duty.source.get(read) if read else None
    if not written or not source_id:
        raise InvalidRequest(
            f"{duty.user_id} is on call by an override from {format_iso_utc(duty.start)}"
            f" to {format_iso_utc(duty.end)}",
            advice="PagerDuty can't override an override: delete it first",
        )
    return {
        "type": "override_shift",
        written: source_id,
        "start_time": format_iso_utc(duty.start),
        "end_time": format_iso_utc(duty.end),
        "overridden_member": {"type": "user_member", "user_id": duty.user_id},
        "overriding_member": {"type": "user_member", "user_id": user_id},
    }


def _custom_shift(start: datetime, end: datetime, user_id: str) -> JsonObject:
    member = {"type": "user_member", "user_id": user_id}
    return {
        "type": "custom_shift",
        "start_time": format_iso_utc(start),
        "end_time": format_iso_utc(end),
        "assignments": [{"type": "shift_assignment", "member": member}],
    }
