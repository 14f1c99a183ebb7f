"""What `decide` decides, by example."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.lifecycle import (
    MAX_REMEMBERED_EVENTS,
    Decision,
    EventFacts,
    IncidentState,
    LifecyclePolicy,
    Publish,
    SaveEvents,
    decide,
    merge_states,
)
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, facts, minutes

POLICY = LifecyclePolicy(complete_after=timedelta(hours=24))
ACKNOWLEDGED, RESOLVED = IncidentStatus.ACKNOWLEDGED, IncidentStatus.RESOLVED


def decided(
    *events: EventFacts,
    state: IncidentState | None = None,
    now: datetime = NOON,
    policy: LifecyclePolicy = POLICY,
) -> Decision:
    return decide(state or IncidentState(), events, now, policy)


def after(*batches: Iterable[EventFacts], now: datetime = NOON) -> IncidentState:
    state = IncidentState()
    for batch in batches:
        state = decided(*batch, state=state, now=now).state
    return state


def saved(decision: Decision) -> tuple[EventFacts, ...]:
    return tuple(
        event for effect in decision.effects if isinstance(effect, SaveEvents) for event in effect.events
    )


def published(decision: Decision) -> list[Publish]:
    return [effect for effect in decision.effects if isinstance(effect, Publish)]


@pytest.mark.parametrize("event_type", list(EventType))
def test_any_event_may_be_the_first(event_type: EventType) -> None:
    event = facts(event_type, status=ACKNOWLEDGED)
    decision = decided(event)
    assert saved(decision) == (event,)
    assert decision.state.status is ACKNOWLEDGED
    assert decision.state.last_event_type == event_type


def test_an_event_of_a_type_that_nobody_knows_yet_is_saved() -> None:
    event = facts("incident.teleported", shows_incident=False)
    decision = decided(event)
    assert saved(decision) == (event,)
    assert decision.state.last_event_type == "incident.teleported"


def test_an_event_that_does_not_show_the_incident_moves_nothing() -> None:
    before = after([facts(EventType.ACKNOWLEDGED, status=ACKNOWLEDGED, priority="P1")])
    note = facts(EventType.ANNOTATED, at=NOON + minutes(1), shows_incident=False)
    decision = decided(note, state=before)
    assert (decision.state.status, decision.state.severity) == (ACKNOWLEDGED, Severity.CRITICAL)
    assert decision.state.as_of == NOON
    assert [event.moved for event in decision.state.remembered] == [True, False]


def test_a_first_event_without_a_picture_makes_a_triggered_incident_whose_picture_is_unknown() -> None:
    state = after([facts(EventType.ANNOTATED, shows_incident=False)])
    assert state.status is IncidentStatus.TRIGGERED
    assert state.as_of is None


def test_a_duplicate_changes_nothing_and_has_no_effects() -> None:
    event = facts(EventType.TRIGGERED, priority="P2")
    before = after([event])
    decision = decided(event, state=before, now=NOON + minutes(9))
    assert decision == Decision(state=before)


def test_a_duplicate_with_another_number_in_our_log_changes_nothing() -> None:
    event = facts(EventType.TRIGGERED, seq=1)
    before = after([event])
    assert decided(event.model_copy(update={"seq": 2}), state=before) == Decision(state=before)


def test_a_duplicate_within_one_batch_is_saved_once() -> None:
    event = facts(EventType.TRIGGERED)
    assert saved(decided(event, event)) == (event,)


def test_an_older_event_is_saved_without_moving_anything() -> None:
    before = after([facts(EventType.RESOLVED, at=NOON + minutes(5), status=RESOLVED, priority="P1")])
    older = facts(EventType.ACKNOWLEDGED, at=NOON, status=ACKNOWLEDGED, priority="P5")
    decision = decided(older, state=before)
    assert saved(decision) == (older,)
    assert not published(decision)
    assert (decision.state.status, decision.state.priority) == (RESOLVED, "P1")
    assert decision.state.completes_at == before.completes_at
    assert decision.state.last_event_type == EventType.RESOLVED


def test_of_two_events_of_the_same_moment_the_later_in_our_log_tells_the_status() -> None:
    first = facts(EventType.TRIGGERED, seq=1)
    second = facts(EventType.ACKNOWLEDGED, seq=2, status=ACKNOWLEDGED)
    assert after([first, second]).status is ACKNOWLEDGED
    assert after([second], [first]).status is ACKNOWLEDGED


def test_a_batch_is_applied_in_the_order_of_occurrence_not_of_arrival() -> None:
    resolved = facts(EventType.RESOLVED, at=NOON + minutes(2), seq=1, status=RESOLVED)
    triggered = facts(EventType.TRIGGERED, at=NOON, seq=2)
    decision = decided(resolved, triggered)
    assert saved(decision) == (triggered, resolved)
    assert decision.state.status is RESOLVED


def test_a_resolved_incident_completes_after_the_policys_time() -> None:
    assert after([facts(EventType.RESOLVED, status=RESOLVED)]).completes_at == NOON + timedelta(hours=24)


def test_further_events_do_not_put_completion_off() -> None:
    before = after([facts(EventType.RESOLVED, status=RESOLVED)])
    again = facts(EventType.PRIORITY_UPDATED, at=NOON + minutes(3), status=RESOLVED, priority="P1")
    note = facts(EventType.ANNOTATED, at=NOON + minutes(4), shows_incident=False)
    state = decided(again, note, state=before, now=NOON + minutes(5)).state
    assert state.completes_at == before.completes_at
    assert state.severity is Severity.CRITICAL


def test_reopening_cancels_completion_and_another_resolve_sets_it_anew() -> None:
    resolved = after([facts(EventType.RESOLVED, status=RESOLVED)])
    reopened = decided(facts(EventType.REOPENED, at=NOON + minutes(1)), state=resolved)
    assert reopened.state.status is IncidentStatus.TRIGGERED
    assert reopened.state.completes_at is None
    later = NOON + timedelta(hours=30)
    again = decided(facts(EventType.RESOLVED, at=later, status=RESOLVED), state=reopened.state, now=later)
    assert again.state.completes_at == later + timedelta(hours=24)


def test_a_reopening_may_find_the_incident_acknowledged() -> None:
    resolved = after([facts(EventType.RESOLVED, status=RESOLVED)])
    reopened = facts(EventType.REOPENED, at=NOON + minutes(1), status=ACKNOWLEDGED)
    assert decided(reopened, state=resolved).state.status is ACKNOWLEDGED


def test_the_first_decision_publishes_even_if_it_tells_nothing_new() -> None:
    assert len(published(decided(facts(EventType.ANNOTATED, shows_incident=False)))) == 1


def test_it_publishes_only_what_has_changed() -> None:
    before = after([facts(EventType.TRIGGERED, service_id="PBASKET", team_ids=("PWEB",))])
    same = facts(EventType.ESCALATED, at=NOON + minutes(1), service_id="PBASKET", team_ids=("PWEB",))
    assert published(decided(same, state=before)) == []
    moved = facts(EventType.SERVICE_UPDATED, at=NOON + minutes(1), service_id="PCART", team_ids=("PWEB",))
    assert [effect.service_id for effect in published(decided(moved, state=before))] == ["PCART"]


def test_saving_comes_before_publishing() -> None:
    kinds = [type(effect) for effect in decided(facts(EventType.TRIGGERED)).effects]
    assert kinds == [SaveEvents, Publish]


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("SEV1", Severity.CRITICAL),
        ("sev1 ", Severity.CRITICAL),
        ("P1", Severity.INFO),
        ("P2", Severity.CRITICAL),
        ("something else", Severity.MEDIUM),
        (None, Severity.MEDIUM),
    ],
)
def test_a_connections_own_priority_names_win(priority: str | None, severity: Severity) -> None:
    policy = LifecyclePolicy(severities={"sev1": Severity.CRITICAL, "p1": Severity.INFO})
    event = facts(EventType.TRIGGERED, priority=priority)
    assert decided(event, policy=policy).state.severity is severity


def test_a_removed_priority_takes_the_severity_with_it() -> None:
    before = after([facts(EventType.TRIGGERED, priority="P1")])
    removed = facts(EventType.PRIORITY_UPDATED, at=NOON + minutes(1), priority=None)
    state = decided(removed, state=before).state
    assert (state.priority, state.severity) == (None, Severity.MEDIUM)


def test_an_event_that_shows_no_status_keeps_the_one_there_was() -> None:
    before = after([facts(EventType.ACKNOWLEDGED, status=ACKNOWLEDGED)])
    event = facts(EventType.ESCALATED, at=NOON + minutes(1), status=None, priority="P3")
    state = decided(event, state=before).state
    assert (state.status, state.severity) == (ACKNOWLEDGED, Severity.WARNING)


def test_the_number_stays_known() -> None:
    before = after([facts(EventType.TRIGGERED, number=42)])
    assert decided(facts(EventType.ESCALATED, at=NOON + minutes(1)), state=before).state.number == 42


def test_only_the_latest_events_are_remembered() -> None:
    events = [facts(EventType.ESCALATED, at=NOON + minutes(n)) for n in range(MAX_REMEMBERED_EVENTS + 5)]
    state = after(events)
    assert [event.event_id for event in state.remembered] == [event.event_id for event in events[5:]]


def test_no_events_decide_nothing() -> None:
    before = after([facts(EventType.TRIGGERED)])
    assert decided(state=before) == Decision(state=before)


@pytest.mark.parametrize(
    "crafted",
    [
        {"occurred_at": "2026-06-01T12:00:00"},
        {"occurred_at": "9999-12-31T23:59:59-12:00"},
        {"event_id": "with\x00nul"},
        {"event_id": "x" * 201},
        {"seq": 2**63},
        {"seq": -1},
        {"number": 2**63},
        {"team_ids": ["PTEAM"] * 101},
    ],
)
def test_facts_that_could_not_be_saved_are_not_facts(crafted: dict[str, object]) -> None:
    whole = facts(EventType.TRIGGERED).model_dump(mode="json")
    with pytest.raises(ValueError, match="validation error"):
        EventFacts.model_validate(whole | crafted)


def test_times_with_any_zone_become_utc() -> None:
    whole = facts(EventType.TRIGGERED).model_dump(mode="json")
    event = EventFacts.model_validate(whole | {"occurred_at": "2026-06-01T14:00:00+02:00"})
    assert event.occurred_at.isoformat() == "2026-06-01T12:00:00+00:00"


def test_an_event_sent_again_is_saved_again_even_if_it_is_remembered() -> None:
    event = facts(EventType.TRIGGERED, at=NOON)
    before = decide(IncidentState(), [event], NOON, LifecyclePolicy()).state
    again = event.model_copy(update={"again": True})
    decision = decide(before, [again], NOON, LifecyclePolicy())
    assert decision.effects == (SaveEvents(events=(again,)),)
    assert decision.state == before


def test_a_run_that_learns_of_an_earlier_life_goes_on_with_it() -> None:
    resolved = facts(EventType.RESOLVED, at=NOON + minutes(9), status=IncidentStatus.RESOLVED)
    late = facts(EventType.ACKNOWLEDGED, at=NOON, status=IncidentStatus.ACKNOWLEDGED)
    known = decide(IncidentState(), [resolved], NOON, LifecyclePolicy()).state
    mine = decide(IncidentState(), [late], NOON, LifecyclePolicy()).state
    after_a_late_event = merge_states(known, mine, anything_new=True)
    assert after_a_late_event.status is IncidentStatus.RESOLVED
    assert after_a_late_event.completes_at is None
    assert merge_states(known, known, anything_new=True).completes_at == known.completes_at
    assert merge_states(known, known, anything_new=False).completes_at is None
