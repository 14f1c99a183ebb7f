"""One model for PagerDuty's two kinds of schedules: layer-based (v2) and shift-based (v3)."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.requests import JsonObject


class ScheduleKind(StrEnum):
    """LAYERS: one person at a time, /schedules. SHIFTS: several may overlap, /v3/schedules."""

    LAYERS = "layers"
    SHIFTS = "shifts"


class ScheduleEntry(FrozenModel):
    """The users on call from `start` to `end` (exclusive), in UTC, because of one source."""

    start: datetime
    end: datetime
    user_ids: tuple[str, ...]
    #: Why they are on call: `final_schedule` for layers; for shifts a source such as
    #: `schedule_rotation:ID`, `custom_shift:ID` or `schedule_rotation_override:ID`.
    source: str


class SchedulePart(FrozenModel):
    """A layer of a layer-based schedule, or a rotation's event of a shift-based schedule."""

    id: str
    name: str | None = None
    #: The rotation that an event belongs to.
    rotation_id: str | None = None
    user_ids: tuple[str, ...] = ()
    starts: str | None = None
    ends: str | None = None
    #: How it repeats: `turn_seconds` and `restrictions`, or `recurrence` and `strategy`.
    rule: JsonObject = Field(default_factory=dict)


class Schedule(FrozenModel):
    """A schedule of either kind. It has entries if it was read for a time window."""

    id: str
    name: str | None
    kind: ScheduleKind
    time_zone: str | None = None
    description: str | None = None
    team_ids: tuple[str, ...] = ()
    escalation_policy_ids: tuple[str, ...] = ()
    #: Names by id, as far as PagerDuty gives them: none for shift-based schedules.
    user_names: dict[str, str] = Field(default_factory=dict)
    parts: tuple[SchedulePart, ...] = ()
    entries: tuple[ScheduleEntry, ...] = ()


def parse_layer_schedule(thing: JsonObject) -> Schedule:
    """Parse the answer of GET /schedules/{id}. It has entries if the request had `since` and `until`."""
    users = [user for part in as_objects(thing.get("users")) if (user := part).get("id")]
    return Schedule(
        **_common(thing),
        kind=ScheduleKind.LAYERS,
        user_names={user["id"]: str(user["summary"]) for user in users if user.get("summary")},
        parts=tuple(_layer(layer) for layer in as_objects(thing.get("schedule_layers"))),
        entries=_merge_adjacent(
            _entry(row.get("start"), row.get("end"), _id(row.get("user")), "final_schedule")
            for row in as_objects(as_object(thing.get("final_schedule")).get("rendered_schedule_entries"))
        ),
    )


def parse_shift_schedule(thing: JsonObject) -> Schedule:
    """Parse the answer of GET /v3/schedules/{id}. An empty slot makes no entry."""
    rows = as_objects(as_object(thing.get("final_schedule")).get("computed_shift_assignments"))
    return Schedule(
        **_common(thing),
        kind=ScheduleKind.SHIFTS,
        parts=tuple(
            _event(event, rotation.get("id"))
            for rotation in as_objects(thing.get("rotations"))
            for event in as_objects(rotation.get("events"))
        ),
        entries=_merge_adjacent(
            _entry(
                row.get("start_time"),
                row.get("end_time"),
                member_id(row.get("member")),
                assignment_source(row),
            )
            for row in rows
        ),
    )


def find_gaps(
    entries: Iterable[ScheduleEntry], since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the periods (start, end) from `since` to `until` in which nobody is on call, earliest first."""
    gaps, covered_to = [], since
    for entry in sorted(entries, key=lambda entry: entry.start):
        if entry.start > covered_to:
            gaps.append((covered_to, min(entry.start, until)))
        covered_to = max(covered_to, entry.end)
        if covered_to >= until:
            return gaps
    return [*gaps, (covered_to, until)]


def member_id(member: Any) -> str | None:
    """Return the user id of a shift's member; None for an empty slot."""
    fields = as_object(member)
    user = fields.get("user_id")
    return user if fields.get("type") != "empty_member" and isinstance(user, str) else None


def assignment_source(assignment: JsonObject) -> str:
    source = as_object(assignment.get("source"))
    named = source.get("override_id") or source.get("rotation_id") or source.get("shift_id") or ""
    return f"{source.get('type') or 'unknown'}:{named}"


def _common(thing: JsonObject) -> JsonObject:
    return {
        "id": str(thing.get("id") or ""),
        "name": thing.get("name") or thing.get("summary"),
        "time_zone": thing.get("time_zone"),
        "description": thing.get("description"),
        "team_ids": _ids(thing.get("teams")),
        "escalation_policy_ids": _ids(thing.get("escalation_policies")),
    }


def _layer(layer: JsonObject) -> SchedulePart:
    users = [_id(row.get("user")) for row in as_objects(layer.get("users"))]
    rule = {
        "turn_seconds": layer.get("rotation_turn_length_seconds"),
        "restrictions": layer.get("restrictions"),
    }
    return SchedulePart(
        id=str(layer.get("id") or ""),
        name=layer.get("name"),
        user_ids=tuple(user for user in users if user),
        starts=layer.get("start"),
        ends=layer.get("end"),
        rule={name: value for name, value in rule.items() if value},
    )


def _event(event: JsonObject, rotation_id: Any) -> SchedulePart:
    strategy = as_object(event.get("assignment_strategy"))
    members = [member_id(member) for member in as_objects(strategy.get("members"))]
    rule = {
        "recurrence": event.get("recurrence"),
        "first_shift": {"start": event.get("start_time"), "end": event.get("end_time")},
        "strategy": str(strategy.get("type") or "").removesuffix("_member_assignment_strategy"),
        "shifts_per_member": strategy.get("shifts_per_member"),
    }
    return SchedulePart(
        id=str(event.get("id") or ""),
        name=event.get("name"),
        rotation_id=rotation_id,
        user_ids=tuple(member for member in members if member),
        starts=event.get("effective_since"),
        ends=event.get("effective_until"),
        rule={name: value for name, value in rule.items() if value},
    )


def _entry(start: Any, end: Any, user: str | None, source: str) -> ScheduleEntry | None:
    try:
        first, last = (datetime.fromisoformat(text) for text in (start, end))
    except (TypeError, ValueError):
        return None
    if user is None or first.tzinfo is None or last.tzinfo is None or first >= last:
        return None
    return ScheduleEntry(
        start=first.astimezone(UTC), end=last.astimezone(UTC), user_ids=(user,), source=source
    )


def _merge_adjacent(entries: Iterable[ScheduleEntry | None]) -> tuple[ScheduleEntry, ...]:
    """Merge entries with the same times and source, earliest first."""
    users_of: dict[tuple[datetime, datetime, str], tuple[str, ...]] = {}
    for entry in entries:
        if entry is not None:
            key = (entry.start, entry.end, entry.source)
            users_of[key] = tuple(dict.fromkeys((*users_of.get(key, ()), *entry.user_ids)))
    return tuple(
        ScheduleEntry(start=start, end=end, user_ids=users, source=source)
        for (start, end, source), users in sorted(users_of.items())
    )


def _id(value: Any) -> str | None:
    identity = as_object(value).get("id")
    return identity if isinstance(identity, str) else None


def _ids(values: Any) -> tuple[str, ...]:
    return tuple(identity for value in as_objects(values) if (identity := _id(value)))
