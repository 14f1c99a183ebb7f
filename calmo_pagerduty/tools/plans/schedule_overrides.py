"""The tool that puts a user on call for a time, in schedules of both kinds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.request_builders import SubPlan, list_result, post, reference
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.pagerduty.schedules import ScheduleKind
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import Id, Time
from calmo_pagerduty.tools.model import Arguments, CallContext, Shape, Tool
from calmo_pagerduty.tools.plans.override_pieces import plan_overrides
from calmo_pagerduty.tools.plans.schedule_kinds import (
    fetch_layer_overrides,
    fetch_schedule,
    fetch_shift_changes,
)
from calmo_pagerduty.tools.plans.schedules import (
    OVERRIDE_COLUMNS,
    shape_custom_shift,
    shape_layer_override,
    shape_shift_override,
)

_MAX_DURATION = timedelta(days=90)


class CreateScheduleOverride(Arguments):
    schedule_id: Id
    user_id: Id = Field(description="Who is to be on call.")
    start: Time
    end: Time
    replaced_user_id: Id | None = Field(
        None, description="Whom to replace if several are on call at once (shift-based schedules)."
    )

    @model_validator(mode="after")
    def _check_period(self) -> Self:
        if not timedelta(0) < self.end - self.start <= _MAX_DURATION:
            raise ValueError(f"end: it must be after start, by {_MAX_DURATION.days} days at most")
        if self.replaced_user_id == self.user_id:
            raise ValueError("replaced_user_id: it is user_id")
        return self


def create_schedule_override(arguments: CreateScheduleOverride, call: CallContext) -> Plan:
    kind, resource = yield from fetch_schedule(arguments.schedule_id, arguments.start, arguments.end)
    if kind is ScheduleKind.LAYERS:
        return (yield from _override_of_layers(arguments, call))
    return (yield from _changes_of_shifts(arguments, call, resource))


def _override_of_layers(arguments: CreateScheduleOverride, call: CallContext) -> Plan:
    if call.repeated:
        existing = yield from fetch_layer_overrides(arguments.schedule_id, arguments.start, arguments.end)
        if made := [
            resource for resource in existing if _is_same_override(shape_layer_override(resource), arguments)
        ]:
            return list_result([shape_layer_override(made[0])])
    override = {
        "start": format_iso_utc(arguments.start),
        "end": format_iso_utc(arguments.end),
        "user": reference(arguments.user_id, "user"),
        "time_zone": "UTC",
    }
    path = f"/schedules/{arguments.schedule_id}/overrides"
    answer = yield post(path, {"overrides": [override]})
    made = [_created(row) for row in _rows(answer)]
    notes = ["It replaces everybody on call in this time."] if arguments.replaced_user_id else []
    return list_result(map(shape_layer_override, made), None, notes)


def _rows(answer: Any) -> list[JsonObject]:
    """Return the rows of the answer: PagerDuty's list, which the client may wrap in an object."""
    if isinstance(answer, dict):
        return next((as_objects(value) for value in answer.values() if isinstance(value, list)), [])
    return as_objects(answer)


def _created(row: JsonObject) -> JsonObject:
    """Return a row's override. The row's own status counts: the answer's is 201 even for a refusal."""
    status = row.get("status", 201)
    if isinstance(status, int) and status >= 300:
        errors = row.get("errors")
        reason = "; ".join(map(str, errors)) if isinstance(errors, list) else str(errors or "it was refused")
        refusal = InvalidRequest("PagerDuty refused the override", status=status, advice=reason[:300])
        # The request held no other override.
        refusal.changed_nothing = True
        raise refusal
    return as_object(row.get("override")) or row


def _is_same_override(shape: JsonObject, arguments: CreateScheduleOverride) -> bool:
    return (
        shape.get("user_id") == arguments.user_id
        and parse_instant(shape.get("start")) == arguments.start
        and parse_instant(shape.get("end")) == arguments.end
    )


def _changes_of_shifts(arguments: CreateScheduleOverride, call: CallContext, schedule: JsonObject) -> Plan:
    start, end, user = arguments.start, arguments.end, arguments.user_id
    plan = plan_overrides(schedule, start, end, user, arguments.replaced_user_id)
    result: list[JsonObject] = []
    parts: tuple[tuple[str, tuple[JsonObject, ...], Callable[[JsonObject], JsonObject]], ...] = (
        ("overrides", plan.overrides, shape_shift_override),
        ("custom_shifts", plan.custom_shifts, shape_custom_shift),
    )
    for items, planned, shape in parts:
        existing: list[JsonObject] = []
        if call.repeated:
            existing = yield from _find_created(arguments, items, shape)
            result += existing
        missing = [
            piece
            for piece in planned
            if not any(_is_same_shift(shape(piece), override) for override in existing)
        ]
        if missing:
            answer = yield post(f"/v3/schedules/{arguments.schedule_id}/{items}", {items: missing})
            result += map(shape, as_objects(answer.get(items)))
    return list_result(result, None, [] if result else [f"{user} is on call in all of this time already."])


def _find_created(
    arguments: CreateScheduleOverride, items: str, shape: Callable[[JsonObject], JsonObject]
) -> SubPlan:
    listed: ListResult = yield from fetch_shift_changes(
        arguments.schedule_id, items, arguments.start, arguments.end
    )
    overrides = [shape(resource) for resource in listed.items]
    return [override for override in overrides if override.get("user_id") == arguments.user_id]


def _is_same_shift(planned: JsonObject, existing: JsonObject) -> bool:
    """Return True if user, times and replaced user are the same, whatever the source."""
    names = ("user_id", "replaces_user_id")
    same_times = all(
        parse_instant(planned.get(name)) == parse_instant(existing.get(name)) for name in ("start", "end")
    )
    return same_times and all(planned.get(name) == existing.get(name) for name in names)


TOOLS = (
    Tool(
        name="create_schedule_override",
        title="Create schedule override",
        description="Creates overrides that put a user on call instead of whoever is; in schedules "
        "made of shifts it also fills gaps with custom shifts.",
        category=Category.ON_CALL,
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=CreateScheduleOverride,
        plan=create_schedule_override,
        shape=Shape.LIST,
        columns=OVERRIDE_COLUMNS,
        operations=(
            "getSchedule",
            "getScheduleV3",
            "createScheduleOverride",
            "createOverrides",
            "createCustomShifts",
            "listScheduleOverrides",
            "listOverrides",
            "listCustomShifts",
        ),
        scopes=("schedules.write", "schedules.read"),
        idempotent=False,
        destructive=True,
    ),
)
