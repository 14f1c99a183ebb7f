"""/schedules/{id}/overrides: the response is an array of single results, 201 even if some are 400."""

from dataclasses import replace
from typing import Any, Final

from pagerduty_simulator.layer_schedules import Override
from pagerduty_simulator.references import JsonObject, user_reference
from pagerduty_simulator.rest.answers import Answer, RestError, invalid, not_found
from pagerduty_simulator.rest.audit_records import note_change
from pagerduty_simulator.rest.calls import Call, a_read, a_write, parse_moment
from pagerduty_simulator.rest.schedules_v2 import find_layered, local_time, zone_of


def _object(call: Call, override: Override) -> JsonObject:
    zone = zone_of(call, find_layered(call))
    return {
        "id": override.id,
        "start": local_time(override.start, zone),
        "end": local_time(override.end, zone),
        "user": user_reference(call.links, call.account.users[override.user_id]),
    }


def _list(call: Call) -> Answer:
    schedule, since, until = find_layered(call), call.moment("since"), call.moment("until")
    if since is None or until is None:
        raise invalid("since and until cannot be empty")
    whole = call.parameter("overflow") == "true"
    overrides = [
        override
        if whole
        else replace(override, start=max(override.start, since), end=min(override.end, until))
        for override in schedule.overrides.values()
        if override.start < until and override.end > since
    ]
    # The documentation says 201; clients have always got 200.
    return Answer(200, {"overrides": [_object(call, override) for override in overrides]})


def _create(call: Call) -> Answer:
    schedule, bodies = find_layered(call), call.body.get("overrides")
    if not isinstance(bodies, list) or not bodies:
        raise invalid("Overrides cannot be empty")
    results: list[JsonObject] = []
    for body in bodies:
        try:
            override = _from_body(call, body)
        except RestError as error:
            errors = error.answer.body["error"]["errors"]
            results.append({"status": 400, "errors": errors, "override": body})
            continue
        schedule.overrides[override.id] = override
        change = ("override", f"{override.start.isoformat()}/{override.end.isoformat()}", None)
        note_change(call, schedule.id, "update", [change])
        results.append({"status": 201, "override": _object(call, override)})
    return Answer(201, results)


def _from_body(call: Call, body: Any) -> Override:
    if not isinstance(body, dict):
        raise invalid("Override must be an object")
    start, end = parse_moment(body.get("start"), "start"), parse_moment(body.get("end"), "end")
    user = body.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    if user_id not in call.account.users:
        raise invalid("User not found")
    if end <= start:
        raise invalid("Override must end after its start")
    if end <= call.now:
        raise invalid("Override must not end in the past")
    return Override(call.site.new_id(), start, end, str(user_id))


def _delete(call: Call) -> Answer:
    schedule, override_id = find_layered(call), call.parameters[1]
    override = schedule.overrides.get(override_id)
    if override is None:
        raise not_found()
    if override.end <= call.now:
        raise invalid("An override of the past cannot be removed")
    note_change(call, schedule.id, "update", [("override", None, override_id)])
    if override.start <= call.now:
        # A running override keeps its past part.
        schedule.overrides[override_id] = replace(override, end=call.now)
        return Answer(200)
    del schedule.overrides[override_id]
    return Answer(204)


_PATH: Final = "/schedules/{}/overrides"

OPERATIONS: Final = (
    a_read("listScheduleOverrides", _PATH, _list, "schedules.read"),
    a_write("createScheduleOverride", "POST", _PATH, _create, "schedules.write"),
    a_write("deleteScheduleOverride", "DELETE", f"{_PATH}/{{}}", _delete, "schedules.write"),
)
