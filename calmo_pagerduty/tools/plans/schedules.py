"""Tools that look at on-call schedules of both kinds, their overrides, and who is on call."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import Field

from calmo_pagerduty.kernel.instants import iso_utc
from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound
from calmo_pagerduty.pagerduty.request_builders import get, list_result, listed_result, listing, moment_shown
from calmo_pagerduty.pagerduty.requests import JsonObject, Listed, Plan
from calmo_pagerduty.pagerduty.schedules import (
    Schedule,
    ScheduleKind,
    gaps,
    layer_schedule,
    member_id,
    shift_schedule,
)
from calmo_pagerduty.tools.model import Access, Arguments, Call, Category, Column, Risk, Shape, Tool
from calmo_pagerduty.tools.plans import people, shapes
from calmo_pagerduty.tools.plans.fields import After, Id, Ids, Limit, Query
from calmo_pagerduty.tools.plans.schedule_kinds import BothKinds, fetched, layer_overrides, shift_changes
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


def list_schedules(arguments: ListSchedules, _call: Call) -> Plan:
    query: dict[str, Any] = {"query": arguments.query, "team_ids[]": arguments.team_ids}
    both = BothKinds(arguments.limit, arguments.after)
    yield from both.ask(
        listing(get("/schedules", **query), "schedules", arguments.limit),
        listing(get("/v3/schedules", **query), "schedules", arguments.limit),
    )
    return list_result((schedule_shown(kind, thing) for kind, thing in both.items), both.next, both.notes)


def schedule_shown(kind: ScheduleKind, thing: JsonObject) -> JsonObject:
    """Return a schedule of either kind as a result shows it."""
    schedule = layer_schedule(thing) if kind is ScheduleKind.LAYERS else shift_schedule(thing)
    parts = [shapes.without_nothing(part.model_dump()) for part in schedule.parts]
    return shapes.without_nothing(
        schedule.model_dump(mode="json", exclude={"entries", "parts"})
        | {"parts": parts, "entries": entries_shown(schedule), "url": shapes.url_of(thing)}
    )


def entries_shown(schedule: Schedule) -> list[JsonObject]:
    return [
        entry.model_dump(mode="json", include={"user_ids", "source"})
        | {"start": iso_utc(entry.start), "end": iso_utc(entry.end)}
        for entry in schedule.entries
    ]


class OneSchedule(Window):
    longest: ClassVar[timedelta] = timedelta(days=90)

    schedule_id: Id


def get_schedule(arguments: OneSchedule, call: Call) -> Plan:
    since, until = arguments.forward(call.now, timedelta(days=14))
    kind, thing = yield from fetched(arguments.schedule_id, since, until)
    schedule = layer_schedule(thing) if kind is ScheduleKind.LAYERS else shift_schedule(thing)
    return schedule_shown(kind, thing) | {
        "since": iso_utc(since),
        "until": iso_utc(until),
        "gaps": [
            {"start": iso_utc(start), "end": iso_utc(end)}
            for start, end in gaps(schedule.entries, since, until)
        ],
    }


def list_schedule_overrides(arguments: OneSchedule, call: Call) -> Plan:
    since, until = arguments.forward(call.now, timedelta(days=14))
    try:
        found = yield from layer_overrides(arguments.schedule_id, since, until)
    except InvalidRequest as refused:
        try:
            return (yield from _shift_changes(arguments.schedule_id, since, until))
        except (InvalidRequest, NotFound):
            raise refused from None
    return list_result(map(layer_override, found))


def _shift_changes(schedule_id: str, since: datetime, until: datetime) -> Plan:
    overrides: Listed = yield from shift_changes(schedule_id, "overrides", since, until)
    shifts: Listed = yield from shift_changes(schedule_id, "custom_shifts", since, until)
    items = [*map(shift_override, overrides.items), *map(custom_shift, shifts.items)]
    more = (
        ["There are more than are shown: choose a shorter window."] if overrides.next or shifts.next else []
    )
    return list_result(items, None, (*more, *overrides.notes, *shifts.notes))


def layer_override(thing: JsonObject) -> JsonObject:
    user = shapes.ref(thing.get("user")) or {}
    return shapes.without_nothing(
        {
            "id": thing.get("id"),
            "kind": "override",
            "start": moment_shown(thing.get("start")),
            "end": moment_shown(thing.get("end")),
            "user_id": user.get("id"),
            "user_name": user.get("summary"),
        }
    )


def shift_override(thing: JsonObject) -> JsonObject:
    return shapes.without_nothing(
        {
            **shapes.picked(thing, "id", "rotation_id", "custom_shift_id"),
            "kind": "override",
            "start": moment_shown(thing.get("start_time")),
            "end": moment_shown(thing.get("end_time")),
            "user_id": member_id(thing.get("overriding_member")),
            "replaces_user_id": member_id(thing.get("overridden_member")),
        }
    )


def custom_shift(thing: JsonObject) -> JsonObject:
    assigned = objects_of(thing.get("assignments"))
    return shapes.without_nothing(
        {
            "id": thing.get("id"),
            "kind": "custom_shift",
            "start": moment_shown(thing.get("start_time")),
            "end": moment_shown(thing.get("end_time")),
            "user_id": member_id(object_of(assigned[0]).get("member")) if assigned else None,
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


def list_on_call_users(arguments: ListOnCallUsers, call: Call) -> Plan:
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
    listed: Listed = yield listing(request, "oncalls", arguments.limit, arguments.after)
    return listed_result(listed, people.on_call)


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
        arguments=OneSchedule,
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
        arguments=OneSchedule,
        plan=list_schedule_overrides,
        shape=Shape.LIST,
        columns=OVERRIDE_COLUMNS,
        operations=("listScheduleOverrides", "listOverrides", "listCustomShifts"),
    ),
)
