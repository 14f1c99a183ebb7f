"""The version of a schedule: a hash of what PagerDuty says of it, by which a draft knows its schedule.

The snapshot's parser and the tool that applies drafts hash the same fields of PagerDuty's own objects. So a
draft that was made from a snapshot can be compared with the schedule as it is now. Pure.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import JsonObject, as_object, as_objects
from calmo_pagerduty.pagerduty.schedules import ScheduleKind, member_id


def structure_version(kind: ScheduleKind, resource: JsonObject) -> str:
    """Return a hash of the time zone and the layers (v2) or the rotations (v3) of PagerDuty's schedule.

    Names, rendered entries, and the zone in which PagerDuty writes times make no difference.
    """
    if kind is ScheduleKind.LAYERS:
        parts = [_layer(layer) for layer in as_objects(resource.get("schedule_layers"))]
    else:
        parts = [
            [rotation.get("id"), *(_event(event) for event in as_objects(rotation.get("events")))]
            for rotation in as_objects(resource.get("rotations"))
        ]
    return _digest([resource.get("time_zone"), *parts])


def draft_version(structure: str, entries: Iterable[tuple[int, int, str]]) -> str:
    """Return the version that a draft is bound to: the structure, and who is on call while it applies.

    `entries` are (start, end, user id) in epoch seconds, cut to the time of the draft. Their order, and where
    PagerDuty splits the time of one person, make no difference; an override that was added does.
    """
    joined: list[list[Any]] = []
    for start, end, user_id in sorted(entries, key=lambda entry: (entry[2], entry[0], entry[1])):
        if joined and joined[-1][2] == user_id and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end, user_id])
    return _digest([structure, joined])


def _layer(layer: JsonObject) -> list[Any]:
    users = [as_object(row.get("user")).get("id") for row in as_objects(layer.get("users"))]
    restrictions = sorted(
        [
            str(restriction.get("type")),
            str(restriction.get("start_time_of_day")),
            restriction.get("duration_seconds"),
            restriction.get("start_day_of_week") or 0,
        ]
        for restriction in as_objects(layer.get("restrictions"))
    )
    times = [_seconds(layer.get(name)) for name in ("start", "end", "rotation_virtual_start")]
    return [layer.get("id"), *times, layer.get("rotation_turn_length_seconds"), users, restrictions]


def _event(event: JsonObject) -> list[Any]:
    strategy = as_object(event.get("assignment_strategy"))
    shift = [as_object(event.get(name)) for name in ("start_time", "end_time")]
    return [
        event.get("id"),
        *(_seconds(bound.get("date_time")) for bound in shift),
        *(bound.get("time_zone") for bound in shift),
        *(_seconds(event.get(name)) for name in ("effective_since", "effective_until")),
        event.get("recurrence"),
        strategy.get("type"),
        strategy.get("shifts_per_member"),
        [member_id(member) for member in as_objects(strategy.get("members"))],
    ]


def _seconds(value: Any) -> int | None:
    moment = parse_instant(value)
    return None if moment is None else int(moment.timestamp())


def _digest(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
