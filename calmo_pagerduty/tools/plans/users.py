"""Tools that look at people: who they are, how they are reached, whether they are on call."""

from datetime import timedelta
from functools import partial

from pydantic import Field

from calmo_pagerduty.kernel.instants import instant_of, iso_utc
from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.request_builders import get, list_result, listed_result, listing
from calmo_pagerduty.pagerduty.requests import JsonObject, Listed, Plan
from calmo_pagerduty.tools.model import Access, Arguments, Call, Category, Column, Risk, Shape, Tool
from calmo_pagerduty.tools.plans import people
from calmo_pagerduty.tools.plans.fields import After, Id, Ids, Limit, Query

USER_COLUMNS = (
    Column("Id", "id"),
    Column("Name", "name"),
    Column("E-mail", "email"),
    Column("Role", "role"),
    Column("Time zone", "time_zone"),
)
_MOST_SHIFTS = 200


class ListUsers(Arguments):
    query: Query | None = Field(None, description="A part of the name or e-mail address.")
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_users(arguments: ListUsers, _call: Call) -> Plan:
    request = get("/users", **{"query": arguments.query, "team_ids[]": arguments.team_ids})
    listed: Listed = yield listing(request, "users", arguments.limit, arguments.after)
    return listed_result(listed, lambda thing: people.user(thing, personal=False))


class OneUser(Arguments):
    user_id: Id


class OneUserInFull(OneUser):
    include_personal_data: bool = Field(False, description="Show addresses and numbers unmasked.")


def get_user(arguments: OneUserInFull, _call: Call) -> Plan:
    answer = yield get(f"/users/{arguments.user_id}", **{"include[]": "teams"})
    return people.user(object_of(answer.get("user")), personal=arguments.include_personal_data)


def list_contact_methods(arguments: OneUserInFull, _call: Call) -> Plan:
    answer = yield get(f"/users/{arguments.user_id}/contact_methods")
    personal = arguments.include_personal_data
    things = objects_of(answer.get("contact_methods"))
    return list_result(people.contact_method(thing, personal=personal) for thing in things)


class GetUserOnCallStatus(OneUser):
    days_ahead: int = Field(7, ge=1, le=89, description="How far to look for coming shifts.")


def get_user_on_call_status(arguments: GetUserOnCallStatus, call: Call) -> Plan:
    until = call.now + timedelta(days=arguments.days_ahead)
    request = get("/oncalls", **{"user_ids[]": arguments.user_id, "since": call.now, "until": until})
    listed: Listed = yield listing(request, "oncalls", _MOST_SHIFTS)
    shifts = [people.on_call(thing) for thing in listed.items]
    now = [shift for shift in shifts if _has_begun(shift, call)]
    more = ["There are more shifts than are shown."] if listed.next else []
    return {
        "user_id": arguments.user_id,
        "on_call": bool(now),
        "until": iso_utc(until),
        "now": now,
        "upcoming": sorted(
            (shift for shift in shifts if shift not in now), key=lambda shift: str(shift.get("start"))
        ),
        "notes": [*more, *listed.notes],
    }


def _has_begun(shift: JsonObject, call: Call) -> bool:
    """A shift without a start or an end is permanent."""
    start, end = instant_of(shift.get("start")), instant_of(shift.get("end"))
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
        description="One user: role, teams, time zone; the e-mail address is masked unless asked for.",
        arguments=OneUserInFull,
        plan=get_user,
        shape=Shape.OBJECT,
        columns=USER_COLUMNS,
        operations=("getUser",),
    ),
    Tool(
        name="list_contact_methods",
        title="List contact methods",
        description="How a user is reached: e-mail, phone, SMS, push. Masked unless asked for.",
        category=Category.USERS,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=OneUserInFull,
        plan=list_contact_methods,
        shape=Shape.LIST,
        columns=(Column("Type", "type"), Column("Label", "label"), Column("Address", "address")),
        operations=("getUserContactMethods",),
        scopes=("users:contact_methods.read",),
    ),
    Tool(
        name="get_user_on_call_status",
        title="Get user on-call status",
        description="Whether a user is on call now, and the shifts to come.",
        category=Category.USERS,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=GetUserOnCallStatus,
        plan=get_user_on_call_status,
        shape=Shape.OBJECT,
        columns=(Column("User", "user_id"), Column("On call", "on_call")),
        operations=("listOnCalls",),
        scopes=("oncalls.read",),
    ),
)
