"""How an action on an incident is undone, where PagerDuty allows it.

Undoing is an action of its own, with the former value. It says which value it expects, so that nothing is
done if somebody else has changed the incident meanwhile. PagerDuty's REST API can assign an incident back
and give it a former priority. It ends no snooze early except by triggering the incident, takes no priority
away, and cancels only requests for responders that nobody has answered.
Source: PagerDuty's API reference, "Update an incident", "Snooze an incident", "Cancel responder requests".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import ActionArguments, FormerValues, Operation, OperationState
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.json_values import as_object, as_objects

#: What replaces the incident's assignees.
_ASSIGNING = frozenset({Action.REASSIGN, Action.ESCALATE})


@dataclass(frozen=True, slots=True)
class Undo:
    """The action that undoes an operation, with its arguments. `words` say what it does, for people."""

    action: Action
    arguments: ActionArguments
    words: str


def former_values(action: Action, issue: Issue) -> FormerValues | None:
    """Return what the action is about to replace; None if it replaces nothing that can come back."""
    if action in _ASSIGNING:
        return FormerValues(assignee_ids=tuple(assignee.id for assignee in issue.assignees))
    if action is Action.SET_PRIORITY:
        return FormerValues(priority=issue.priority)
    return None


def undo_of(operation: Operation, issue: Issue, result: Mapping[str, Any] | None) -> Undo | None:
    """Return how the operation is undone; None if it can't be, or if there is nothing to undo any more.

    `result` is the answer of its tool call. There is nothing to undo once the issue shows other values than
    those that the operation has set.
    """
    former = operation.former
    if operation.state is not OperationState.DONE or former is None or result is None:
        return None
    if operation.action in _ASSIGNING:
        return _assign_back(former, issue, result)
    return _priority_back(former, issue, result)


def _assign_back(former: FormerValues, issue: Issue, result: Mapping[str, Any]) -> Undo | None:
    given = [str(person["id"]) for person in as_objects(result.get("assigned_to")) if "id" in person]
    has_it = {assignee.id for assignee in issue.assignees}
    if not former.assignee_ids or not given or has_it != set(given) or has_it == set(former.assignee_ids):
        return None
    arguments = {"assignee_ids": list(former.assignee_ids), "expected_assignee_ids": given}
    words = (
        "Assigns it back to whoever had it before, and pages them. PagerDuty then escalates it no further."
    )
    return Undo(Action.REASSIGN, arguments, words)


def _priority_back(former: FormerValues, issue: Issue, result: Mapping[str, Any]) -> Undo | None:
    given = as_object(result.get("priority"))
    if not former.priority or "id" not in given or issue.priority in (former.priority, None):
        return None
    if issue.priority != (given.get("name") or given.get("summary")):
        return None
    arguments = {"priority_name": former.priority, "expected_priority_id": str(given["id"])}
    return Undo(Action.SET_PRIORITY, arguments, f"Sets the priority back to {former.priority}.")
