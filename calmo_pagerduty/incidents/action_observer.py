"""Each action on an incident is a tool call: the call's outcome updates its operation and its issue."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import (
    action_result_store as action_results,
    action_store as operations,
    queries as issue_queries,
    store as issues,
)
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ACTION_REFUSED, ACTIONS, STATE_OF_CALL, Operation, refusal_of
from calmo_pagerduty.incidents.undoing import former_values
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.webhook_events import Reference
from calmo_pagerduty.tool_calls.authorization_service import KeepWith
from calmo_pagerduty.tool_calls.observer import ObservedAgent
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.markers import marker


def keep_operation(issue_id: str, action: Action) -> KeepWith:
    """Return a function that stores a new call as an operation: this action on this issue.

    What the action replaces is kept with it, as the issue shows it now.
    """

    def keep(tx: Transaction, call: ToolCall) -> None:
        issue = issue_queries.get_issue(tx, EVERYTHING, issue_id)
        operation = Operation(
            id=call.id,
            issue_id=issue_id,
            action=action,
            author=call.requester,
            state=STATE_OF_CALL[call.state],
            expected=ACTIONS[action].expects(call.arguments, marker(call.id)),
            filed_at=call.created_at,
            former=None if issue is None else former_values(action, issue),
        )
        operations.insert_operation(tx, operation)

    return keep


class ActionObserver:
    """The `CallObserver` of actions on incidents."""

    def refusal(self, tx: Transaction, call_id: str) -> Mapping[str, Any] | None:
        """Return why the incident's present status rules the action out; None if nothing does."""
        operation = operations.get_operation(tx, call_id)
        if operation is None:
            return None
        # The action may have waited for hours.
        status = issues.get_status_as_of(tx, operation.issue_id)
        reason = None if status is None else refusal_of(operation.action, status)
        return None if reason is None else {"type": ACTION_REFUSED, "message": reason}

    def attempt_started(self, tx: Transaction, call_id: str, now: datetime) -> ObservedAgent:
        """Mark the action as sent to PagerDuty, and return who acts there."""
        operation = operations.get_operation(tx, call_id)
        if operation is None:
            return ObservedAgent()
        operations.mark_sent(tx, call_id, now)
        if operation.agent is None:
            return ObservedAgent(is_wanted=True)
        return ObservedAgent(operation.agent.id)

    def attempt_had_no_effect(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """Mark that PagerDuty turned the attempt away, so its events are not ours."""
        action_results.mark_call_not_sent(tx, call, now)

    def agent_known(self, tx: Transaction, call_id: str, agent: Reference) -> None:
        """Store the PagerDuty user in whose name the action happens."""
        operations.update_agent(tx, call_id, agent)

    def finished(self, tx: Transaction, call: ToolCall, now: datetime) -> None:
        """Bring the call's result to its issue, timeline and workflow."""
        action_results.update_from_call(tx, call, now)
