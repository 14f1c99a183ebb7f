"""What a run and a person's decision make of a finding."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from calmo_pagerduty.findings.lifecycle import (
    IT_IS_OVER,
    NOT_FOUND_ANY_MORE,
    OPEN_STATES,
    TRANSITIONS,
    Change,
    FindingDecisionRefused,
    FindingEventKind,
    FindingState,
    StoredFinding,
    Trigger,
    change_when_decided,
    change_when_found,
    change_when_gone,
    is_conclusive,
)
from calmo_pagerduty.findings.model import AnalysisInputs, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from tests.support.findings import DAY, HOUR, NOON, a_finding, a_gap, a_result

AT = datetime.fromtimestamp(NOON, UTC)
HIGH, MEDIUM, CRITICAL = FindingSeverity.HIGH, FindingSeverity.MEDIUM, FindingSeverity.CRITICAL


def a_stored(state: FindingState, severity: FindingSeverity = HIGH, is_present: bool = True) -> StoredFinding:
    finding = a_finding(severity=severity)
    decided = severity if state is FindingState.DISMISSED else None
    return StoredFinding(
        7, "con_a", "coverage", finding, state, is_present, AT, AT, AT, decided_severity=decided
    )


def test_the_table_is_total() -> None:
    assert set(TRANSITIONS) == set(FindingState)
    for row in TRANSITIONS.values():
        assert set(row) == set(Trigger)


@pytest.mark.parametrize("state", FindingState)
def test_a_run_is_never_refused_and_leaves_no_found_finding_resolved(state: FindingState) -> None:
    for severity in FindingSeverity:
        assert change_when_found(a_stored(state), severity).state is not FindingState.RESOLVED
    gone = change_when_gone(a_stored(state), NOON)
    assert gone.state in {FindingState.RESOLVED, FindingState.DISMISSED}
    assert gone.state not in OPEN_STATES


def test_found_again_as_before_is_no_event() -> None:
    for state in (FindingState.NEW, FindingState.ACCEPTED, FindingState.RETURNED, FindingState.DISMISSED):
        assert change_when_found(a_stored(state), HIGH) == Change(state)


def test_a_resolved_finding_returns() -> None:
    change = change_when_found(a_stored(FindingState.RESOLVED), HIGH)
    assert (change.state, change.kind) == (FindingState.RETURNED, FindingEventKind.RETURNED)


def test_a_dismissed_finding_returns_only_when_it_is_worse_than_when_it_was_dismissed() -> None:
    dismissed = a_stored(FindingState.DISMISSED, HIGH)
    assert change_when_found(dismissed, MEDIUM).state is FindingState.DISMISSED
    eased = replace(dismissed, finding=a_finding(severity=MEDIUM))
    assert change_when_found(eased, HIGH).state is FindingState.DISMISSED
    worse = change_when_found(eased, CRITICAL)
    assert worse == Change(
        FindingState.RETURNED, FindingEventKind.RETURNED, "its severity was medium and is critical"
    )


def test_a_change_of_severity_is_an_event() -> None:
    stored = a_stored(FindingState.ACCEPTED, HIGH)
    assert change_when_found(stored, CRITICAL).kind is FindingEventKind.WORSENED
    assert change_when_found(stored, MEDIUM).kind is FindingEventKind.EASED


def test_a_dismissed_finding_stays_dismissed_when_it_is_gone() -> None:
    assert change_when_gone(a_stored(FindingState.DISMISSED), NOON) == Change(FindingState.DISMISSED)


def test_a_resolution_says_whether_the_time_is_over_or_the_cause_is_gone() -> None:
    ahead = replace(a_stored(FindingState.NEW), finding=a_gap())
    assert change_when_gone(ahead, NOON).reason == NOT_FOUND_ANY_MORE
    assert change_when_gone(ahead, NOON + 2 * DAY).reason == IT_IS_OVER


def test_a_decision_can_be_undone() -> None:
    for trigger in (Trigger.ACCEPT, Trigger.DISMISS):
        decided = change_when_decided(a_stored(FindingState.NEW), trigger, "known").state
        assert change_when_decided(a_stored(decided), Trigger.UNDO, None).state is FindingState.NEW
        gone = a_stored(decided, is_present=False)
        assert change_when_decided(gone, Trigger.UNDO, None).state is FindingState.RESOLVED


@pytest.mark.parametrize(
    ("state", "trigger"),
    [
        (FindingState.RESOLVED, Trigger.ACCEPT),
        (FindingState.RESOLVED, Trigger.DISMISS),
        (FindingState.RESOLVED, Trigger.UNDO),
        (FindingState.NEW, Trigger.UNDO),
        (FindingState.RETURNED, Trigger.UNDO),
    ],
)
def test_a_decision_without_sense_is_refused(state: FindingState, trigger: Trigger) -> None:
    with pytest.raises(FindingDecisionRefused, match="finding 7"):
        change_when_decided(a_stored(state), trigger, None)


def test_the_same_decision_again_is_no_event() -> None:
    decided = replace(a_stored(FindingState.DISMISSED), reason="known")
    assert change_when_decided(decided, Trigger.DISMISS, "known").kind is None
    assert change_when_decided(decided, Trigger.DISMISS, "it is a drill").kind is FindingEventKind.DISMISSED


def inputs(**changed: Any) -> AnalysisInputs:
    return replace(AnalysisInputs(counts={}, fetched_at=NOON), **changed)


@pytest.mark.parametrize(
    ("given", "conclusive"),
    [
        (inputs(), True),
        (inputs(truncated=("log_entries",)), False),
        (inputs(missing_permissions=("users",)), False),
        (inputs(truncated=("log_entries",), conclusive_codes=("policy_gap",)), True),
        (inputs(conclusive_codes=("cliff",)), False),
        (inputs(unjudged_ids=("PSHOP",)), False),
        (inputs(unjudged_ids=("POTHER",)), True),
    ],
)
def test_what_was_truncated_or_hidden_resolves_nothing(given: AnalysisInputs, conclusive: bool) -> None:
    assert is_conclusive(a_result(inputs=given), a_finding()) is conclusive


def test_a_shorter_window_resolves_nothing_beyond_it() -> None:
    gap = a_gap()
    assert gap.at is not None
    short = a_result(window=Span(NOON, NOON + HOUR))
    assert not is_conclusive(short, gap)
    assert is_conclusive(a_result(window=Span(NOON, NOON + 2 * DAY)), gap)
    assert is_conclusive(a_result(now=gap.at.end, window=Span(gap.at.end, gap.at.end + HOUR)), gap)
