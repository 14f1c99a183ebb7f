"""Tools that read teams: which there are, and who is in them."""

from functools import partial

from pydantic import Field

from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.request_builders import get, list_request, page_result
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Limit, Query
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import people, shapes


class ListTeams(Arguments):
    query: Query | None = Field(None, description="A part of the name.")
    limit: Limit = 25
    after: After = None


def list_teams(arguments: ListTeams, _call: CallContext) -> Plan:
    request = get("/teams", query=arguments.query)
    listed: ListResult = yield list_request(request, "teams", arguments.limit, arguments.after)
    return page_result(listed, _shape_team)


def _shape_team(resource: JsonObject) -> JsonObject:
    return shapes.without_empty(
        shapes.pick_fields(resource, "id", "description")
        | {
            "name": resource.get("name") or resource.get("summary"),
            "parent": shapes.shape_reference(resource.get("parent")),
            "url": shapes.url_of(resource),
        }
    )


class ListTeamMembers(Arguments):
    team_id: Id
    limit: Limit = 25
    after: After = None


def list_team_members(arguments: ListTeamMembers, _call: CallContext) -> Plan:
    request = get(f"/teams/{arguments.team_id}/members", **{"include[]": "users"})
    listed: ListResult = yield list_request(request, "members", arguments.limit, arguments.after)
    return page_result(listed, _shape_member)


def _shape_member(resource: JsonObject) -> JsonObject:
    user = people.shape_user(as_object(resource.get("user")), personal=False)
    return shapes.without_empty({"team_role": resource.get("role")} | user)


_reading = partial(
    Tool,
    category=Category.USERS,
    access=Access.READ,
    risk=Risk.LOW,
    scopes=("teams.read",),
    abilities=("teams",),
    shape=Shape.LIST,
)

TOOLS = (
    _reading(
        name="list_teams",
        title="List teams",
        description="Find teams by name. Other tools take their ids as team_ids.",
        arguments=ListTeams,
        plan=list_teams,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Part of", "parent.summary")),
        operations=("listTeams",),
    ),
    _reading(
        name="list_team_members",
        title="List team members",
        description="Who is in a team, and with which role there. Addresses are masked.",
        arguments=ListTeamMembers,
        plan=list_team_members,
        columns=(
            Column("Id", "id"),
            Column("Name", "name"),
            Column("Team role", "team_role"),
            Column("Role", "role"),
            Column("Time zone", "time_zone"),
        ),
        operations=("listTeamUsers",),
    ),
)
