"""The tool that adds a rotation to a schedule, if the schedule is still what the draft is for.

A schedule of layers gets a layer by one request that repeats the others. A schedule of shifts gets an empty
rotation, then its event. Only then the rest ends, if the new one replaces it: so somebody is always on call,
and an attempt that was cut off goes on where it stopped.
Source: PagerDuty's REST API (updateSchedule; createRotation, createEvent, updateEvent, deleteEvent).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.editor_rules import rule_problems
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound, NotUnderstood
from calmo_pagerduty.pagerduty.request_builders import SubPlan, post, put, reference
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, Method, Plan
from calmo_pagerduty.pagerduty.schedule_versions import structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind, member_id
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import Id, Line, Time, TimeZone
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans.schedule_changes import kept_layer
from calmo_pagerduty.tools.plans.schedule_kinds import fetch_schedule
from calmo_pagerduty.tools.plans.schedules import shape_schedule
from calmo_pagerduty.tools.plans.shapes import pick_fields

MAX_ROTATIONS = 10
_RECOMPUTE = "nothing was changed: take a new snapshot and compute the draft again"


class LayerRestriction(Arguments):
    """When a layer is active, in local time of the schedule's zone."""

    type: Literal["daily_restriction", "weekly_restriction"]
    start_time_of_day: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$")]
    duration_seconds: int = Field(ge=60, le=604_800)
    start_day_of_week: int | None = Field(None, ge=1, le=7, description="1 is Monday; of weekly ones only.")

    @model_validator(mode="after")
    def _check_day(self) -> Self:
        if (self.start_day_of_week is None) is (self.type == "weekly_restriction"):
            raise ValueError("start_day_of_week: weekly restrictions have one, daily ones have none")
        return self


class AddScheduleRotation(Arguments):
    schedule_id: Id
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="The version of the schedule's layers or rotations that the draft was computed from."
    )
    name: Line = Field(max_length=255)
    user_ids: tuple[Id, ...] = Field(
        min_length=1, max_length=20, description="Users in the order of their turns."
    )
    starts_at: Time = Field(description="From when the rotation is in force.")
    first_shift_start: Time = Field(description="When the first user's first turn begins.")
    replaces: bool = Field(False, description="The schedule's other layers or rotations end at starts_at.")
    turn_seconds: int | None = Field(
        None, ge=3600, le=31_536_000, description="Of a schedule of layers: the length of a turn."
    )
    restrictions: tuple[LayerRestriction, ...] = Field((), max_length=14, description="Of a layer.")
    first_shift_end: Time | None = Field(None, description="Of a schedule of shifts, as the fields below.")
    time_zone: TimeZone | None = None
    recurrence: Annotated[str, StringConstraints(pattern=r"^RRULE:[A-Z0-9=;,:+-]{6,200}$")] | None = None
    shifts_per_member: int = Field(1, ge=1, le=1000)

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        of_shifts = (self.first_shift_end, self.time_zone, self.recurrence)
        if self.turn_seconds is not None and any(value is not None for value in of_shifts):
            raise ValueError("turn_seconds: it is of layers, recurrence of shifts: give one of the two")
        if self.turn_seconds is None and any(value is None for value in of_shifts):
            raise ValueError("recurrence: give turn_seconds, or recurrence, time_zone and first_shift_end")
        if self.turn_seconds is None and self.restrictions:
            raise ValueError("restrictions: they are of layers; in shifts, the recurrence says it")
        if self.first_shift_end is not None and self.first_shift_end <= self.first_shift_start:
            raise ValueError("first_shift_end: it must be after first_shift_start")
        if self.recurrence is not None and (
            problems := rule_problems(self.recurrence, self.shifts_per_member)
        ):
            raise ValueError(f"recurrence: {problems[0]}")
        return self

    @property
    def kind(self) -> ScheduleKind:
        return ScheduleKind.SHIFTS if self.turn_seconds is None else ScheduleKind.LAYERS


def add_schedule_rotation(arguments: AddScheduleRotation, call: CallContext) -> Plan:
    kind, resource = yield from fetch_schedule(arguments.schedule_id)
    if kind is not arguments.kind:
        raise InvalidRequest(
            f"The schedule consists of {kind}, and the draft is for {arguments.kind}", advice=_RECOMPUTE
        )
    if kind is ScheduleKind.LAYERS:
        yield from _add_layer(arguments, resource, call)
    else:
        yield from _add_event(arguments, resource, call)
    kind, resource = yield from fetch_schedule(arguments.schedule_id)
    return shape_schedule(kind, resource)


def _check(arguments: AddScheduleRotation, versions: Iterator[str], call: CallContext) -> None:
    """Raises InvalidRequest if the schedule is another one by now, or the draft's start is past."""
    problem = None
    if arguments.version not in versions:
        problem = "The schedule is no longer the one that the draft was computed for"
    elif arguments.starts_at <= call.now:
        problem = "The rotation would start in the past"
    if problem is not None:
        refusal = InvalidRequest(problem, advice=_RECOMPUTE)
        refusal.changed_nothing = True
        raise refusal


def _add_layer(arguments: AddScheduleRotation, resource: JsonObject, call: CallContext) -> SubPlan:
    if not isinstance(resource.get("schedule_layers"), list):
        raise NotUnderstood("PagerDuty's answer shows no layers", advice="nothing was changed")
    layers = as_objects(resource.get("schedule_layers"))
    if any(_is_the_layer(layer, arguments) for layer in layers):
        return
    _check(arguments, iter([structure_version(ScheduleKind.LAYERS, resource)]), call)
    rest = [kept_layer(layer) for layer in layers]
    if arguments.replaces:
        rest = [
            _ended_layer(layer, arguments.starts_at) for layer in rest if _begins_before(layer, arguments)
        ]
    answer = yield _put_layers(arguments, resource, [*rest, _layer(arguments)])
    shown = as_objects(as_object(answer.get("schedule")).get("schedule_layers"))
    if len(rest) > 1 and shown and _is_the_layer(shown[0], arguments):
        # PagerDuty shows layers in the opposite order of the one that it accepts, where the last one wins.
        made = kept_layer(shown[0])
        yield _put_layers(arguments, resource, [*rest[::-1], made])


def _put_layers(arguments: AddScheduleRotation, resource: JsonObject, layers: list[JsonObject]) -> ApiRequest:
    unchanged = pick_fields(resource, "name", "description", "time_zone")
    unchanged = {name: value for name, value in unchanged.items() if value is not None}
    schedule = {"type": "schedule", **unchanged, "schedule_layers": layers}
    return put(f"/schedules/{arguments.schedule_id}", {"schedule": schedule})


def _layer(arguments: AddScheduleRotation) -> JsonObject:
    return {
        "name": arguments.name,
        "start": format_iso_utc(arguments.starts_at),
        "rotation_virtual_start": format_iso_utc(arguments.first_shift_start),
        "rotation_turn_length_seconds": arguments.turn_seconds,
        "restrictions": [row.model_dump(exclude_none=True) for row in arguments.restrictions],
        "users": [{"user": reference(user_id, "user")} for user_id in arguments.user_ids],
    }


def _is_the_layer(layer: JsonObject, arguments: AddScheduleRotation) -> bool:
    users = tuple(as_object(row.get("user")).get("id") for row in as_objects(layer.get("users")))
    return (
        layer.get("name") == arguments.name
        and users == arguments.user_ids
        and layer.get("rotation_turn_length_seconds") == arguments.turn_seconds
        and parse_instant(layer.get("start")) == arguments.starts_at
    )


def _begins_before(layer: JsonObject, arguments: AddScheduleRotation) -> bool:
    start = parse_instant(layer.get("start"))
    return start is None or start < arguments.starts_at


def _ended_layer(layer: JsonObject, at: datetime) -> JsonObject:
    end = parse_instant(layer.get("end"))
    return layer if end is not None and end <= at else layer | {"end": format_iso_utc(at)}


def _add_event(arguments: AddScheduleRotation, resource: JsonObject, call: CallContext) -> SubPlan:
    rotations = as_objects(resource.get("rotations"))
    own = [rotation for rotation in rotations if any(_is_the_event(e, arguments) for e in _events(rotation))]
    if not own:
        empty = [rotation for rotation in rotations if call.repeated and not _events(rotation)]
        _check(arguments, _versions(resource, empty), call)
        if not empty and len(rotations) >= MAX_ROTATIONS:
            raise InvalidRequest(f"The schedule has {MAX_ROTATIONS} rotations", advice="remove one first")
        path = f"/v3/schedules/{arguments.schedule_id}/rotations"
        rotation_id = empty[-1].get("id") if empty else (yield from _create_rotation(path))
        yield post(f"{path}/{rotation_id}/events", {"event": _event(arguments)})
    if arguments.replaces:
        for rotation in rotations:
            if rotation not in own:
                yield from _end_events(arguments, rotation)


def _versions(resource: JsonObject, empty: list[JsonObject]) -> Iterator[str]:
    """Yield the schedule's version; and without an empty rotation that an earlier attempt left."""
    yield structure_version(ScheduleKind.SHIFTS, resource)
    for left in empty:
        rest = [rotation for rotation in as_objects(resource.get("rotations")) if rotation is not left]
        yield structure_version(ScheduleKind.SHIFTS, resource | {"rotations": rest})


def _create_rotation(path: str) -> SubPlan:
    answer = yield post(path, {})
    rotation_id = as_object(answer.get("rotation")).get("id")
    if not rotation_id:
        raise NotUnderstood("PagerDuty's answer names no rotation", advice="look at the schedule")
    return rotation_id


def _events(rotation: JsonObject) -> list[JsonObject]:
    return as_objects(rotation.get("events"))


def _event(arguments: AddScheduleRotation) -> JsonObject:
    zone = arguments.time_zone
    return {
        "name": arguments.name,
        "start_time": {"date_time": format_iso_utc(arguments.first_shift_start), "time_zone": zone},
        "end_time": {"date_time": _iso(arguments.first_shift_end), "time_zone": zone},
        "effective_since": format_iso_utc(arguments.starts_at),
        "recurrence": [arguments.recurrence],
        "assignment_strategy": {
            "type": "rotating_member_assignment_strategy",
            "shifts_per_member": arguments.shifts_per_member,
            "members": [{"type": "user_member", "user_id": user_id} for user_id in arguments.user_ids],
        },
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else format_iso_utc(at)


def _is_the_event(event: JsonObject, arguments: AddScheduleRotation) -> bool:
    strategy: Any = as_object(event.get("assignment_strategy"))
    members = tuple(member_id(member) for member in as_objects(strategy.get("members")))
    starts = parse_instant(as_object(event.get("start_time")).get("date_time"))
    return (
        event.get("name") == arguments.name
        and members == arguments.user_ids
        and event.get("recurrence") == [arguments.recurrence]
        and starts == arguments.first_shift_start
    )


def _end_events(arguments: AddScheduleRotation, rotation: JsonObject) -> SubPlan:
    """End what is still in force at the start. An event that would begin later is deleted."""
    for event in _events(rotation):
        since, until = (parse_instant(event.get(name)) for name in ("effective_since", "effective_until"))
        if until is not None and until <= arguments.starts_at:
            continue
        path = (
            f"/v3/schedules/{arguments.schedule_id}/rotations/{rotation.get('id')}/events/{event.get('id')}"
        )
        if since is None or since < arguments.starts_at:
            yield put(path, {"event": {"effective_until": format_iso_utc(arguments.starts_at)}})
            continue
        try:
            yield ApiRequest(method=Method.DELETE, path=path)
        except NotFound:
            pass  # An earlier attempt deleted it.


TOOLS = (
    Tool(
        name="add_schedule_rotation",
        title="Add schedule rotation",
        description="Adds people who take turns to a schedule: a layer, or a rotation of shifts, above or "
        "instead of what it has, as a what-if's draft says. Refused if the schedule has changed since.",
        category=Category.ON_CALL,
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=AddScheduleRotation,
        plan=add_schedule_rotation,
        shape=Shape.OBJECT,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Kind", "kind")),
        operations=(
            "getSchedule",
            "updateSchedule",
            "getScheduleV3",
            "createRotation",
            "createEvent",
            "updateEvent",
            "deleteEvent",
        ),
        scopes=("schedules.write", "schedules.read"),
        destructive=True,
    ),
)
