"""/v3/schedules/{id}/…: the events of rotations, custom shifts and overrides."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pagerduty_simulator import identifiers
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import Answer, invalid_v3
from pagerduty_simulator.rest.audit_records import note_change
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page, parse_moment
from pagerduty_simulator.rest.schedules_v3 import (
    event_object,
    find_shift_based,
    member_from,
    member_object,
    without_total,
)
from pagerduty_simulator.shift_schedules import CustomShift, Rotation, RotationEvent, ShiftOverride

_MAX_LIVE_EVENTS: Final = 5
_FURTHEST_AHEAD: Final = timedelta(days=366)
_STRATEGIES: Final = ("rotating_member_assignment_strategy", "every_member_assignment_strategy")


class _Timed(Protocol):
    @property
    def start(self) -> datetime: ...
    @property
    def end(self) -> datetime: ...


Timed = TypeVar("Timed", bound=_Timed)


def _new_id(call: Call) -> str:
    return identifiers.event_id(call.now, call.account.rng)


def _rotation(call: Call) -> Rotation:
    return lookup(find_shift_based(call).rotations, call.parameters[1])


def _event_body(call: Call, event: RotationEvent) -> JsonObject:
    schedule_id, rotation_id = call.parameters[:2]
    url = f"{call.links.api_url}/v3/schedules/{schedule_id}/rotations/{rotation_id}"
    return event_object(url, event)


def _list_events(call: Call) -> Answer:
    events = list(_rotation(call).events.values())
    return without_total(call, page(call, "events", events, lambda event: _event_body(call, event)))


def _get_event(call: Call) -> Answer:
    return Answer(200, {"event": _event_body(call, lookup(_rotation(call).events, call.parameters[2]))})


def _create_event(call: Call) -> Answer:
    rotation, body = _rotation(call), call.wrapped("event")
    live = [event for event in rotation.events.values() if (event.effective_until or call.now) >= call.now]
    if len(live) >= _MAX_LIVE_EVENTS:
        raise invalid_v3("rotation.events", "cannot be more than 5")
    for name in ("name", "start_time", "end_time", "effective_since", "recurrence", "assignment_strategy"):
        if not body.get(name):
            raise invalid_v3(f"event.{name}", "cannot be blank")
    now = call.now
    empty = RotationEvent(_new_id(call), "", now, now, "UTC", now, (), ())
    event = _event_from(call, body, empty)
    # PagerDuty moves a start in the past to the present.
    event = replace(event, effective_since=max(event.effective_since, now))
    rotation.events[event.id] = event
    note_change(call, call.parameters[0], "update", [("event", event.name, None)])
    return Answer(201, {"event": _event_body(call, event)})


def _update_event(call: Call) -> Answer:
    rotation, body = _rotation(call), call.wrapped("event")
    before = lookup(rotation.events, call.parameters[2])
    frozen = {"assignment_strategy", "start_time", "end_time", "recurrence", "effective_since"}
    if before.effective_since <= call.now and not frozen.isdisjoint(body):
        raise invalid_v3("event", "is active: only its name and effective_until can be changed")
    rotation.events[before.id] = _event_from(call, body, before)
    note_change(call, call.parameters[0], "update", [("event", before.name, before.name)])
    return _get_event(call)


def _event_from(call: Call, body: JsonObject, before: RotationEvent) -> RotationEvent:
    event = before
    if "name" in body:
        event = replace(event, name=str(body["name"]))
    if "start_time" in body:
        event = _timed(event, body["start_time"], "start_time")
    if "end_time" in body:
        event = _timed(event, body["end_time"], "end_time")
    if event.end <= event.start:
        raise invalid_v3("event.end_time", "must be after start_time")
    if "effective_since" in body:
        since = parse_moment(body["effective_since"], "effective_since")
        if since > call.now + _FURTHEST_AHEAD:
            raise invalid_v3("event.effective_since", "cannot be more than 12 months ahead")
        event = replace(event, effective_since=since)
    if body.get("effective_until"):
        until = parse_moment(body["effective_until"], "effective_until")
        event = replace(event, effective_until=until)
    if "recurrence" in body:
        event = replace(event, recurrence=tuple(str(rule) for rule in body["recurrence"]))
        _refuse_unknown_rule(event)
    return _with_strategy(call, body.get("assignment_strategy"), event)


def _timed(event: RotationEvent, body: Any, name: str) -> RotationEvent:
    try:
        zone = ZoneInfo(str(body["time_zone"]))
        at = parse_moment(body["date_time"], name)
    except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError):
        raise invalid_v3(f"event.{name}", "needs date_time and time_zone") from None
    if name == "start_time":
        return replace(event, start=at, time_zone=zone.key, end=max(event.end, at + timedelta(seconds=1)))
    return replace(event, end=at)


def _refuse_unknown_rule(event: RotationEvent) -> None:
    try:
        event.shifts(event.start, event.start + timedelta(days=1), ("", ""))
    except ValueError:
        raise invalid_v3("event.recurrence", "is not supported") from None


def _with_strategy(call: Call, body: Any, event: RotationEvent) -> RotationEvent:
    if body is None:
        return event
    if not isinstance(body, dict) or body.get("type") not in _STRATEGIES:
        raise invalid_v3("event.assignment_strategy.type", "is unknown")
    where = "event.assignment_strategy.members"
    members = tuple(member_from(call, member, where) for member in body.get("members") or ())
    if not members:
        raise invalid_v3(where, "cannot be empty")
    per_member = int(body.get("shifts_per_member") or 1)
    return replace(event, strategy=body["type"], members=members, shifts_per_member=per_member)


def _delete_event(call: Call) -> Answer:
    rotation = _rotation(call)
    event = lookup(rotation.events, call.parameters[2])
    # A shift that has begun stays, and ends now.
    if event.effective_since < call.now:
        ends_at = min(event.effective_until or call.now, call.now)
        rotation.events[event.id] = replace(event, effective_until=ends_at)
    else:
        del rotation.events[event.id]
    note_change(call, call.parameters[0], "update", [("event", None, event.name)])
    return Answer(204)


def _within(call: Call, items: Iterable[Timed]) -> list[Timed]:
    since, until = call.moment("since"), call.moment("until")
    if since is None or until is None:
        raise invalid_v3("since", "since and until are required")
    return [timed for timed in items if timed.start < until and timed.end > since]


def _custom_shift(custom_shift: CustomShift) -> JsonObject:
    assignment = {
        "id": custom_shift.assignment_id,
        "type": "shift_assignment",
        "member": member_object(custom_shift.member),
    }
    return {
        "id": custom_shift.id,
        "type": "custom_shift",
        "start_time": wire_seconds(custom_shift.start),
        "end_time": wire_seconds(custom_shift.end),
        "assignments": [assignment],
    }


def _override(override: ShiftOverride) -> JsonObject:
    source = (
        {"rotation_id": override.rotation_id}
        if override.rotation_id
        else {"custom_shift_id": override.custom_shift_id}
    )
    return {
        "id": override.id,
        "type": "override_shift",
        **source,
        "start_time": wire_seconds(override.start),
        "end_time": wire_seconds(override.end),
        "overridden_member": member_object(override.overridden),
        "overriding_member": member_object(override.overriding),
    }


def _list_custom_shifts(call: Call) -> Answer:
    found = _within(call, find_shift_based(call).custom_shifts.values())
    return without_total(call, page(call, "custom_shifts", found, _custom_shift))


def _list_overrides(call: Call) -> Answer:
    found = _within(call, find_shift_based(call).overrides.values())
    return without_total(call, page(call, "overrides", found, _override))


def _span(body: Any, name: str) -> tuple[datetime, datetime]:
    if not isinstance(body, dict):
        raise invalid_v3(name, "must be an object")
    start = parse_moment(body.get("start_time"), "start_time")
    end = parse_moment(body.get("end_time"), "end_time")
    if end <= start:
        raise invalid_v3(f"{name}.end_time", "must be after start_time")
    return start, end


def _read_custom_shift(call: Call, body: Any) -> CustomShift:
    start, end = _span(body, "custom_shift")
    assignments = body.get("assignments")
    if not isinstance(assignments, list) or len(assignments) != 1 or not isinstance(assignments[0], dict):
        raise invalid_v3("custom_shift.assignments", "must be exactly one")
    member = member_from(call, assignments[0].get("member"), "custom_shift.assignments.member")
    return CustomShift(_new_id(call), start, end, member, _new_id(call))


def _read_override(call: Call, body: Any) -> ShiftOverride:
    schedule = find_shift_based(call)
    start, end = _span(body, "override")
    rotation_id, shift_id = body.get("rotation_id"), body.get("custom_shift_id")
    if (rotation_id is None) == (shift_id is None):
        raise invalid_v3("override", "needs either rotation_id or custom_shift_id")
    if rotation_id not in {None, *schedule.rotations} or shift_id not in {None, *schedule.custom_shifts}:
        raise invalid_v3("override", "its rotation or custom shift does not exist")
    overridden = member_from(call, body.get("overridden_member"), "override.overridden_member")
    overriding = member_from(call, body.get("overriding_member"), "override.overriding_member")
    return ShiftOverride(_new_id(call), start, end, overridden, overriding, rotation_id, shift_id)


def _bodies(call: Call, root: str) -> list[Any]:
    bodies = call.body.get(root)
    if not isinstance(bodies, list) or not bodies:
        raise invalid_v3(root, "cannot be empty")
    return bodies


def _create_custom_shifts(call: Call) -> Answer:
    schedule = find_shift_based(call)
    made = [_read_custom_shift(call, body) for body in _bodies(call, "custom_shifts")]
    schedule.custom_shifts |= {shift.id: shift for shift in made}
    note_change(call, schedule.id, "update", [("custom_shift", shift.id, None) for shift in made])
    return Answer(201, {"custom_shifts": [_custom_shift(shift) for shift in made]})


def _create_overrides(call: Call) -> Answer:
    schedule = find_shift_based(call)
    made = [_read_override(call, body) for body in _bodies(call, "overrides")]
    schedule.overrides |= {override.id: override for override in made}
    note_change(call, schedule.id, "update", [("override", override.id, None) for override in made])
    return Answer(201, {"overrides": [_override(override) for override in made]})


def _delete_from(owned: Callable[[Call], dict[str, Any]], what: str) -> Callable[[Call], Answer]:
    def delete(call: Call) -> Answer:
        lookup(owned(call), call.parameters[1])
        del owned(call)[call.parameters[1]]
        note_change(call, call.parameters[0], "update", [(what, None, call.parameters[1])])
        return Answer(204)

    return delete


_delete_custom_shift = _delete_from(lambda call: find_shift_based(call).custom_shifts, "custom_shift")
_delete_override = _delete_from(lambda call: find_shift_based(call).overrides, "override")

_ONE: Final = "/v3/schedules/{}"
_EVENTS: Final = f"{_ONE}/rotations/{{}}/events"
_READ: Final = "schedules.read"
_WRITE: Final = "schedules.write"

OPERATIONS: Final = (
    a_read("listEvents", _EVENTS, _list_events, _READ),
    a_write("createEvent", "POST", _EVENTS, _create_event, _WRITE),
    a_read("getEvent", f"{_EVENTS}/{{}}", _get_event, _READ),
    a_write("updateEvent", "PUT", f"{_EVENTS}/{{}}", _update_event, _WRITE),
    a_write("deleteEvent", "DELETE", f"{_EVENTS}/{{}}", _delete_event, _WRITE),
    a_read("listOverrides", f"{_ONE}/overrides", _list_overrides, _READ),
    a_write("createOverrides", "POST", f"{_ONE}/overrides", _create_overrides, _WRITE),
    a_write("deleteOverride", "DELETE", f"{_ONE}/overrides/{{}}", _delete_override, _WRITE),
    a_read("listCustomShifts", f"{_ONE}/custom_shifts", _list_custom_shifts, _READ),
    a_write("createCustomShifts", "POST", f"{_ONE}/custom_shifts", _create_custom_shifts, _WRITE),
    a_write("deleteCustomShift", "DELETE", f"{_ONE}/custom_shifts/{{}}", _delete_custom_shift, _WRITE),
)
