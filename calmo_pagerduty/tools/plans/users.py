"""Tools that read users: details, contact methods, on-calls."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.request_builders import get, list_request, list_result, page_result
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Query
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import people, shapes

USER_COLUMNS = (
    Column("Id", "id"),
    Column("Name", "name"),
    Column("E-mail", "email"),
    Column("Role", "role"),
    Column("Time zone", "time_zone"),
)
_MAX_SHIFTS = 200


class ListUsers(Arguments):
    query: Query | None = Field(None, description="A part of the name or e-mail address.")
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_users(arguments: ListUsers, _call: CallContext) -> Plan:
    request = get("/users", **{"query": arguments.query, "team_ids[]": arguments.team_ids})
    listed: ListResult = yield list_request(request, "users", arguments.limit, arguments.after)
    return page_result(listed, lambda resource: people.shape_user(resource, personal=False))


class UserArguments(Arguments):
    user_id: Id


class UserDetailArguments(UserArguments):
    include_personal_data: bool = Field(
        False, description="Show addresses and numbers unmasked; needs personal:read."
    )

    @property
    def personal_data_of(self) -> str | None:
        return self.user_id if self.include_personal_data else None


def get_user(arguments: UserDetailArguments, _call: CallContext) -> Plan:
    answer = yield get(f"/users/{arguments.user_id}", **{"include[]": "teams"})
    return people.shape_user(as_object(answer.get("user")), personal=arguments.include_personal_data)


def list_contact_methods(arguments: UserDetailArguments, _call: CallContext) -> Plan:
    answer = yield get(f"/users/{arguments.user_id}/contact_methods")
    personal = arguments.include_personal_data
    resources = as_objects(answer.get("contact_methods"))
    return list_result(people.shape_contact_method(resource, personal=personal) for resource in resources)


class GetUserOnCallStatus(UserArguments):
    days_ahead: int = Field(7, ge=1, le=89, description="How far to look for coming shifts.")


def get_user_on_call_status(arguments: GetUserOnCallStatus, call: CallContext) -> Plan:
    until = call.now + timedelta(days=arguments.days_ahead)
    request = get("/oncalls", **{"user_ids[]": arguments.user_id, "since": call.now, "until": until})
    listed: ListResult = yield list_request(request, "oncalls", _MAX_SHIFTS)
    shifts = [people.shape_on_call(resource) for resource in listed.items]
    running = [shift for shift in shifts if _is_running(shift, call)]
    more = ["There are more shifts than are shown."] if listed.next else []
    name = next((shift["user"].get("summary") for shift in shifts if "user" in shift), None)
    return {
        "user_id": arguments.user_id,
        "user": shapes.without_empty({"id": arguments.user_id, "summary": name}),
        "on_call": bool(running),
        # When the running shifts have ended; nothing if one is permanent.
        **_ends_at(running),
        # The end of what was looked at.
        "until": format_iso_utc(until),
        "now": running,
        "upcoming": sorted(
            (shift for shift in shifts if shift not in running), key=lambda shift: str(shift.get("start"))
        ),
        "notes": [*more, *listed.notes],
    }


def _ends_at(running: list[JsonObject]) -> JsonObject:
    ends = [shift.get("end") for shift in running]
    return {"on_call_until": max(map(str, ends))} if ends and all(ends) else {}


def _is_running(shift: JsonObject, call: CallContext) -> bool:
    """Return True if the shift is running now. A shift without a start or an end is permanent."""
    start, end = parse_instant(shift.get("start")), parse_instant(shift.get("end"))
    return (start is None or start <= call.now) and (end is None or end > call.now)


_reading = partial(Tool, category=Category.USERS, access=Access.READ, risk=Risk.LOW, scopes=("users.read",))

TOOLS = (
    _reading(
        name="list_users",
        title="List users",
        description="Find users by name, e-mail address or team. Addresses are masked.",
        arguments=ListUsers,
        plan=list_users,
        shape=Shape.LIST,
        columns=USER_COLUMNS,
        operations=("listUsers",),
    ),
    _reading(
        name="get_user",
        title="Get user details",
        description="One user: role, teams, time zone; the e-mail address is masked by default.",
        arguments=UserDetailArguments,
        plan=get_user,
        shape=Shape.OBJECT,
        columns=USER_COLUMNS,
        operations=("getUser",),
    ),
    Tool(
        name="list_contact_methods",
        title="List contact methods",
        description="A user's contact methods: e-mail, phone, SMS, push. Masked by default.",
        category=Category.USERS,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=UserDetailArguments,
        plan=list_contact_methods,
        shape=Shape.LIST,
        columns=(Column("Type", "type"), Column("Label", "label"), Column("Address", "address")),
        operations=("getUserContactMethods",),
        scopes=("users:contact_methods.read",),
    ),
    Tool(
        name="get_user_on_call_status",
        title="Get user on-call status",
        description="Tells if a user is on call now, until when, and lists the coming shifts.",
        category=Category.USERS,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=GetUserOnCallStatus,
        plan=get_user_on_call_status,
        shape=Shape.OBJECT,
        columns=(
            Column("User", "user"),
            Column("On call", "on_call"),
            Column("Until", "on_call_until"),
        ),
        operations=("listOnCalls",),
        scopes=("oncalls.read",),
    ),
)
