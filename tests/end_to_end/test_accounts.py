"""The ledger's own checks find what they look for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pagerduty_simulator.events import Event
from pagerduty_simulator.reference_fold import expected_state
from pagerduty_simulator.storms import random_storm
from tests.support.accounts import Books, KeptIssue, disordered, doubled, lost, wrong

TOLD = random_storm(7, 1, 5, begins_at=datetime(2026, 6, 1, tzinfo=UTC))
EXPECTED = expected_state(TOLD)


def right_issue(told: tuple[Event, ...] = TOLD) -> KeptIssue:
    (incident_id,) = EXPECTED
    end = EXPECTED[incident_id]
    severities = {"P1": "critical", "P2": "critical", "P3": "warning", "P4": "info", "P5": "info"}
    return KeptIssue(
        incident_id=incident_id,
        status=str(end.status),
        priority=end.priority,
        severity=severities.get(end.priority or "", "medium"),
        needs_reconcile=False,
        timeline=tuple(event.id for event in told),
        times=tuple(event.occurred_at for event in told),
        changed_by=len(told),
    )


def books_of(*issues: KeptIssue) -> Books:
    return Books(issues, {"applied": len(TOLD)}, duplicates=0, sent_again=0, dead_letters=0)


def acknowledged() -> dict[str, str | None]:
    return {event.id: event.incident_id for event in TOLD}


def test_right_books_raise_no_objection() -> None:
    books = books_of(right_issue())
    assert lost(books, acknowledged()) == set()
    assert doubled(books) == set()
    assert wrong(books, EXPECTED) == {}
    assert disordered(books, TOLD) == []


def test_an_acknowledged_event_without_a_timeline_entry_is_lost() -> None:
    books = books_of(right_issue(TOLD[:-1]))
    assert lost(books, acknowledged()) == {TOLD[-1].id}
    assert wrong(books, EXPECTED).keys() == EXPECTED.keys()


def test_a_repeated_entry_a_second_issue_and_a_change_without_an_event_are_doubled() -> None:
    right = right_issue()
    repeated = replace(right, timeline=(*right.timeline, TOLD[0].id), changed_by=len(TOLD) + 1)
    assert doubled(books_of(repeated)) == {TOLD[0].id}
    assert right.incident_id in doubled(books_of(right, right))
    assert doubled(books_of(replace(right, changed_by=len(TOLD) + 1))) == {right.incident_id}


def test_another_status_priority_or_severity_is_wrong() -> None:
    right = right_issue()
    for twisted in (
        replace(right, status="unheard-of"),
        replace(right, priority="P9"),
        replace(right, severity="unheard-of"),
    ):
        assert wrong(books_of(twisted), EXPECTED).keys() == {right.incident_id}
    assert wrong(books_of(), EXPECTED).keys() == {right.incident_id}


def test_a_timeline_out_of_order_or_with_other_times_is_disordered() -> None:
    right = right_issue()
    later = tuple(at + timedelta(milliseconds=1) for at in right.times)
    assert disordered(books_of(right_issue(TOLD[::-1])), TOLD) == [right.incident_id]
    assert disordered(books_of(replace(right, times=later)), TOLD) == [right.incident_id]
