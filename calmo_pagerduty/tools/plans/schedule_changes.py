"""The tool that changes a schedule: its name, description, time zone and members."""

from typing import Any, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import ChangedMeanwhile, InvalidRequest, NotUnderstood
from calmo_pagerduty.pagerduty.request_builders import get, put, reference, without_none
from calmo_pagerduty.pagerduty.requests import JsonObject, Plan
from calmo_pagerduty.pagerduty.schedules import ScheduleKind
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import Id, Line, Text, TimeZone
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans.rotation_changes import change_members
from calmo_pagerduty.tools.plans.schedule_kinds import fetch_schedule
from calmo_pagerduty.tools.plans.schedules import shape_schedule
from calmo_pagerduty.tools.plans.shapes import pick_fields

#: The fields of a layer that the request repeats unchanged.
_LAYER_FIELDS = (
    "id",
    "name",
    "start",
    "end",
    "rotation_virtual_start",
    "rotation_turn_length_seconds",
    "restrictions",
)


class UpdateSchedule(Arguments):
    schedule_id: Id
    name: Line | None = Field(None, max_length=255)
    description: Text | None = Field(None, max_length=1024)
    time_zone: TimeZone | None = None
    user_ids: tuple[Id, ...] = Field(
        (), max_length=20, description="Users in the order of their turns; replaces the part's users."
    )
    part_id: Id | None = Field(
        None, description="A layer, or a rotation's event (see get_schedule). Optional if there is one."
    )

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        if not any((self.name, self.description, self.time_zone, self.user_ids)):
            raise ValueError("name: give at least one field to change")
        if self.part_id and not self.user_ids:
            raise ValueError("part_id: it goes with user_ids")
        return self


def update_schedule(arguments: UpdateSchedule, call: CallContext) -> Plan:
    kind, resource = yield from fetch_schedule(arguments.schedule_id)
    if kind is ScheduleKind.LAYERS:
        return (yield from _update_layers(arguments, resource))
    changes = without_none(pick_fields(arguments.model_dump(), "name", "description", "time_zone"))
    if changes:
        # Observed: PagerDuty refuses one of the two without the other.
        both = pick_fields(resource, "name", "time_zone")
        answer = yield put(
            f"/v3/schedules/{arguments.schedule_id}", {"schedule": without_none(both) | changes}
        )
        resource = resource | as_object(answer.get("schedule"))
    if arguments.user_ids:
        yield from change_members(
            arguments.schedule_id, resource, arguments.part_id, arguments.user_ids, call
        )
        answer = yield get(f"/v3/schedules/{arguments.schedule_id}")
        resource = as_object(answer.get("schedule"))
    return shape_schedule(kind, resource)


def _update_layers(arguments: UpdateSchedule, resource: JsonObject) -> Plan:
    path = f"/schedules/{arguments.schedule_id}"
    try:
        answer = yield put(path, {"schedule": _edited_schedule(arguments, resource)})
    except ChangedMeanwhile:
        answer = yield get(path)
        resource = as_object(answer.get("schedule"))
        answer = yield put(path, {"schedule": _edited_schedule(arguments, resource)})
    return (yield from _in_the_same_order(path, arguments, resource, as_object(answer.get("schedule"))))


def _in_the_same_order(path: str, arguments: UpdateSchedule, before: JsonObject, after: JsonObject) -> Plan:
    """Restore the layers' order if the answer reversed it: a later layer has precedence over an earlier.

    Observed: PagerDuty may return layers in the opposite order of the one that it accepts.
    """
    if (order := _layer_ids(before)) == _layer_ids(after)[::-1] and len(order) > 1:
        edited = _edited_schedule(arguments, before)
        edited["schedule_layers"] = edited["schedule_layers"][::-1]
        answer = yield put(path, {"schedule": edited})
        after = as_object(answer.get("schedule"))
    return shape_schedule(ScheduleKind.LAYERS, after)


def _layer_ids(resource: JsonObject) -> list[Any]:
    return [layer.get("id") for layer in as_objects(resource.get("schedule_layers"))]


def _edited_schedule(arguments: UpdateSchedule, resource: JsonObject) -> JsonObject:
    """Return the whole changed schedule. PagerDuty would end a layer that the request leaves out."""
    layers = [kept_layer(layer) for layer in as_objects(resource.get("schedule_layers"))]
    if not isinstance(resource.get("schedule_layers"), list):
        raise NotUnderstood("PagerDuty's answer shows no layers", advice="nothing was changed")
    if arguments.user_ids:
        chosen = _choose_layer(layers, arguments.part_id)
        chosen["users"] = [{"user": reference(user, "user")} for user in arguments.user_ids]
    unchanged = without_none(pick_fields(resource, "name", "description", "time_zone"))
    changed = without_none(pick_fields(arguments.model_dump(), "name", "description", "time_zone"))
    return {"type": "schedule"} | unchanged | changed | {"schedule_layers": layers}


def kept_layer(layer: JsonObject) -> JsonObject:
    """Return a layer as the request repeats it unchanged."""
    users = [as_object(row.get("user")).get("id") for row in as_objects(layer.get("users"))]
    unchanged = {name: value for name, value in pick_fields(layer, *_LAYER_FIELDS).items() if name in layer}
    return unchanged | {"users": [{"user": reference(user, "user")} for user in users if user]}


def _choose_layer(layers: list[JsonObject], part_id: str | None) -> JsonObject:
    matching = [layer for layer in layers if part_id in (None, layer.get("id"))]
    if len(matching) != 1:
        ids = ", ".join(str(layer.get("id")) for layer in layers)
        raise InvalidRequest(
            "It is unclear whose users to change", advice=f"give part_id; there is: {ids or 'none'}"
        )
    return matching[0]


TOOLS = (
    Tool(
        name="update_schedule",
        title="Update schedule",
        description="Changes a schedule's name, description or time zone, or the users of one of "
        "its layers or rotations; who is on call may change at once.",
        category=Category.ON_CALL,
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=UpdateSchedule,
        plan=update_schedule,
        shape=Shape.OBJECT,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Kind", "kind")),
        operations=(
            "getSchedule",
            "updateSchedule",
            "getScheduleV3",
            "updateScheduleV3",
            "createEvent",
            "updateEvent",
            "deleteEvent",
        ),
        scopes=("schedules.write", "schedules.read"),
        destructive=True,
    ),
)
