"""/schedules: schedules of layers, rendered for a span of time. A v3 schedule gets 400."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pagerduty_simulator.belongings import Schedule
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Restriction
from pagerduty_simulator.references import JsonObject, policy_reference, team_reference, user_reference
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid
from pagerduty_simulator.rest.audit_records import note_change
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page, parse_moment, reference_id
from pagerduty_simulator.rest.objects import as_object, schedule_reference, user_object
from pagerduty_simulator.shifts import Shift, coverage_percentage, cut
from pagerduty_simulator.zones import zone_info

# PagerDuty's distance of since and until if only one of them is given.
_OTHER_BOUND: Final = timedelta(weeks=2)


def find_layered(call: Call) -> LayerSchedule:
    """Return the schedule that the path names. Raises RestError (404, or 400 for a v3 one)."""
    schedule: Schedule = lookup(call.account.belongings.schedules, call.parameters[0])
    if not isinstance(schedule, LayerSchedule):
        raise RestError(ERRORS["shift_based"])
    return schedule


def asked_span(call: Call) -> tuple[datetime, datetime] | None:
    """Return since and until; a missing one is two weeks away. None if both are missing."""
    since, until = call.moment("since"), call.moment("until")
    if since is None and until is None:
        return None
    since = since or (until - _OTHER_BOUND if until else call.now)
    until = until or since + _OTHER_BOUND
    if until <= since:
        raise invalid("until must be after since")
    return since, until


def zone_of(call: Call, schedule: Schedule) -> ZoneInfo:
    """Return the zone for times in the response. Raises RestError (400) for an unknown zone."""
    name = call.parameter("time_zone") or schedule.time_zone
    try:
        return zone_info(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise invalid("Time zone is unknown") from None


def local_time(at: datetime, zone: ZoneInfo) -> str:
    """Return a time with its offset in the zone; UTC as Z."""
    return at.astimezone(zone).isoformat(timespec="seconds").replace("+00:00", "Z")


def _list(call: Call) -> Answer:
    query, team_ids = (call.parameter("query") or "").lower(), call.set_of("team_ids")
    if team_ids:
        call.ability("teams")
    found = [
        schedule
        for schedule in call.account.belongings.schedules.values()
        if isinstance(schedule, LayerSchedule)
        and query in schedule.name.lower()
        and (not team_ids or not team_ids.isdisjoint(team.id for team in schedule.teams))
    ]
    asked = call.set_of("include")
    span = asked_span(call) if asked else None
    return page(call, "schedules", found, lambda schedule: _object(call, schedule, span, asked))


def _get(call: Call) -> Answer:
    everything = frozenset({"schedule_layers", "overrides_subschedule", "final_schedule"})
    schedule = _object(call, find_layered(call), asked_span(call), everything)
    return Answer(200, {"schedule": schedule})


def schedule_head(call: Call, schedule: Schedule) -> JsonObject:
    """Return the fields that both kinds of schedules have."""
    links, account = call.links, call.account
    policies = [
        policy
        for policy in account.escalation_policies.values()
        if any(target.id == schedule.id for level in policy.levels for target in level)
    ]
    head = as_object(schedule_reference(links, schedule.id, schedule.name, schedule.kind))
    return head | {
        "name": schedule.name,
        "description": schedule.description,
        "time_zone": schedule.time_zone,
        "escalation_policies": [policy_reference(links, policy) for policy in policies],
        "users": [user_reference(links, account.users[user_id]) for user_id in schedule.user_ids()],
        "teams": [team_reference(links, team) for team in schedule.teams],
    }


def _object(
    call: Call, schedule: LayerSchedule, span: tuple[datetime, datetime] | None, asked: frozenset[str]
) -> JsonObject:
    body, zone = schedule_head(call, schedule), zone_of(call, schedule)
    if "schedule_layers" in asked:
        layers = [_layer(call, schedule, layer, span, zone) for layer in schedule.layers]
        body["schedule_layers"] = layers[::-1] if call.site.reverses_layers else layers
    for name, title, shifts in (
        ("overrides_subschedule", "Overrides", schedule.override_shifts),
        ("final_schedule", "Final Schedule", schedule.final_shifts),
    ):
        if name in asked:
            found = shifts(*span) if span else []
            body[name] = {"name": title, **_rendered(call, found, span, zone)}
    return body


def _layer(
    call: Call,
    schedule: LayerSchedule,
    layer: Layer,
    span: tuple[datetime, datetime] | None,
    zone: ZoneInfo,
) -> JsonObject:
    shifts = schedule.layer_shifts(layer, *span) if span else []
    users = [user_reference(call.links, call.account.users[user_id]) for user_id in layer.user_ids]
    return {
        "id": layer.id,
        "name": layer.name,
        "start": local_time(layer.start, zone),
        "end": local_time(layer.end, zone) if layer.end else None,
        "rotation_virtual_start": local_time(layer.virtual_start, zone),
        "rotation_turn_length_seconds": int(layer.turn_length.total_seconds()),
        "users": [{"user": user} for user in users],
        "restrictions": [_restriction(restriction) for restriction in layer.restrictions],
        **_rendered(call, shifts, span, zone),
    }


def _restriction(restriction: Restriction) -> JsonObject:
    body: JsonObject = {
        "type": "daily_restriction" if restriction.start_day_of_week is None else "weekly_restriction",
        "start_time_of_day": restriction.start_time_of_day.isoformat(),
        "duration_seconds": int(restriction.duration.total_seconds()),
    }
    return (
        body
        if restriction.start_day_of_week is None
        else body | {"start_day_of_week": restriction.start_day_of_week}
    )


def _rendered(
    call: Call, shifts: list[Shift], span: tuple[datetime, datetime] | None, zone: ZoneInfo
) -> JsonObject:
    if span is None:
        return {"rendered_schedule_entries": [], "rendered_coverage_percentage": None}
    shown = shifts if call.parameter("overflow") == "true" else cut(shifts, *span)
    users = call.account.users
    return {
        "rendered_schedule_entries": [
            {
                "start": local_time(shift.start, zone),
                "end": local_time(shift.end, zone),
                "user": user_reference(call.links, users[str(shift.user_id)]),
            }
            for shift in shown
        ],
        "rendered_coverage_percentage": coverage_percentage(shifts, *span),
    }


def _update(call: Call) -> Answer:
    schedule, body = find_layered(call), call.wrapped("schedule")
    before = schedule.name, schedule.time_zone, schedule.description
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or "time_zone" not in body:
        raise invalid("Name and time zone cannot be empty")
    if not isinstance(body.get("schedule_layers"), list):
        raise invalid("Schedule layers cannot be empty")
    zone_of(call, replace(schedule, time_zone=str(body["time_zone"])))
    layers = [_layer_from(call, schedule, layer) for layer in body["schedule_layers"]]
    kept = {layer.id for layer in layers}
    # A layer that the request omits ends now; its past stays.
    ended = [
        replace(layer, end=min(layer.end or call.now, call.now))
        for layer in schedule.layers
        if layer.id not in kept
    ]
    schedule.layers = tuple([*(layer for layer in ended if layer.end and layer.end > layer.start), *layers])
    schedule.name, schedule.time_zone = name, str(body["time_zone"])
    schedule.description = str(body.get("description", schedule.description) or "")
    after = schedule.name, schedule.time_zone, schedule.description
    names = ("name", "time_zone", "description")
    changed = zip(names, after, before, strict=True)
    note_change(call, schedule.id, "update", [change for change in changed if change[1] != change[2]])
    return _get(call)


def _layer_from(call: Call, schedule: LayerSchedule, body: Any) -> Layer:
    if not isinstance(body, dict):
        raise invalid("A schedule layer must be an object")
    known = {layer.id: layer for layer in schedule.layers}
    users = [entry.get("user") for entry in body.get("users") or [] if isinstance(entry, dict)]
    user_ids = tuple(reference_id(user, "User") for user in users)
    if not user_ids or any(user_id not in call.account.users for user_id in user_ids):
        raise invalid("A schedule layer has at least one user that exists")
    turn = body.get("rotation_turn_length_seconds")
    if not isinstance(turn, int) or turn < 1:
        raise invalid("Rotation turn length must be positive")
    return Layer(
        id=body["id"] if body.get("id") in known else call.site.new_id(),
        name=str(body.get("name") or "Layer"),
        start=parse_moment(body.get("start"), "start"),
        user_ids=user_ids,
        turn_length=timedelta(seconds=turn),
        virtual_start=parse_moment(body.get("rotation_virtual_start"), "rotation_virtual_start"),
        end=parse_moment(body["end"], "end") if body.get("end") else None,
        restrictions=tuple(_restriction_from(restriction) for restriction in body.get("restrictions") or ()),
    )


def _restriction_from(body: JsonObject) -> Restriction:
    try:
        begins = time.fromisoformat(str(body["start_time_of_day"]))
        length = timedelta(seconds=int(body["duration_seconds"]))
        day = int(body["start_day_of_week"]) if body.get("type") == "weekly_restriction" else None
    except (KeyError, ValueError):
        raise invalid("A restriction is not valid") from None
    return Restriction(begins, length, day)


def _users(call: Call) -> Answer:
    schedule, now = find_layered(call), call.now
    span = asked_span(call) or (now, now + timedelta(seconds=1))
    ids = dict.fromkeys(str(shift.user_id) for shift in schedule.final_shifts(*span))
    return Answer(200, {"users": [user_object(call.site, call.account.users[user_id]) for user_id in ids]})


OPERATIONS: Final = (
    a_read("listSchedules", "/schedules", _list, "schedules.read"),
    a_read("getSchedule", "/schedules/{}", _get, "schedules.read"),
    a_write("updateSchedule", "PUT", "/schedules/{}", _update, "schedules.write"),
    a_read("listScheduleUsers", "/schedules/{}/users", _users, "users.read"),
)
