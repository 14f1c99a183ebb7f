"""Changing who takes turns in a shift-based schedule: a running event's members are frozen.

So a successor with the new members is posted, and then the running event is deleted, which keeps its
past shifts. This order leaves no moment with nobody on call, and loses nothing if the second part fails.
"""

from datetime import datetime

from calmo_pagerduty.kernel.instants import instant_of, iso_utc
from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound
from calmo_pagerduty.pagerduty.request_builders import Asking, given, post, put
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, Method
from calmo_pagerduty.pagerduty.schedules import member_id
from calmo_pagerduty.tools.model import Call
from calmo_pagerduty.tools.plans.markers import CLOCKS
from calmo_pagerduty.tools.plans.shapes import picked

_REPEATED_IN_THE_SUCCESSOR = ("name", "start_time", "end_time", "effective_until", "recurrence")


def change_members(
    schedule_id: str, schedule: JsonObject, event_id: str | None, user_ids: tuple[str, ...], call: Call
) -> Asking:
    """Make the users take turns in the event, which needs no name if it is the only one.

    Raises InvalidRequest.
    """
    events = _live_events(schedule, call.now)
    successors = [event for event in events if call.repeated and _is_successor(event, user_ids, call)]
    candidates = [event for event in events if event not in successors]
    if successors and not _named(candidates, event_id):
        return
    event = _chosen(candidates, event_id)
    path = f"/v3/schedules/{schedule_id}/rotations/{event['rotation_id']}/events"
    if _members(event) == user_ids:
        return
    starts = instant_of(event.get("effective_since"))
    if starts is not None and starts > call.now:
        yield put(f"{path}/{event['id']}", {"event": {"assignment_strategy": _strategy(event, user_ids)}})
        return
    if not successors:
        yield post(path, {"event": _successor(event, user_ids, call.now)})
    try:
        yield ApiRequest(method=Method.DELETE, path=f"{path}/{event['id']}")
    except NotFound:
        pass  # An earlier attempt deleted it.


def _live_events(schedule: JsonObject, now: datetime) -> list[JsonObject]:
    found = []
    for rotation in objects_of(schedule.get("rotations")):
        for event in objects_of(rotation.get("events")):
            ends = instant_of(event.get("effective_until"))
            if event.get("id") and (ends is None or ends > now):
                found.append(event | {"rotation_id": rotation.get("id")})
    return found


def _named(events: list[JsonObject], part_id: str | None) -> list[JsonObject]:
    """Return the events that the id names: one of them, or those of a rotation; without an id all."""
    return [event for event in events if part_id in (None, event["id"], event["rotation_id"])]


def _chosen(events: list[JsonObject], event_id: str | None) -> JsonObject:
    found = _named(events, event_id)
    if len(found) != 1:
        ids = ", ".join(str(event["id"]) for event in events)
        raise InvalidRequest(
            "It must be told whose users to change", advice=f"give part_id; there is: {ids or 'none'}"
        )
    return found[0]


def _members(event: JsonObject) -> tuple[str | None, ...]:
    members = objects_of(object_of(event.get("assignment_strategy")).get("members"))
    return tuple(member_id(member) for member in members)


def _strategy(event: JsonObject, user_ids: tuple[str, ...]) -> JsonObject:
    now = object_of(event.get("assignment_strategy"))
    members = [{"type": "user_member", "user_id": user} for user in user_ids]
    return given(picked(now, "type", "shifts_per_member")) | {"members": members}


def _successor(event: JsonObject, user_ids: tuple[str, ...], now: datetime) -> JsonObject:
    kept = given(picked(event, *_REPEATED_IN_THE_SUCCESSOR))
    return kept | {"effective_since": iso_utc(now), "assignment_strategy": _strategy(event, user_ids)}


def _is_successor(event: JsonObject, user_ids: tuple[str, ...], call: Call) -> bool:
    """Whether an earlier attempt may have made it. PagerDuty moves a past beginning to the present."""
    starts = instant_of(event.get("effective_since"))
    recent = starts is not None and starts >= call.first_attempt_at - CLOCKS
    return recent and _members(event) == user_ids
