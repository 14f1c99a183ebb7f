"""/teams and their members with team roles."""

from typing import Final

from pagerduty_simulator.references import JsonObject, user_reference
from pagerduty_simulator.rest.answers import Answer
from pagerduty_simulator.rest.calls import Call, a_read, lookup, page
from pagerduty_simulator.rest.objects import team_object, user_object


def _list(call: Call) -> Answer:
    query = (call.parameter("query") or "").lower()
    teams = [team for team in call.account.teams.values() if query in team.name.lower()]
    teams.sort(key=lambda team: team.name)
    return page(call, "teams", teams, lambda team: team_object(call.links, team))


def _get(call: Call) -> Answer:
    return Answer(200, {"team": team_object(call.links, lookup(call.account.teams, call.parameters[0]))})


def _members(call: Call) -> Answer:
    team = lookup(call.account.teams, call.parameters[0])
    members = list(call.account.members(team).items())
    return page(call, "members", members, lambda member: _member(call, *member))


def _member(call: Call, user_id: str, role: str) -> JsonObject:
    user = call.account.users[user_id]
    in_full = call.includes("users")
    return {
        "user": user_object(call.site, user) if in_full else user_reference(call.links, user),
        "role": role,
    }


_SCOPE: Final = "teams.read"

OPERATIONS: Final = (
    a_read("listTeams", "/teams", _list, _SCOPE, ability="teams"),
    a_read("getTeam", "/teams/{}", _get, _SCOPE, ability="teams"),
    a_read("listTeamUsers", "/teams/{}/members", _members, _SCOPE, ability="teams"),
)
