"""Tools that read on-call schedules of both kinds, their overrides, and who is on call."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import Field

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound
from calmo_pagerduty.pagerduty.request_builders import (
    format_shown_time,
    get,
    list_request,
    list_result,
    page_result,
)
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.pagerduty.schedules import (
    Schedule,
    ScheduleKind,
    find_gaps,
    member_id,
    parse_layer_schedule,
    parse_shift_schedule,
)
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Query
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import people, shapes
from calmo_pagerduty.tools.plans.schedule_kinds import (
    ScheduleLister,
    fetch_layer_overrides,
    fetch_schedule,
    fetch_shift_changes,
)
from calmo_pagerduty.tools.plans.windows import Window

OVERRIDE_COLUMNS = (
    Column("Id", "id"),
    Column("Kind", "kind"),
    Column("Start", "start"),
    Column("End", "end"),
    Column("User", "user_id"),
    Column("Instead of", "replaces_user_id"),
)


class ListSchedules(Arguments):
    query: Query | None = Field(None, description="A part of the name.")
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_schedules(arguments: ListSchedules, _call: CallContext) -> Plan:
    query: dict[str, Any] = {"query": arguments.query, "team_ids[]": arguments.team_ids}
    both = ScheduleLister(arguments.limit, arguments.after)
    yield from both.list_both(
        list_request(get("/schedules", **query), "schedules", arguments.limit),
        list_request(get("/v3/schedules", **query), "schedules", arguments.limit),
    )
    return list_result(
        (shape_schedule(kind, resource) for kind, resource in both.items), both.next, both.notes
    )


def shape_schedule(kind: ScheduleKind, resource: JsonObject) -> JsonObject:
    """Return the result's form of a schedule of either kind. Times are UTC."""
    schedule = (
        parse_layer_schedule(resource) if kind is ScheduleKind.LAYERS else parse_shift_schedule(resource)
    )
    parts = [shapes.without_empty(part.model_dump()) for part in schedule.parts]
    return shapes.without_empty(
        schedule.model_dump(mode="json", exclude={"entries", "parts"})
        | {"parts": parts, "entries": shape_entries(schedule), "url": shapes.url_of(resource)}
    )


def shape_entries(schedule: Schedule) -> list[JsonObject]:
    return [
        entry.model_dump(mode="json", include={"user_ids", "source"})
        | {"start": format_iso_utc(entry.start), "end": format_iso_utc(entry.end)}
        for entry in schedule.entries
    ]


class ScheduleArguments(Window):
    longest: ClassVar[timedelta] = timedelta(days=90)

    schedule_id: Id


def get_schedule(arguments: ScheduleArguments, call: CallContext) -> Plan:
    since, until = arguments.forward(call.now, timedelta(days=14))
    kind, resource = yield from fetch_schedule(arguments.schedule_id, since, until)
    schedule = (
        parse_layer_schedule(resource) if kind is ScheduleKind.LAYERS else parse_shift_schedule(resource)
    )
    return shape_schedule(kind, resource) | {
        "since": format_iso_utc(since),
        "until": format_iso_utc(until),
        "gaps": [
            {"start": format_iso_utc(start), "end": format_iso_utc(end)}
            for start, end in find_gaps(schedule.entries, since, until)
        ],
    }


def list_schedule_overrides(arguments: ScheduleArguments, call: CallContext) -> Plan:
    since, until = arguments.forward(call.now, timedelta(days=14))
    try:
        overrides = yield from fetch_layer_overrides(arguments.schedule_id, since, until)
    except InvalidRequest as refused:
        try:
            return (yield from _shift_changes(arguments.schedule_id, since, until))
        except (InvalidRequest, NotFound):
            raise refused from None
    return list_result(map(shape_layer_override, overrides))


def _shift_changes(schedule_id: str, since: datetime, until: datetime) -> Plan:
    overrides: ListResult = yield from fetch_shift_changes(schedule_id, "overrides", since, until)
    shifts: ListResult = yield from fetch_shift_changes(schedule_id, "custom_shifts", since, until)
    items = [*map(shape_shift_override, overrides.items), *map(shape_custom_shift, shifts.items)]
    more = (
        ["There are more than are shown: choose a shorter window."] if overrides.next or shifts.next else []
    )
    return list_result(items, None, (*more, *overrides.notes, *shifts.notes))


def shape_layer_override(resource: JsonObject) -> JsonObject:
    user = shapes.shape_reference(resource.get("user")) or {}
    return shapes.without_empty(
        {
            "id": resource.get("id"),
            "kind": "override",
            "start": format_shown_time(resource.get("start")),
            "end": format_shown_time(resource.get("end")),
            "user_id": user.get("id"),
            "user_name": user.get("summary"),
        }
    )


def shape_shift_override(resource: JsonObject) -> JsonObject:
    return shapes.without_empty(
        {
            **shapes.pick_fields(resource, "id", "rotation_id", "custom_shift_id"),
            "kind": "override",
            "start": format_shown_time(resource.get("start_time")),
            "end": format_shown_time(resource.get("end_time")),
            "user_id": member_id(resource.get("overriding_member")),
            "replaces_user_id": member_id(resource.get("overridden_member")),
        }
    )


def shape_custom_shift(resource: JsonObject) -> JsonObject:
    assigned = as_objects(resource.get("assignments"))
    return shapes.without_empty(
        {
            "id": resource.get("id"),
            "kind": "custom_shift",
            "start": format_shown_time(resource.get("start_time")),
            "end": format_shown_time(resource.get("end_time")),
            "user_id": member_id(as_object(assigned[0]).get("member")) if assigned else None,
        }
    )


class ListOnCallUsers(Window):
    longest: ClassVar[timedelta] = timedelta(days=89)

    schedule_ids: Ids = ()
    escalation_policy_ids: Ids = ()
    user_ids: Ids = ()
    earliest: bool = Field(False, description="Only the current or next shift per policy, level and user.")
    limit: Limit = 100
    after: After = None


def list_on_call_users(arguments: ListOnCallUsers, call: CallContext) -> Plan:
    since, until = arguments.forward(call.now, timedelta(seconds=1))
    request = get(
        "/oncalls",
        since=since,
        until=until,
        earliest=arguments.earliest or None,
        **{
            "schedule_ids[]": arguments.schedule_ids,
            "escalation_policy_ids[]": arguments.escalation_policy_ids,
            "user_ids[]": arguments.user_ids,
        },
    )
    listed: ListResult = yield list_request(request, "oncalls", arguments.limit, arguments.after)
    return page_result(listed, people.shape_on_call)


_reading = partial(
    Tool, category=Category.ON_CALL, access=Access.READ, risk=Risk.LOW, scopes=("schedules.read",)
)

TOOLS = (
    _reading(
        name="list_schedules",
        title="List schedules",
        description="Find on-call schedules of both kinds (layers and shifts) by name or team.",
        arguments=ListSchedules,
        plan=list_schedules,
        shape=Shape.LIST,
        columns=(
            Column("Id", "id"),
            Column("Name", "name"),
            Column("Kind", "kind"),
            Column("Time zone", "time_zone"),
        ),
        operations=("listSchedules", "listSchedulesV3"),
    ),
    _reading(
        name="get_schedule",
        title="Get schedule details",
        description="One schedule of either kind: its layers or rotations, who is on call when, and gaps; "
        "the next 14 days by default, 90 at most.",
        arguments=ScheduleArguments,
        plan=get_schedule,
        shape=Shape.OBJECT,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Kind", "kind")),
        operations=("getSchedule", "getScheduleV3"),
    ),
    Tool(
        name="list_on_call_users",
        title="List on-call users",
        description="Who is on call, now by default, per schedule, escalation policy and level. A shift "
        "without start and end is permanent; a person shows once per policy.",
        category=Category.ON_CALL,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=ListOnCallUsers,
        plan=list_on_call_users,
        shape=Shape.LIST,
        columns=(
            Column("User", "user.summary"),
            Column("Level", "escalation_level"),
            Column("Escalation policy", "escalation_policy.summary"),
            Column("Schedule", "schedule.summary"),
            Column("Until", "end"),
        ),
        operations=("listOnCalls",),
        scopes=("oncalls.read",),
    ),
    _reading(
        name="list_schedule_overrides",
        title="List schedule overrides",
        description="Temporary changes of a schedule: overrides, custom shifts; the next 14 days by default.",
        arguments=ScheduleArguments,
        plan=list_schedule_overrides,
        shape=Shape.LIST,
        columns=OVERRIDE_COLUMNS,
        operations=("listScheduleOverrides", "listOverrides", "listCustomShifts"),
    ),
)
