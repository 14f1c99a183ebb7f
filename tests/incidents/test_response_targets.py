"""Response targets: when one is near, missed or met, what is said once, and what is escalated."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.connections.response_targets import Goal, ResponseTargets, SeverityTargets
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.response_targets import (
    ResponseClock,
    TargetState,
    due_notices,
    escalation_goal,
    pending_notices,
    response_clock_of,
    response_times_of,
)
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import RESPONSE_TARGET_MISSED, RESPONSE_TARGET_NEAR, IncidentStatus
from tests.support.builders import NOON, minutes

FIVE_AND_SIXTY = SeverityTargets(acknowledge_minutes=5, resolve_minutes=60)
TARGETS = ResponseTargets(by_severity={Severity.CRITICAL: FIVE_AND_SIXTY}, escalates_on_miss=True)


def progress(**fields: Any) -> ResponseClock:
    plain = {"opened_at": NOON, "status": IncidentStatus.TRIGGERED, "severity": Severity.CRITICAL}
    return ResponseClock(**{**plain, **fields})


def states(found: ResponseClock, at: float) -> dict[Goal, TargetState]:
    targets = response_times_of(found, TARGETS).targets or {}
    return {goal: target.state(NOON + minutes(at)) for goal, target in targets.items()}


def said(found: ResponseClock, at: float, *before: str) -> list[tuple[str, str]]:
    pending = pending_notices(found, TARGETS, before)
    return [(notice.goal, notice.event_type) for notice in due_notices(pending, NOON + minutes(at))]


@pytest.mark.parametrize(
    ("at", "acknowledge", "resolve"),
    [
        (0, "running", "running"),
        (3.99, "running", "running"),
        (4, "near", "running"),
        (5, "missed", "running"),
        (48, "missed", "near"),
        (60, "missed", "missed"),
    ],
)
def test_a_target_is_near_after_four_fifths_of_its_time(at: float, acknowledge: str, resolve: str) -> None:
    assert states(progress(), at) == {Goal.ACKNOWLEDGE: acknowledge, Goal.RESOLVE: resolve}


def test_what_was_reached_in_time_is_met_for_good() -> None:
    done = progress(
        status=IncidentStatus.RESOLVED, acknowledged_at=NOON + minutes(5), resolved_at=NOON + minutes(61)
    )
    assert states(done, 999) == {Goal.ACKNOWLEDGE: "met", Goal.RESOLVE: "missed"}
    assert response_times_of(done, None).acknowledged_in == minutes(5)
    assert response_times_of(done, None).resolved_in == minutes(61)


def test_who_resolves_has_acknowledged() -> None:
    assert states(progress(resolved_at=NOON + minutes(4)), 10)[Goal.ACKNOWLEDGE] == "met"


def test_a_severity_without_targets_has_none() -> None:
    assert states(progress(severity=Severity.INFO), 100) == {}
    assert pending_notices(progress(severity=Severity.INFO), TARGETS, ()) == ()
    assert pending_notices(progress(), None, ()) == ()


def test_each_thing_is_said_once_and_nothing_is_near_that_is_missed() -> None:
    assert said(progress(), 3) == []
    assert said(progress(), 4.5) == [("acknowledge", RESPONSE_TARGET_NEAR)]
    assert said(progress(), 7) == [("acknowledge", RESPONSE_TARGET_MISSED)]
    pending = pending_notices(progress(), TARGETS, ())
    near, missed = pending[0].event_id, pending[1].event_id
    assert said(progress(), 4.5, near) == []
    assert said(progress(), 7, near) == [("acknowledge", RESPONSE_TARGET_MISSED)]
    assert said(progress(), 7, near, missed) == []
    assert [notice.goal for notice in pending_notices(progress(), TARGETS, (missed,))] == [
        Goal.RESOLVE,
        Goal.RESOLVE,
    ]


def test_an_acknowledgement_ends_what_was_pending_and_a_late_one_is_said() -> None:
    in_time = progress(status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=NOON + minutes(4.5))
    late = progress(status=IncidentStatus.ACKNOWLEDGED, acknowledged_at=NOON + minutes(6))
    assert said(in_time, 10) == []
    assert said(late, 10) == [("acknowledge", RESPONSE_TARGET_MISSED)]


def test_another_opening_has_targets_of_its_own() -> None:
    first = {notice.event_id for notice in pending_notices(progress(), TARGETS, ())}
    again = pending_notices(progress(opened_at=NOON + minutes(90)), TARGETS, first)
    assert len(again) == 4
    assert again[0].at == NOON + minutes(94)


def test_a_missed_target_is_escalated_only_while_it_is_open_and_if_that_is_wanted() -> None:
    at = NOON + minutes(6)
    assert escalation_goal(progress(), TARGETS, NOON + minutes(4)) is None
    assert escalation_goal(progress(), TARGETS, at) is Goal.ACKNOWLEDGE
    assert escalation_goal(progress(acknowledged_at=NOON + minutes(5.5)), TARGETS, at) is None
    assert escalation_goal(progress(), TARGETS, NOON + minutes(61)) is Goal.RESOLVE
    off = TARGETS.model_copy(update={"escalates_on_miss": False})
    assert escalation_goal(progress(), off, at) is None


def an_issue(**fields: Any) -> Issue:
    plain: dict[str, Any] = {
        "ref": IncidentRef(connection_id="con_1", incident_id="Q1"),
        "scope": Scope.parse("personal:robin"),
        "title": "x",
        "status": IncidentStatus.TRIGGERED,
        "severity": Severity.CRITICAL,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Issue(**{**plain, **fields})


def test_after_a_reopening_the_clock_begins_anew() -> None:
    reopened = an_issue(
        acknowledged_at=NOON + minutes(2),
        reopened_at=NOON + minutes(90),
        resolved_at=None,
    )
    assert response_clock_of(reopened).opened_at == NOON + minutes(90)
    assert response_clock_of(reopened).acknowledged_at is None
    again = response_clock_of(reopened, NOON + minutes(93))
    assert response_times_of(again, TARGETS).acknowledged_in == minutes(3)


@given(st.floats(0, 120), st.floats(0, 120), st.floats(0, 240))
def test_whenever_it_is_looked_at_the_same_is_said_in_the_end(
    acknowledged: float, first_look: float, last_look: float
) -> None:
    """Looks may come late, or not at all: what was missed is said, and never twice."""
    done = progress(acknowledged_at=NOON + minutes(acknowledged), status=IncidentStatus.ACKNOWLEDGED)
    before: set[str] = set()
    for look in sorted([first_look, last_look, 300]):
        known = done if look >= acknowledged else progress()
        now = NOON + minutes(look)
        new = {notice.event_id for notice in due_notices(pending_notices(known, TARGETS, before), now)}
        assert not new & before
        before |= new
    missed = {event_id for event_id in before if event_id.startswith("target:missed:acknowledge")}
    assert bool(missed) == (timedelta(minutes=acknowledged) > timedelta(minutes=5))
