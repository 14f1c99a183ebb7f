"""The issue that comes of an incident's events, in whatever order and company they arrive."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.incidents.lifecycle import EventFacts, IncidentState, LifecyclePolicy, SaveEvents, decide
from calmo_pagerduty.incidents.model import Issue, ReceivedEvent, apply_events, new_issue
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event
from tests.support.builders import NOON, a_note, a_reference, an_event, body_of, minutes

REF = IncidentRef(connection_id="con_1", incident_id="QINCIDENT1")
SCOPE = Scope.parse("organization:acme")
AT_5, AT_30, AT_40 = (NOON + minutes(count) for count in (5, 30, 40))
#: When all events have happened and come in.
LATE = NOON + timedelta(days=2)
ROBIN, ALEX = a_reference("user", "PUSER1", "Robin Reyes"), a_reference("user", "PUSER2", "Alex Ito")


def received(payload: dict[str, Any], seq: int) -> ReceivedEvent:
    event = parse_event(body_of(payload))
    assert isinstance(event, WebhookEvent)
    facts = EventFacts.model_validate_json(f'{{"seq":{seq},{facts_json(event, LATE)[1:]}')
    return ReceivedEvent(facts, event)


def an_issue_after(*batches: Sequence[ReceivedEvent]) -> tuple[Issue, IncidentState]:
    """Decide and absorb batch by batch, as the workflow and its activity do."""
    state, issue = IncidentState(), None
    events = {event.facts.event_id: event for batch in batches for event in batch}
    for batch in batches:
        decision = decide(state, [event.facts for event in batch], NOON, LifecyclePolicy())
        state = decision.state
        for effect in decision.effects:
            if isinstance(effect, SaveEvents):
                fresh = [events[facts.event_id] for facts in effect.events]
                issue = issue or new_issue(REF, SCOPE, fresh[0], NOON)
                issue, _ = apply_events(issue, fresh, state.severity, NOON)
    assert issue is not None
    return issue, state


def an_issue_of(*payloads: dict[str, Any]) -> Issue:
    """The issue after events that arrive one at a time, in this order."""
    return an_issue_after(*([received(payload, seq)] for seq, payload in enumerate(payloads)))[0]


def triggered(**fields: Any) -> dict[str, Any]:
    return an_event(EventType.TRIGGERED, REF.incident_id, at=NOON, assignees=[ROBIN], **fields)


def acknowledged(at: datetime = AT_5, **fields: Any) -> dict[str, Any]:
    return an_event(EventType.ACKNOWLEDGED, REF.incident_id, at=at, **{"assignees": [ALEX], **fields})


def resolved(at: datetime = AT_30, **fields: Any) -> dict[str, Any]:
    return an_event(EventType.RESOLVED, REF.incident_id, at=at, **fields)


def reopened(at: datetime = AT_40, **fields: Any) -> dict[str, Any]:
    return an_event(EventType.REOPENED, REF.incident_id, at=at, assignees=[ROBIN], **fields)


def test_an_issue_has_what_its_newest_event_shows() -> None:
    issue = an_issue_of(triggered(), acknowledged(title="Basket is down", urgency="low"))
    assert (issue.status, issue.title, issue.urgency) == (
        IncidentStatus.ACKNOWLEDGED,
        "Basket is down",
        "low",
    )
    assert issue.service is not None
    assert issue.service.name == "Basket"
    assert [assignee.name for assignee in issue.assignees] == ["Alex Ito"]
    assert [team.name for team in issue.teams] == ["Web"]


def test_an_issue_that_begins_with_a_note_is_named_by_the_notes_incident_until_it_is_seen_whole() -> None:
    note = a_note(REF.incident_id, at=NOON + minutes(1))
    assert an_issue_of(note).title == "Basket service answers slowly"
    issue = an_issue_of(note, triggered(title="Basket is slow"))
    assert (issue.title, issue.created_at) == ("Basket is slow", NOON)


def test_a_resolved_issue_keeps_who_had_it() -> None:
    issue = an_issue_of(triggered(), acknowledged(), resolved())
    assert [assignee.name for assignee in issue.assignees] == ["Alex Ito"]


def test_who_had_a_resolved_issue_is_learnt_from_events_that_come_late() -> None:
    for late in ([triggered(), acknowledged()], [acknowledged(), triggered()]):
        issue = an_issue_of(resolved(), *late)
        assert issue.status is IncidentStatus.RESOLVED
        assert [assignee.name for assignee in issue.assignees] == ["Alex Ito"]


def test_an_unassigned_open_issue_has_nobody() -> None:
    assert an_issue_of(triggered(), acknowledged(assignees=[])).assignees == ()


def test_the_first_acknowledgement_counts_in_any_order() -> None:
    early, late = acknowledged(), acknowledged(at=NOON + minutes(9))
    for order in ((early, late), (late, early)):
        assert an_issue_of(*order).acknowledged_at == NOON + minutes(5)


def test_the_time_of_the_resolve_is_kept_through_later_events_about_the_resolved_incident() -> None:
    update = an_event(
        EventType.PRIORITY_UPDATED, REF.incident_id, at=NOON + minutes(35), status="resolved", assignees=[]
    )
    for order in ((resolved(), update), (update, resolved())):
        assert an_issue_of(*order).resolved_at == NOON + minutes(30)


def test_a_reopened_issue_is_not_resolved_at_any_time() -> None:
    for order in ((resolved(), reopened()), (reopened(), resolved())):
        issue = an_issue_of(*order)
        assert (issue.status, issue.resolved_at) == (IncidentStatus.TRIGGERED, None)
        assert issue.reopened_at == NOON + minutes(40)


def test_the_latest_resolve_counts() -> None:
    again = resolved(at=NOON + minutes(50))
    for order in ((resolved(), reopened(), again), (again, resolved(), reopened())):
        assert an_issue_of(*order).resolved_at == NOON + minutes(50)


def test_without_its_body_an_event_still_moves_the_status() -> None:
    whole = received(resolved(), 1)
    issue, _ = an_issue_after([ReceivedEvent(whole.facts, None)])
    assert issue.status is IncidentStatus.RESOLVED
    assert issue.title == "PagerDuty incident QINCIDENT1"


def test_absorb_returns_an_entry_for_each_event_and_says_which_moved() -> None:
    events = [received(payload, seq) for seq, payload in enumerate((resolved(), triggered(), acknowledged()))]
    issue = new_issue(REF, SCOPE, events[0], NOON)
    _, entries = apply_events(issue, events, IncidentState().severity, NOON)
    assert [(entry.event_type, entry.moved) for entry in entries] == [
        (EventType.TRIGGERED, True),
        (EventType.ACKNOWLEDGED, True),
        (EventType.RESOLVED, True),
    ]


_STEPS = {
    EventType.ACKNOWLEDGED: "acknowledged",
    EventType.UNACKNOWLEDGED: "triggered",
    EventType.RESOLVED: "resolved",
    EventType.REOPENED: "triggered",
}


@st.composite
def _lives(draw: st.DrawFn) -> list[ReceivedEvent]:
    """A life that PagerDuty could tell of: events in the order of occurrence, at moments of their own."""
    status, people, priority = "triggered", [ROBIN], None
    payloads = [triggered()]
    for number in range(1, draw(st.integers(1, 9))):
        at = NOON + timedelta(minutes=number)
        allowed = {"triggered": 0, "acknowledged": 1, "resolved": 2}[status]
        moves = (
            (EventType.ACKNOWLEDGED, EventType.RESOLVED),
            (EventType.UNACKNOWLEDGED, EventType.RESOLVED),
            (EventType.REOPENED,),
        )[allowed]
        others = (EventType.PRIORITY_UPDATED, EventType.REASSIGNED, EventType.ANNOTATED)
        event_type = draw(st.sampled_from(moves * 2 + others))
        if event_type is EventType.ANNOTATED:
            payloads.append(a_note(REF.incident_id, at=at))
            continue
        status = _STEPS.get(event_type, status)
        if event_type is EventType.REASSIGNED and status != "resolved":
            people = draw(st.sampled_from([[ROBIN], [ALEX], [ROBIN, ALEX], []]))
        if event_type is EventType.PRIORITY_UPDATED:
            name = draw(st.sampled_from(["P1", "P3", "P5"]))
            priority = a_reference("priority", f"PPRIORITY{name}", name)
        shown: dict[str, Any] = {"assignees": [] if status == "resolved" else people, "priority": priority}
        payloads.append(an_event(event_type, REF.incident_id, at=at, status=status, **shown))
    return [received(payload, seq) for seq, payload in enumerate(payloads)]


@st.composite
def _arrivals(draw: st.DrawFn) -> tuple[list[ReceivedEvent], list[list[ReceivedEvent]]]:
    """A life, and its events as they arrive: in any order, any batches, some of them twice."""
    life = draw(_lives())
    events = draw(st.permutations(life + draw(st.lists(st.sampled_from(life), max_size=3))))
    batches: list[list[ReceivedEvent]] = [[]]
    for event in events:
        batches[-1].append(event)
        if draw(st.booleans()):
            batches.append([])
    return life, batches


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_arrivals())
def test_the_same_events_make_the_same_issue_in_any_order_and_company(
    arrivals: tuple[list[ReceivedEvent], list[list[ReceivedEvent]]],
) -> None:
    life, batches = arrivals
    in_order, _ = an_issue_after(*([event] for event in life))
    as_it_came, state = an_issue_after(*batches)
    assert as_it_came == in_order
    assert (state.status, state.severity, state.priority) == (
        in_order.status,
        in_order.severity,
        in_order.priority,
    )
