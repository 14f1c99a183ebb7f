"""Which of PagerDuty's log entries a timeline lacks."""

from datetime import timedelta
from typing import Any

from calmo_pagerduty.pagerduty.log_entries import LogEntry, TimelineEvent, missing_entries, superseded_entries
from calmo_pagerduty.pagerduty.webhook_events import Reference
from tests.support.builders import NOON

ANN, BEN = Reference("PANN", "user_reference", "Ann"), Reference("PBEN", "user_reference", "Ben")


def entry(
    identity: str, kind: str, seconds: float = 0, agent: Reference | None = ANN, text: str = ""
) -> LogEntry:
    return LogEntry(identity, kind, "PINC", NOON + timedelta(seconds=seconds), agent, text)


def event(kind: str, seconds: float = 0, actor: Reference | None = ANN, **fields: Any) -> TimelineEvent:
    at = NOON + timedelta(seconds=seconds)
    known = {"event_id": f"01{kind}{seconds}", "actor_id": actor.id if actor else None, **fields}
    return TimelineEvent(event_type=f"incident.{kind}", occurred_at=at, **known)


def lacking(entries: list[LogEntry], known: list[TimelineEvent]) -> list[str]:
    return [log_entry.id for log_entry in missing_entries(entries, known)]


def test_an_event_within_the_second_of_its_entry_is_the_same() -> None:
    assert lacking([entry("R1", "resolve")], [event("resolved", 0.9)]) == []


def test_an_event_some_seconds_off_is_the_same_and_one_a_minute_off_is_another() -> None:
    assert lacking([entry("R1", "acknowledge")], [event("acknowledged", 4)]) == []
    assert lacking([entry("R1", "acknowledge")], [event("acknowledged", -4)]) == []
    assert lacking([entry("R1", "acknowledge")], [event("acknowledged", 60)]) == ["R1"]
    assert lacking([entry("R1", "acknowledge")], [event("acknowledged", -60)]) == ["R1"]


def test_another_person_did_another_thing_and_nobody_may_be_anybody() -> None:
    assert lacking([entry("R1", "acknowledge", agent=BEN)], [event("acknowledged")]) == ["R1"]
    assert lacking([entry("R1", "acknowledge", agent=None)], [event("acknowledged")]) == []
    assert lacking([entry("R1", "acknowledge")], [event("acknowledged", actor=None)]) == []


def test_other_words_of_one_person_are_another_note() -> None:
    known = [event("annotated", summary="note added by Ann: second")]
    first, second = entry("R1", "annotate", text="first"), entry("R2", "annotate", text="second")
    assert lacking([first, second], known) == ["R1"]


def test_an_event_tells_one_entry_the_nearest() -> None:
    entries = [entry("R1", "reassign"), entry("R2", "escalate", 3), entry("R3", "escalate", 1)]
    assert lacking(entries, [event("escalated", 3.5)]) == ["R3"]


def test_what_was_added_before_is_known_by_its_id_and_takes_no_other_entrys_place() -> None:
    known = [event("escalated", event_id="log:R1"), event("escalated", 1.2)]
    assert lacking([entry("R1", "escalate"), entry("R2", "escalate", 1)], known) == []
    assert lacking([entry("R1", "escalate"), entry("R2", "escalate", 1)], known[:1]) == ["R2"]


def test_an_assignment_that_is_part_of_something_else_is_no_event() -> None:
    assert lacking([entry("R1", "assign", 1), entry("R2", "trigger")], [event("triggered")]) == []
    assert lacking([entry("R1", "assign", 30), entry("R2", "trigger")], [event("triggered")]) == ["R1"]


def test_a_late_webhook_takes_the_place_of_its_own_entry_only() -> None:
    added = [event("acknowledged", 0, event_id="log:R1"), event("resolved", 9, event_id="log:R2")]
    assert superseded_entries(added, [event("acknowledged", 0.4)]) == {"log:R1"}
    assert superseded_entries(added, [event("acknowledged", 0.4, BEN)]) == set()
    assert superseded_entries(added, [event("acknowledged", 60)]) == set()
    assert superseded_entries(added, [event("escalated", 0)]) == set()


def test_a_late_note_takes_the_place_of_the_entry_with_its_words() -> None:
    added = [
        event("annotated", 0, event_id="log:R1", summary="note added by Ann: first (reconciled)"),
        event("annotated", 0, event_id="log:R2", summary="note added by Ann: second (reconciled)"),
    ]
    assert superseded_entries(added, [event("annotated", 0.2, summary="note added by Ann: second")]) == {
        "log:R2"
    }
