"""PagerDuty's answer as an event: as of our asking, within the second that PagerDuty tells."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.action_results import event_from_result, result_agent
from calmo_pagerduty.incidents.actions import ACTIONS, Operation, OperationState
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.builders import NOON

REF = IncidentRef(connection_id="con_1", incident_id="QINCIDENT")
INCIDENT: dict[str, Any] = {
    "id": "QINCIDENT", "status": "acknowledged", "title": "Basket", "incident_number": 7, "urgency": "high",
    "created_at": "2026-06-01T08:00:00Z", "updated_at": "2026-06-01T12:00:05Z",
    "service": {"id": "PSERVICE", "summary": "Basket", "type": "service"},
    "assigned_to": [{"id": "PUSER1", "summary": "Robin", "type": "user"}],
}  # fmt: skip


def event_of(action: Action, result: dict[str, Any], sent: float = 5.3, **given: Any) -> Any:
    operation = Operation(
        id="tc_1",
        issue_id=REF.issue_id,
        action=action,
        author="Alice",
        state=OperationState.DONE,
        expected=ACTIONS[action].expects({"incident_id": "QINCIDENT", **given}, "[calmo:x]"),
        filed_at=NOON,
        agent=Reference("PUS", "user_reference", "Calmo"),
        last_sent_at=NOON + timedelta(seconds=sent),
    )
    return event_from_result(operation, REF, given, result, NOON + timedelta(seconds=9)).event


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(("sent", "as_of"), [(5.3, 5.3), (3, 5), (900, 5.999)])
def test_it_happened_within_the_second_that_pagerduty_tells(sent: float, as_of: float) -> None:
    assert event_of(Action.ACKNOWLEDGE, INCIDENT, sent).occurred_at == at(as_of)


def test_without_a_time_of_pagerdutys_it_happened_when_we_asked() -> None:
    told = {name: value for name, value in INCIDENT.items() if name != "updated_at"}
    assert event_of(Action.ACKNOWLEDGE, told).occurred_at == at(5.3)
    assert event_of(Action.ACKNOWLEDGE, {**INCIDENT, "updated_at": "soon"}).occurred_at == at(5.3)


def test_it_shows_the_incident_as_a_webhook_would() -> None:
    event = event_of(Action.ACKNOWLEDGE, INCIDENT)
    assert event.event_type == EventType.ACKNOWLEDGED
    assert event.snapshot.status is IncidentStatus.ACKNOWLEDGED
    assert event.snapshot.service == Reference("PSERVICE", "service_reference", "Basket")
    assert [assignee.id for assignee in event.snapshot.assignees] == ["PUSER1"]
    assert event.actor.id == "PUS"


@pytest.mark.parametrize("odd", [{}, {"status": None}, {"service": 7, "assigned_to": "x", "status": "odd"}])
def test_an_odd_answer_stands_for_no_more_than_it_tells(odd: dict[str, Any]) -> None:
    event = event_of(Action.ACKNOWLEDGE, odd)
    assert event.incident_id == "QINCIDENT"
    assert event.status in (IncidentStatus.ACKNOWLEDGED, None)


def test_a_note_is_told_in_its_authors_words_and_moves_nothing() -> None:
    told = {"id": "PNOTE", "content": "Seen.\n\n[calmo:x]", "created_at": "2026-06-01T12:00:05Z"}
    event = event_of(Action.ADD_NOTE, told, content="Seen.")
    assert (event.data["content"], event.snapshot, event.occurred_at) == ("Seen.", None, at(5.3))


def test_pagerdutys_answer_names_as_whom_we_wrote() -> None:
    user = {"id": "PUS", "summary": "Calmo", "type": "user"}
    for name in ("user", "requester", "last_status_change_by"):
        found = result_agent({name: user})
        assert found is not None
        assert found.id == "PUS"
    assert result_agent({}) is None
