"""Change the members of a rotation in a shift-based schedule.

PagerDuty doesn't change a running event's members. So the plan creates a successor with the new members,
then deletes the running event, which keeps its past shifts. In this order somebody is always on call, and
nothing is lost if the second request fails.
"""

from datetime import datetime

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound
from calmo_pagerduty.pagerduty.request_builders import SubPlan, post, put, without_none
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, Method
from calmo_pagerduty.pagerduty.schedules import member_id
from calmo_pagerduty.tools.markers import CLOCK_TOLERANCE
from calmo_pagerduty.tools.model import CallContext
from calmo_pagerduty.tools.plans.shapes import pick_fields

_COPIED_FIELDS = ("name", "start_time", "end_time", "effective_until", "recurrence")


def change_members(
    schedule_id: str, schedule: JsonObject, event_id: str | None, user_ids: tuple[str, ...], call: CallContext
) -> SubPlan:
    """Make the users the members of the event, which needs no id if the schedule has only one.

    Raises InvalidRequest.
    """
    events = _live_events(schedule, call.now)
    successors = [event for event in events if call.repeated and _is_successor(event, user_ids, call)]
    candidates = [event for event in events if event not in successors]
    if successors and not _events_by_id(candidates, event_id):
        return
    event = _choose_event(candidates, event_id)
    path = f"/v3/schedules/{schedule_id}/rotations/{event['rotation_id']}/events"
    if _members(event) == user_ids:
        return
    starts = parse_instant(event.get("effective_since"))
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
    live = []
    for rotation in as_objects(schedule.get("rotations")):
        for event in as_objects(rotation.get("events")):
            ends = parse_instant(event.get("effective_until"))
            if event.get("id") and (ends is None or ends > now):
                live.append(event | {"rotation_id": rotation.get("id")})
    return live


def _events_by_id(events: list[JsonObject], part_id: str | None) -> list[JsonObject]:
    """Return the event with this id, or the events of the rotation with this id; without an id all."""
    return [event for event in events if part_id in (None, event["id"], event["rotation_id"])]


def _choose_event(events: list[JsonObject], event_id: str | None) -> JsonObject:
    matching = _events_by_id(events, event_id)
    if len(matching) != 1:
        ids = ", ".join(str(event["id"]) for event in events)
        raise InvalidRequest(
            "It is unclear whose users to change", advice=f"give part_id; there is: {ids or 'none'}"
        )
    return matching[0]


def _members(event: JsonObject) -> tuple[str | None, ...]:
    members = as_objects(as_object(event.get("assignment_strategy")).get("members"))
    return tuple(member_id(member) for member in members)


def _strategy(event: JsonObject, user_ids: tuple[str, ...]) -> JsonObject:
    now = as_object(event.get("assignment_strategy"))
    members = [{"type": "user_member", "user_id": user} for user in user_ids]
    return without_none(pick_fields(now, "type", "shifts_per_member")) | {"members": members}


def _successor(event: JsonObject, user_ids: tuple[str, ...], now: datetime) -> JsonObject:
    copied = without_none(pick_fields(event, *_COPIED_FIELDS))
    return copied | {
        "effective_since": format_iso_utc(now),
        "assignment_strategy": _strategy(event, user_ids),
    }


def _is_successor(event: JsonObject, user_ids: tuple[str, ...], call: CallContext) -> bool:
    """Return True if an earlier attempt may have created it. PagerDuty moves a past start to the present."""
    starts = parse_instant(event.get("effective_since"))
    recent = starts is not None and starts >= call.first_attempt_at - CLOCK_TOLERANCE
    return recent and _members(event) == user_ids
