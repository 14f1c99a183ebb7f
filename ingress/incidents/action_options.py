"""Whether somebody may act on an issue now, as the authorizer and the incident's workflow will judge it."""

from collections.abc import Mapping
from dataclasses import dataclass

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTIONS, StatusAsOf, refusal_of
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.tools.permissions import PrincipalRights, judge


@dataclass(frozen=True, slots=True)
class ActionOption:
    """Whether an action is possible. `refusal` says why not, and `rule` names the rule that says no.

    `fits` is False if only the incident's status rules it out, such as an acknowledgement after another.
    """

    refusal: str | None = None
    rule: str | None = None
    fits: bool = True
    needs_approval: bool = False

    @property
    def is_possible(self) -> bool:
        return self.refusal is None


_OF_FINDING = "a finding opened this issue: PagerDuty has no incident to act on"
_NO_CONNECTION = "the connection to PagerDuty was removed"


def action_options(
    issue: Issue, connection: Connection | None, principal: Principal
) -> Mapping[Action, ActionOption]:
    """Return every action with whether this caller may take it on the issue now."""
    if issue.origin is IssueOrigin.FINDING:
        return dict.fromkeys(Action, ActionOption(_OF_FINDING, "finding", fits=False))
    if connection is None:
        return dict.fromkeys(Action, ActionOption(_NO_CONNECTION, "no connection"))
    return {action: _option(action, issue, connection, principal) for action in Action}


def _option(action: Action, issue: Issue, connection: Connection, principal: Principal) -> ActionOption:
    status = StatusAsOf(status=issue.status, as_of=issue.as_of, as_of_seq=issue.as_of_seq)
    if (reason := refusal_of(action, status)) is not None:
        return ActionOption(reason, "status", fits=False)
    rights = PrincipalRights(principal.permissions, principal.teams)
    judgement = judge(TOOLS[ACTIONS[action].tool], rights, connection.rules, connection.facts)
    if not judgement.allowed:
        return ActionOption(judgement.words, judgement.rule)
    return ActionOption(needs_approval=judgement.needs_approval)
