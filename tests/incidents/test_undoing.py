"""Which operations can be undone, and by which action."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import FormerValues, Operation, OperationState
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.undoing import Undo, former_values, undo_of
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.builders import NOON

TO_BEN = {"assigned_to": [{"id": "PBEN", "name": "Ben"}], "priority": {"id": "PP1", "name": "P1"}}


def an_issue(*assignees: str, priority: str | None = None) -> Issue:
    return Issue(
        ref=IncidentRef(connection_id="con_1", incident_id="Q1"),
        scope=Scope.parse("organization:acme"),
        title="Basket is slow",
        status=IncidentStatus.TRIGGERED,
        severity=Severity.MEDIUM,
        created_at=NOON,
        updated_at=NOON,
        assignees=tuple(Reference(id_, "user_reference", None, None) for id_ in assignees),
        priority=priority,
    )


def undo(
    action: Action,
    former: FormerValues | None,
    now: Issue,
    result: Mapping[str, Any] | None = TO_BEN,
    **fields: Any,
) -> Undo | None:
    operation = Operation(
        id="call",
        issue_id=now.ref.issue_id,
        action=action,
        author="Alice",
        state=OperationState.DONE,
        expected=(),
        filed_at=NOON,
        former=former,
    )
    return undo_of(replace(operation, **fields), now, result)


@pytest.mark.parametrize("action", [Action.REASSIGN, Action.ESCALATE])
def test_who_had_the_incident_gets_it_back_if_it_is_where_the_action_put_it(action: Action) -> None:
    former = former_values(action, an_issue("PANNA"))
    found = undo(action, former, an_issue("PBEN"))
    assert found is not None and found.action is Action.REASSIGN
    assert found.arguments == {"assignee_ids": ["PANNA"], "expected_assignee_ids": ["PBEN"]}
    assert undo(action, former, an_issue("PCARL")) is None
    assert undo(action, former_values(action, an_issue()), an_issue("PBEN")) is None
    assert undo(action, former, an_issue("PBEN"), state=OperationState.UNCHANGED) is None
    assert undo(action, former, an_issue("PBEN"), None) is None


def test_a_former_priority_comes_back_but_none_can_t_be_taken_away() -> None:
    former = former_values(Action.SET_PRIORITY, an_issue(priority="P3"))
    found = undo(Action.SET_PRIORITY, former, an_issue(priority="P1"))
    assert found is not None and "P3" in found.words
    assert found.arguments == {"priority_name": "P3", "expected_priority_id": "PP1"}
    assert undo(Action.SET_PRIORITY, former, an_issue(priority="P2")) is None
    assert undo(Action.SET_PRIORITY, FormerValues(), an_issue(priority="P1")) is None


@pytest.mark.parametrize(
    "action", [Action.SNOOZE, Action.REQUEST_RESPONDERS, Action.ADD_NOTE, Action.RESOLVE]
)
def test_what_pagerduty_does_not_take_back_is_not_undone(action: Action) -> None:
    assert undo(action, former_values(action, an_issue("PANNA")), an_issue("PBEN")) is None
