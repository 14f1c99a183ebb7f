"""Whatever goes wrong, no event is lost and no incident is stuck: it is applied, or set aside to be seen."""

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RawValue
from temporalio.worker import UnsandboxedWorkflowRunner

from calmo_pagerduty.incidents.lifecycle import Decision, EventFacts, IncidentState, LifecyclePolicy, decide
from calmo_pagerduty.incidents.model import apply_events
from calmo_pagerduty.incidents.signals import RECEIVE_EVENTS
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, a_note, an_event, facts, minutes
from tests.support.eventually import eventually
from tests.support.impatience import impatient_database
from tests.support.incident_runs import IncidentRuns

OF_NO_KNOWN_ENCODING = RawValue(Payload(metadata={"encoding": b"binary/enigma"}, data=b"\xff\x00\x80"))


CANARY = "Ada wrote this"


def triggered() -> EventFacts:
    return facts(EventType.TRIGGERED, at=NOON)


def resolved() -> EventFacts:
    return facts(EventType.RESOLVED, at=NOON + minutes(30), status=IncidentStatus.RESOLVED)


async def test_signals_that_no_one_understands_are_set_aside_and_the_incident_goes_on(
    runs: IncidentRuns,
) -> None:
    ref = runs.an_incident()
    handle = runs.handle(ref)
    async with runs.worker():
        await runs.deliver(ref, triggered())
        await handle.signal("pause", "please")
        await handle.signal(RECEIVE_EVENTS, {"v": 9, "news": []})
        await handle.signal(RECEIVE_EVENTS, OF_NO_KNOWN_ENCODING)
        await handle.signal(RECEIVE_EVENTS)
        await handle.signal(RECEIVE_EVENTS, {"events": [{"event_id": "01HALF"}, _as_sent(resolved())]})
        issue = await runs.until_saved(ref, 2)
        assert issue.status is IncidentStatus.RESOLVED
        letters = await eventually(runs.letters, lambda found: len(found) >= 5)
        issue = await runs.until_saved(ref, 2)
    assert {letter.subject for letter in letters} == {ref.workflow_id}
    assert sorted(letter.reason for letter in letters) == [
        "a signal of another name: pause",
        "not an envelope of events",
        "not an envelope of events",
        "not an envelope of events",
        "not an event: event_type, occurred_at, seq",
    ]
    assert issue.needs_reconcile


@pytest.mark.each_database
async def test_an_event_that_could_never_be_saved_is_set_aside(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    crafted: tuple[dict[str, Any], ...] = (
        {"occurred_at": "2026-06-01T12:00:00"},
        {"occurred_at": "9999-12-31T23:59:59-12:00"},
        {"event_id": "with\x00nul"},
        {"seq": 2**80},
        {"number": 2**80},
        {"priority": "P" * 5000},
    )
    async with runs.worker():
        await runs.deliver(ref, triggered())
        for change in crafted:
            await runs.handle(ref).signal(
                RECEIVE_EVENTS, {"events": [_as_sent(triggered()) | change, _as_sent(triggered())]}
            )
        await runs.until_saved(ref, 1 + len(crafted))
        letters = await eventually(runs.letters, lambda found: len(found) >= len(crafted))
    assert all(letter.reason.startswith("not an event: ") for letter in letters)


async def test_more_teams_than_can_be_searched_for_do_not_stick_the_workflow(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    teams = tuple(f"PTEAM{number}".ljust(64, "X") for number in range(100))
    async with runs.worker():
        await runs.deliver(ref, facts(EventType.TRIGGERED, team_ids=teams, service_id="é" * 200))
        await runs.until_saved(ref, 1)
        await runs.deliver(ref, resolved())
        await runs.until_saved(ref, 2)


async def test_an_event_that_cannot_be_decided_is_set_aside_and_the_others_are_applied(
    runs: IncidentRuns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ref = runs.an_incident()
    poison = runs.take_in(ref, a_note(ref.incident_id))

    def decide_with_a_fault(
        state: IncidentState, events: Sequence[EventFacts], now: datetime, policy: LifecyclePolicy
    ) -> Decision:
        if any(event.event_id == poison.event_id for event in events):
            raise ZeroDivisionError("it quotes Robin's note")
        return decide(state, events, now, policy)

    monkeypatch.setattr("workflows.incident.decide", decide_with_a_fault)
    await runs.deliver(ref, triggered(), poison, resolved())
    async with runs.worker(UnsandboxedWorkflowRunner()):
        issue = await runs.until_saved(ref, 2)
        letters = await eventually(runs.letters)
        description = await runs.handle(ref).describe()
    assert issue.status is IncidentStatus.RESOLVED
    assert description.search_attributes["PdStatus"] == ["resolved"]
    assert [letter.reason for letter in letters] == ["no decision: ZeroDivisionError"]
    assert json.loads(letters[0].payload)["event_id"] == poison.event_id
    assert _delivery_states(runs) == {poison.seq: "dead_letter"}
    assert "decision_failed" in caplog.text
    assert "Robin" not in caplog.text


async def test_an_event_that_cannot_be_applied_is_set_aside_and_the_others_are_applied(
    runs: IncidentRuns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ref = runs.an_incident()
    poison = runs.take_in(ref, an_event(EventType.ESCALATED, ref.incident_id, at=NOON + minutes(1)))

    def absorb_with_a_fault(issue: Any, events: Any, *more: Any) -> Any:
        if any(received.facts.event_id == poison.event_id for received in events):
            raise ZeroDivisionError(CANARY)
        return apply_events(issue, events, *more)

    monkeypatch.setattr("calmo_pagerduty.incidents.store.apply_events", absorb_with_a_fault)
    await runs.deliver(ref, triggered(), poison, resolved())
    async with runs.worker():
        issue = await runs.until_saved(ref, 2)
        letters = await eventually(runs.letters)
        history = await runs.handle(ref).fetch_history()
    assert issue.status is IncidentStatus.RESOLVED
    assert [letter.reason for letter in letters] == ["not saved: CannotApply: ZeroDivisionError"]
    # An exception's message may quote what people wrote: it reaches neither the history nor the log.
    assert CANARY not in history.to_json()
    assert CANARY not in caplog.text
    fault = next(record for record in caplog.records if record.getMessage() == "events_not_applied")
    assert vars(fault)["error"] == "ZeroDivisionError"
    assert vars(fault)["where"].endswith(" absorb_with_a_fault")
    assert _delivery_states(runs) == {poison.seq: "dead_letter"}


async def test_events_of_an_unknown_connection_are_set_aside(runs: IncidentRuns) -> None:
    ref = IncidentRef(connection_id="con_gone", incident_id=runs.an_incident().incident_id)
    async with runs.worker():
        await runs.deliver(ref, triggered(), resolved())
        letters = await eventually(runs.letters, lambda found: len(found) >= 2)
        await runs.deliver(ref, facts(EventType.REOPENED))
        await eventually(runs.letters, lambda found: len(found) == 3)
    assert await runs.issue(ref) is None
    assert {letter.reason for letter in letters} == {"not saved: UnknownConnection: con_gone"}


async def test_what_arrived_before_a_cancellation_is_saved(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    await runs.deliver(ref, triggered())
    await runs.deliver(ref, resolved())
    await runs.handle(ref).cancel()
    async with runs.worker():
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.CANCELED
    assert await runs.types_on_timeline(ref) == [EventType.TRIGGERED, EventType.RESOLVED]


async def test_an_idle_incident_can_be_cancelled_and_goes_on_with_the_next_event(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, triggered())
        await runs.until_saved(ref, 1)
        await runs.handle(ref).cancel()
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.CANCELED
        await runs.deliver(ref, resolved())
        assert (await runs.until_saved(ref, 2)).status is IncidentStatus.RESOLVED


async def test_while_the_database_is_locked_events_wait_and_then_are_saved(
    runs: IncidentRuns, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, triggered())
        await runs.until_saved(ref, 1)
        with caplog.at_level(logging.WARNING), _locked(tmp_path / "calmo.db"):
            await runs.deliver(ref, resolved())

            async def attempts() -> int:
                return sum("save_events" in record.message for record in caplog.records)

            await eventually(attempts, lambda count: count >= 2)
            assert await runs.types_on_timeline(ref) == [EventType.TRIGGERED]
        assert (await runs.until_saved(ref, 2)).status is IncidentStatus.RESOLVED


async def test_a_cancellation_while_the_database_is_locked_loses_nothing(
    runs: IncidentRuns, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ref = runs.an_incident()
    async with runs.worker():
        await runs.deliver(ref, triggered())
        await runs.until_saved(ref, 1)
        with caplog.at_level(logging.WARNING), _locked(tmp_path / "calmo.db"):
            await runs.deliver(ref, resolved())

            async def attempted() -> bool:
                return any("save_events" in record.message for record in caplog.records)

            await eventually(attempted)
            await runs.handle(ref).cancel()
        assert await runs.until_closed(ref) is WorkflowExecutionStatus.CANCELED
        await runs.until_saved(ref, 2)


def _as_sent(event: EventFacts) -> dict[str, Any]:
    return event.model_dump(mode="json")


def _delivery_states(runs: IncidentRuns) -> dict[int, str]:
    rows = runs.database.read_blocking(lambda t: t.exec_driver_sql("SELECT seq, state FROM deliveries").all())
    return {seq: state for seq, state in rows}


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with impatient_database():
            yield
        other.execute("ROLLBACK")
