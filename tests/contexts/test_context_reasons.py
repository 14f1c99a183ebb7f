"""When an incident's context is wanted, and when it isn't."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.connections.severity import Severity, is_more_severe, severity_of
from calmo_pagerduty.incidents.lifecycle import (
    ContextReason,
    EventFacts,
    IncidentState,
    LifecyclePolicy,
    RequestContext,
    context_request_after_merge,
    decide,
)
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, facts, minutes

GATHERS = LifecyclePolicy(gathers_context=True)
RESOLVED = IncidentStatus.RESOLVED


def reasons(
    *batches: tuple[EventFacts, ...], now: datetime = NOON, policy: LifecyclePolicy = GATHERS
) -> list[str]:
    """Return why contexts were wanted, batch by batch."""
    state, found = IncidentState(), []
    for batch in batches:
        decision = decide(state, batch, now, policy)
        state = decision.state
        found += [effect.reason.value for effect in decision.effects if isinstance(effect, RequestContext)]
    return found


def triggered(**of: Any) -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON, **of)


def later(event_type: EventType, **of: Any) -> EventFacts:
    return facts(event_type, at=NOON + minutes(5), **of)


def test_the_first_event_wants_one_whatever_it_is() -> None:
    assert reasons((triggered(),)) == ["first event"]
    assert reasons((later(EventType.ACKNOWLEDGED, status=IncidentStatus.ACKNOWLEDGED),)) == ["first event"]


def test_a_policy_without_contexts_wants_none() -> None:
    assert reasons((triggered(),), policy=LifecyclePolicy()) == []


def test_acknowledging_resolving_and_notes_want_none() -> None:
    assert reasons(
        (triggered(),),
        (later(EventType.ACKNOWLEDGED, status=IncidentStatus.ACKNOWLEDGED),),
        (later(EventType.ANNOTATED),),
        (later(EventType.RESOLVED, status=RESOLVED),),
    ) == ["first event"]


def test_an_incident_that_is_over_when_it_is_first_seen_wants_none() -> None:
    assert reasons((triggered(), later(EventType.RESOLVED, status=RESOLVED))) == []


def test_what_happened_more_than_a_day_ago_wants_none() -> None:
    assert reasons((triggered(),), now=NOON + timedelta(hours=25)) == []
    assert reasons((triggered(),), now=NOON + timedelta(hours=23)) == ["first event"]


def test_a_reopening_wants_another() -> None:
    resolved = (later(EventType.RESOLVED, status=RESOLVED),)
    again = (facts(EventType.REOPENED, at=NOON + minutes(9), status=IncidentStatus.TRIGGERED),)
    assert reasons((triggered(),), resolved, again) == ["first event", "reopened"]
    assert reasons((triggered(),), (*resolved, *again)) == ["first event", "reopened"], "told at once"


@pytest.mark.parametrize(
    ("before", "after", "is_raised"),
    [
        ("P3", "P1", True),
        ("P2", "P1", True),
        ("P1", "P2", False),
        ("P1", "P4", False),
        (None, "P1", True),
        (None, "P5", False),
        ("P3", "P3", False),
        ("P3", None, False),
    ],
)
def test_a_raised_priority_wants_another_and_a_lowered_one_does_not(
    before: str | None, after: str | None, is_raised: bool
) -> None:
    found = reasons((triggered(priority=before),), (later(EventType.PRIORITY_UPDATED, priority=after),))
    assert found == ["first event"] + ["priority raised"] * is_raised


def test_another_service_wants_another() -> None:
    moved = (later(EventType.SERVICE_UPDATED, service_id="PELSEWHERE"),)
    assert reasons((triggered(service_id="PSHOP"),), moved) == ["first event", "service changed"]
    # Learning the service for the first time is no change of it.
    assert reasons((triggered(service_id=None),), moved) == ["first event"]


def test_late_and_repeated_events_want_none() -> None:
    newest = later(EventType.ACKNOWLEDGED, status=IncidentStatus.ACKNOWLEDGED, priority="P3")
    late = triggered(priority="P1")
    assert reasons((newest,), (late,), (newest,)) == ["first event"]


def test_a_new_run_that_learns_of_an_earlier_life_wants_one_only_if_it_was_reopened() -> None:
    first = RequestContext(reason=ContextReason.FIRST_EVENT)
    assert context_request_after_merge(first, IncidentState(status=RESOLVED), had_earlier_run=True) is None
    reopened = context_request_after_merge(first, IncidentState(), had_earlier_run=True)
    assert reopened == RequestContext(reason=ContextReason.REOPENED)
    assert context_request_after_merge(first, IncidentState(), had_earlier_run=False) == first
    raised = RequestContext(reason=ContextReason.PRIORITY_RAISED)
    assert context_request_after_merge(raised, IncidentState(), had_earlier_run=True) == raised


def test_a_number_tells_priorities_of_one_severity_apart() -> None:
    def more(priority: str, other: str) -> bool:
        return is_more_severe(priority, severity_of(priority), other, severity_of(other))

    assert more("P1", "P2") and not more("P2", "P1") and not more("P1", "P1")
    assert not more("Critical", "High") and not more("P1", "Critical")
    assert is_more_severe("SEV-1", Severity.MEDIUM, "sev 2", Severity.MEDIUM)
