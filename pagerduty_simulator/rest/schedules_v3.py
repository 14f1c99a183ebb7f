"""/v3/schedules: schedules of shifts, their rotations and events, and the resulting shifts."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pagerduty_simulator import identifiers
from pagerduty_simulator.belongings import Schedule
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid_v3
from pagerduty_simulator.rest.audit_records import note_change
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page
from pagerduty_simulator.rest.objects import schedule_reference
from pagerduty_simulator.rest.schedules_v2 import asked_span, schedule_head
from pagerduty_simulator.shift_schedules import Member, Rotation, RotationEvent, ShiftSchedule
from pagerduty_simulator.shifts import Shift, coverage_percentage, cut, gaps

_DEFAULT_SPAN: Final = timedelta(weeks=2)
_MAX_ROTATIONS: Final = 10


def find_shift_based(call: Call) -> ShiftSchedule:
    """Return the schedule that the path names. Raises RestError (404, or 400 for a v2 one)."""
    schedule: Schedule = lookup(call.account.belongings.schedules, call.parameters[0])
    if not isinstance(schedule, ShiftSchedule):
        raise RestError(ERRORS["layer_based"])
    return schedule


def member_object(member: Member) -> JsonObject:
    """Return a member as an object, or the empty member."""
    return {"type": "empty_member"} if member is None else {"type": "user_member", "user_id": member}


def member_from(call: Call, body: Any, field_name: str) -> Member:
    """Parse a member. Raises RestError (400) if it is no user of the account."""
    if isinstance(body, dict) and body.get("type") == "empty_member":
        return None
    if not isinstance(body, dict) or body.get("type") != "user_member":
        raise invalid_v3(field_name, "must be a user_member or an empty_member")
    if body.get("user_id") not in call.account.users:
        raise invalid_v3(field_name, "user does not exist")
    return str(body["user_id"])


def _list(call: Call) -> Answer:
    query, team_ids = (call.parameter("query") or "").lower(), call.set_of("team_ids")
    schedules = [
        schedule
        for schedule in call.account.belongings.schedules.values()
        if isinstance(schedule, ShiftSchedule)
        and query in schedule.name.lower()
        and (not team_ids or not team_ids.isdisjoint(team.id for team in schedule.teams))
    ]
    answer = page(
        call,
        "schedules",
        schedules,
        lambda schedule: schedule_reference(call.links, schedule.id, schedule.name, schedule.kind),
        default=100,
        largest=1_000,
    )
    return without_total(call, answer)


def without_total(call: Call, answer: Answer) -> Answer:
    """Leave `total` out unless it was requested, as /v3 does."""
    if call.parameter("total") != "true":
        del answer.body["total"]
    return answer


def _get(call: Call) -> Answer:
    schedule = find_shift_based(call)
    body = schedule_head(call, schedule)
    body["rotations"] = [
        rotation_object(call, schedule, rotation) for rotation in schedule.rotations.values()
    ]
    if call.includes("final_schedule"):
        span = asked_span(call) or (call.now, call.now + _DEFAULT_SPAN)
        body["final_schedule"] = _final(call, schedule, *span)
    return Answer(200, {"schedule": body})


def _final(call: Call, schedule: ShiftSchedule, since: datetime, until: datetime) -> JsonObject:
    shifts = schedule.final_shifts(since, until)
    shown = shifts if call.parameter("overflow") == "true" else cut(shifts, since, until)
    # Uncovered time appears as an empty slot of the schedule's first rotation.
    rotation_id = next(iter(schedule.rotations), "")
    empty = [
        Shift(gap.start, gap.end, None, ("schedule_rotation", rotation_id))
        for gap in gaps(shifts, since, until)
    ]
    return {
        "type": "final_schedule",
        "rendered_coverage_percentage": coverage_percentage(shifts, since, until),
        "computed_shift_assignments": [
            {
                "type": "computed_shift_assignment",
                "start_time": wire_seconds(shift.start),
                "end_time": wire_seconds(shift.end),
                "member": member_object(shift.user_id),
                "source": _source(shift),
            }
            for shift in sorted([*shown, *empty], key=lambda shift: shift.start)
        ],
    }


def _source(shift: Shift) -> JsonObject:
    kind, source_id = shift.source
    names = {"schedule_rotation": "rotation_id", "custom_shift": "shift_id"}
    return {"type": kind, names.get(kind, "override_id"): source_id}


def rotation_object(call: Call, schedule: ShiftSchedule, rotation: Rotation) -> JsonObject:
    """Return a rotation with its events."""
    url = f"{call.links.api_url}/v3/schedules/{schedule.id}/rotations/{rotation.id}"
    return {
        "id": rotation.id,
        "type": "schedule_rotation",
        "self": url,
        "events": [event_object(url, event) for event in rotation.events.values()],
    }


def event_object(rotation_url: str, event: RotationEvent) -> JsonObject:
    """Return a recurring event; its times are local to its own zone."""
    zone = ZoneInfo(event.time_zone)
    strategy: JsonObject = {
        "type": event.strategy,
        "members": [member_object(member) for member in event.members],
    }
    if event.strategy.startswith("rotating"):
        strategy["shifts_per_member"] = event.shifts_per_member
    return {
        "id": event.id,
        "type": "schedule_event",
        "self": f"{rotation_url}/events/{event.id}",
        "name": event.name,
        "start_time": {"date_time": event.start.astimezone(zone).isoformat(), "time_zone": event.time_zone},
        "end_time": {"date_time": event.end.astimezone(zone).isoformat(), "time_zone": event.time_zone},
        "effective_since": wire_seconds(event.effective_since.astimezone(UTC)),
        "effective_until": wire_seconds(event.effective_until) if event.effective_until else None,
        "recurrence": list(event.recurrence),
        "assignment_strategy": strategy,
    }


def _update(call: Call) -> Answer:
    schedule, body = find_shift_based(call), call.wrapped("schedule")
    if "rotations" in body:
        raise invalid_v3("schedule.rotations", "cannot be changed here")
    if not body.get("name") or not body.get("time_zone"):
        raise invalid_v3("schedule", "name and time_zone are required")
    try:
        ZoneInfo(str(body["time_zone"]))
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid_v3("schedule.time_zone", "is not a time zone") from None
    before = schedule.name, schedule.time_zone, schedule.description
    schedule.name, schedule.time_zone = str(body["name"]), str(body["time_zone"])
    schedule.description = str(body.get("description", schedule.description) or "")
    after = schedule.name, schedule.time_zone, schedule.description
    changed = zip(("name", "time_zone", "description"), after, before, strict=True)
    note_change(call, schedule.id, "update", [change for change in changed if change[1] != change[2]])
    return _get(call)


def _list_rotations(call: Call) -> Answer:
    schedule = find_shift_based(call)
    rotations = list(schedule.rotations.values())
    answer = page(call, "rotations", rotations, lambda rotation: rotation_object(call, schedule, rotation))
    return without_total(call, answer)


def _get_rotation(call: Call) -> Answer:
    schedule = find_shift_based(call)
    rotation = lookup(schedule.rotations, call.parameters[1])
    return Answer(200, {"rotation": rotation_object(call, schedule, rotation)})


def _create_rotation(call: Call) -> Answer:
    """Add an empty rotation: all that it means stands in its events."""
    schedule = find_shift_based(call)
    if call.body:
        raise invalid_v3("rotation", "has no fields: the body must be empty")
    if len(schedule.rotations) >= _MAX_ROTATIONS:
        raise invalid_v3("schedule.rotations", f"cannot be more than {_MAX_ROTATIONS}")
    rotation = Rotation(identifiers.event_id(call.now, call.account.rng))
    schedule.rotations[rotation.id] = rotation
    note_change(call, schedule.id, "update", [("rotation", rotation.id, None)])
    return Answer(201, {"rotation": rotation_object(call, schedule, rotation)})


_ONE: Final = "/v3/schedules/{}"

# PagerDuty documents no scopes for /v3; these are the scopes of v2.
OPERATIONS: Final = (
    a_read("listSchedulesV3", "/v3/schedules", _list, "schedules.read"),
    a_read("getScheduleV3", _ONE, _get, "schedules.read"),
    a_write("updateScheduleV3", "PUT", _ONE, _update, "schedules.write"),
    a_read("listRotations", f"{_ONE}/rotations", _list_rotations, "schedules.read"),
    a_write("createRotation", "POST", f"{_ONE}/rotations", _create_rotation, "schedules.write"),
    a_read("getRotation", f"{_ONE}/rotations/{{}}", _get_rotation, "schedules.read"),
)
