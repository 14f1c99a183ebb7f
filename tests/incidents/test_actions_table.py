"""The table of actions is total and speaks of tools that exist; preconditions; echoes by fact."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import (
    ACTIONS,
    STATE_OF_CALL,
    ExpectedEvent,
    InvalidAction,
    Operation,
    OperationState,
    OwnEvent,
    StatusAsOf,
    refusal_of,
    tool_arguments,
)
from calmo_pagerduty.incidents.attribution import ATTRIBUTION_TOLERANCE, attribute_events
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.model import ReceivedEvent
from calmo_pagerduty.pagerduty.event_types import EVENT_TYPES, OWN_EVENT_TYPES, EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import Reference, WebhookEvent, parse_event
from calmo_pagerduty.tool_calls.model import CallState
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from tests.support.builders import NOON, a_note, a_reference, an_event, body_of

US = Reference("PUS", "user_reference", "Calmo")
SAMPLE: dict[Action, dict[str, Any]] = {
    Action.ACKNOWLEDGE: {},
    Action.RESOLVE: {"resolution": "Rolled back."},
    Action.REOPEN: {},
    Action.REASSIGN: {"assignee_ids": ["PUSER1"]},
    Action.ESCALATE: {"escalation_level": 2},
    Action.SET_PRIORITY: {"priority_id": "PPRIO1"},
    Action.ADD_NOTE: {"content": "Seen."},
    Action.SNOOZE: {"seconds": 3600},
    Action.REQUEST_RESPONDERS: {"message": "Help.", "targets": [{"type": "user", "id": "PUSER1"}]},
}


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def an_operation(action: Action = Action.ACKNOWLEDGE, **fields: Any) -> Operation:
    given = tool_arguments(action, "QINCIDENT", SAMPLE[action])
    operation = Operation(
        id="tc_1",
        issue_id="iss_1",
        action=action,
        author="Alice",
        state=OperationState.DONE,
        expected=ACTIONS[action].expects(given, "[calmo:abcdefgh]"),
        filed_at=NOON,
        agent=US,
        sent_at=NOON,
        last_sent_at=NOON,
        answered_at=NOON + seconds(2),
    )
    return replace(operation, **fields)


def received(
    event_type: str = EventType.ACKNOWLEDGED,
    at: float = 1,
    agent: str | None = "PUS",
    event_id: str | None = None,
    **fields: Any,
) -> ReceivedEvent:
    payload = (
        a_note("QINCIDENT", at=NOON + seconds(at), **fields)
        if event_type == EventType.ANNOTATED
        else an_event(event_type, "QINCIDENT", at=NOON + seconds(at), **fields)
    )
    payload["event"]["agent"] = a_reference("user", agent, "Calmo") if agent else None
    if event_id:
        payload["event"]["id"] = event_id
    event = parse_event(body_of(payload))
    assert isinstance(event, WebhookEvent)
    return ReceivedEvent(EventFacts.model_validate_json(f'{{"seq":1,{facts_json(event, NOON)[1:]}'), event)


def told_of(operation: Operation, *events: ReceivedEvent) -> list[bool]:
    found = attribute_events((operation,), events)
    return [event.facts.event_id in found for event in events]


def test_every_action_has_a_row_and_every_row_a_tool_that_takes_its_arguments() -> None:
    assert set(ACTIONS) == set(Action) == set(SAMPLE)
    for action, row in ACTIONS.items():
        tool = TOOLS[row.tool]
        assert tool.writes
        assert {*row.allowed_arguments, *row.fixed_arguments} <= set(tool.arguments.model_fields)
        assert set(row.required_arguments) <= set(row.allowed_arguments)
        arguments = tool_arguments(action, "QINCIDENT", SAMPLE[action])
        parse_arguments(tool, arguments)
        expected = row.expects(arguments, "[calmo:x]")
        assert expected
        assert {expectation.event_type for expectation in expected} <= EVENT_TYPES | OWN_EVENT_TYPES


def test_every_state_of_a_call_is_one_of_an_operation() -> None:
    assert set(STATE_OF_CALL) == set(CallState)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("status", IncidentStatus)
def test_every_action_is_possible_or_its_refusal_says_why(action: Action, status: IncidentStatus) -> None:
    why = refusal_of(action, StatusAsOf(status=status, as_of=NOON))
    assert why is None or why.startswith(f"{action} is not possible: ")
    assert any(
        refusal_of(action, StatusAsOf(status=incident_status, as_of=NOON)) is None
        for incident_status in IncidentStatus
    ), "an action that is never possible"


def test_the_newest_picture_decides_and_a_guess_refuses_nothing() -> None:
    resolved = StatusAsOf(status=IncidentStatus.RESOLVED, as_of=NOON)
    open_ = StatusAsOf(status=IncidentStatus.TRIGGERED, as_of=NOON + seconds(1))
    assert refusal_of(Action.ACKNOWLEDGE, resolved) is not None
    assert refusal_of(Action.ACKNOWLEDGE, resolved, open_) is None
    assert refusal_of(Action.ACKNOWLEDGE, open_, resolved) is None
    assert refusal_of(Action.SNOOZE, StatusAsOf(status=IncidentStatus.TRIGGERED)) is None


def test_an_action_takes_its_own_arguments_only() -> None:
    with pytest.raises(InvalidAction, match="status: acknowledge has no such argument"):
        tool_arguments(Action.ACKNOWLEDGE, "QINCIDENT", {"status": "resolved"})
    with pytest.raises(InvalidAction, match="needs assignee_ids"):
        tool_arguments(Action.REASSIGN, "QINCIDENT", {"assignee_ids": []})


@pytest.mark.parametrize("at", [-30, -1, 0, 1, 2, 32])
def test_an_event_within_the_flight_tells_of_the_operation(at: float) -> None:
    assert told_of(an_operation(), received(at=at)) == [True]


@pytest.mark.parametrize("at", [-30.001, 32.001, 3600])
def test_an_event_outside_of_it_doesnt(at: float) -> None:
    assert told_of(an_operation(), received(at=at)) == [False]


def test_until_the_answer_is_heard_the_flight_goes_on() -> None:
    flying = an_operation(state=OperationState.OPEN, answered_at=None)
    assert told_of(flying, received(at=7200)) == [True]


@pytest.mark.parametrize(
    "operation",
    [
        an_operation(sent_at=None),
        an_operation(agent=None),
        an_operation(state=OperationState.NOT_DONE),
        an_operation(state=OperationState.UNCHANGED),
        an_operation(Action.SNOOZE),
    ],
    ids=["never sent", "nobody's", "not done", "so already", "without event"],
)
def test_nothing_tells_of_what_was_not_done_by_us(operation: Operation) -> None:
    assert told_of(operation, received()) == [False]


@pytest.mark.parametrize("agent", ["PSOMEBODY", None])
def test_another_agents_event_is_never_an_echo(agent: str | None) -> None:
    assert told_of(an_operation(), received(agent=agent)) == [False]


def test_an_event_of_another_type_is_no_echo() -> None:
    assert told_of(an_operation(), received(EventType.UNACKNOWLEDGED)) == [False]


def test_an_operation_takes_one_event_of_a_type_and_the_nearest() -> None:
    assert told_of(an_operation(), received(at=20), received(at=1), received(at=3)) == [False, True, False]
    taken = an_operation(echoes=(OwnEvent(event_id="01", event_type=EventType.ACKNOWLEDGED),))
    assert told_of(taken, received()) == [False]


def test_the_log_tells_what_a_webhook_told_once_more() -> None:
    taken = an_operation(echoes=(OwnEvent(event_id="01", event_type=EventType.ACKNOWLEDGED),))
    assert told_of(taken, received(event_id="log:R1"), received(event_id="log:R2")) == [True, False]


def test_a_note_is_ours_by_its_mark() -> None:
    note = an_operation(Action.ADD_NOTE)
    ours = received(EventType.ANNOTATED, content="Seen.\n\n[calmo:abcdefgh]")
    assert told_of(note, received(EventType.ANNOTATED, content="Seen."), ours) == [False, True]
    assert told_of(note, replace(ours, event=None)) == [False]


@pytest.mark.parametrize(
    ("action", "event_type", "ours", "theirs"),
    [
        (
            Action.REASSIGN,
            EventType.REASSIGNED,
            {"assignees": [a_reference("user", "PUSER1", "R")]},
            {"assignees": []},
        ),
        (
            Action.SET_PRIORITY,
            EventType.PRIORITY_UPDATED,
            {"priority": a_reference("priority", "PPRIO1", "P1")},
            {"priority": a_reference("priority", "PPRIO2", "P2")},
        ),
    ],
)
def test_an_event_that_shows_something_else_than_asked_for_is_no_echo(
    action: Action, event_type: str, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    operation = an_operation(action)
    assert told_of(operation, received(event_type, **theirs), received(event_type, **ours)) == [False, True]


@given(st.lists(st.tuples(st.floats(-60, 60), st.sampled_from(["PUS", "PSOMEBODY"])), max_size=12))
def test_no_event_tells_of_two_and_no_operation_of_more_than_it_may(
    moments: list[tuple[float, str]],
) -> None:
    operations = tuple(
        an_operation(id=f"tc_{number}", sent_at=NOON + seconds(number * 10), answered_at=None)
        for number in range(3)
    )
    events = [received(at=at, agent=agent, event_id=f"E{n}") for n, (at, agent) in enumerate(moments)]
    found = attribute_events(operations, events)
    assert len({operation.id for operation in found.values()}) == len(found)
    for event in events:
        if event.facts.event_id in found:
            operation = found[event.facts.event_id]
            assert event.event is not None
            assert event.event.actor is not None
            assert event.event.actor.id == "PUS"
            assert operation.sent_at is not None
            assert event.facts.occurred_at >= operation.sent_at - ATTRIBUTION_TOLERANCE
    assert attribute_events(operations, list(reversed(events))) == found


def test_an_expectation_reads_what_an_older_worker_wrote() -> None:
    assert ExpectedEvent.model_validate({"event_type": "x", "later": 1}).at_most == 1
