"""Checks that rules name tools and teams that exist: a denial of a misspelt tool would forbid nothing."""

from calmo_pagerduty.kernel.nearest_name import nearest_hint
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import (
    AccessDenied,
    InvalidRequest,
    NotFound,
    NotInPlan,
    PagerDutyError,
    TryAgain,
)
from calmo_pagerduty.pagerduty.request_builders import get, list_request
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import ConnectionRules, InvalidSelector
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK
from ingress.api.errors import PagerDutySilent

_TOOL = "tool:"
#: What a connection may allow: the catalogue's tools, and that the doctor enables a webhook again.
_SWITCHABLE = frozenset({*TOOLS, ENABLE_WEBHOOK.removeprefix(_TOOL)})
_MAX_TEAMS = 1_000


def check_tool_names(before: ConnectionRules, after: ConnectionRules) -> None:
    """Raises InvalidSelector for a tool that the catalogue lacks. What was stored before may stay."""
    new = (_selectors(after) - _selectors(before)) | {
        f"{_TOOL}{tool}" for tool in set(after.tool_writes_per_hour) - set(before.tool_writes_per_hour)
    }
    for selector in sorted(new):
        name = selector.removeprefix(_TOOL)
        if selector.startswith(_TOOL) and name not in _SWITCHABLE:
            raise InvalidSelector(f"there is no tool {name[:60]!r}{nearest_hint(name, _SWITCHABLE)}")


async def check_teams(client: PagerDutyClient, before: ConnectionRules, after: ConnectionRules) -> None:
    """Raises InvalidSelector for a team that PagerDuty doesn't know, PagerDutySilent if it can't be asked.

    A token that may not read teams can't tell: then every id is taken.
    """
    for team in sorted(set(after.teams) - set(before.teams)):
        try:
            await client.send(get(f"/teams/{team}"))
        except (AccessDenied, NotInPlan):
            return
        except TryAgain as error:
            raise PagerDutySilent(f"whether there is a team {team[:60]!r} can't be asked: {error}") from error
        except (NotFound, InvalidRequest) as error:
            raise InvalidSelector(
                f"PagerDuty has no team {team[:60]!r}{await _near(client, team)}"
            ) from error


async def _near(client: PagerDutyClient, text: str) -> str:
    """Return the hint of the team that was meant, by its id or by its name."""
    try:
        listed = await client.collect(list_request(get("/teams"), "teams", _MAX_TEAMS))
    except PagerDutyError:
        return ""
    ids = {str(team.get("id")) for team in listed.items}
    by_name = {str(team.get("name") or team.get("summary")): str(team.get("id")) for team in listed.items}
    for name, team_id in by_name.items():
        if nearest_hint(text, [name]):
            return f"; did you mean {team_id} ({name})?"
    return nearest_hint(text, ids)


def _selectors(rules: ConnectionRules) -> set[str]:
    return {*rules.switches, *(selector for switches in rules.teams.values() for selector in switches)}
