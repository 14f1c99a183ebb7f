"""Replay: what was held back or not understood arrives, and what has arrived changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import a_note, an_event, body_of, headers_for, new_id
from tests.support.doors import Doorway, make_key, rows, save_pending
from tests.support.eventually import eventually
from tests.support.kept_deliveries import keep
from tests.support.patience import PROGRAM
from workflows.incident import IncidentWorkflow

PAUSED: dict[str, Any] = {"state": DeliveryState.PAUSED, "verdict": Verdict.PAUSED}
DEAD: dict[str, Any] = {"state": DeliveryState.DEAD_LETTER, "verdict": Verdict.DEAD_LETTER}


async def replay(doorway: Doorway, **wanted: Any) -> dict[str, Any]:
    key = make_key(doorway.database, ["webhooks:write"])
    answer = await doorway.client.post("/api/deliveries/replay", json=wanted, headers=key)
    assert answer.status_code == 200, answer.text
    said = dict(answer.json())
    assert said.pop("more") is False
    said.pop("last_seq")
    return said


@asynccontextmanager
async def forwarding(doorway: Doorway) -> AsyncIterator[None]:
    task = asyncio.create_task(doorway.ingress.forwarder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=PROGRAM)


def a_worker(client: Client, door: Doorway, task_queue: str) -> Worker:
    incidents = door.ingress.services.incident_activities
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[IncidentWorkflow],
        activities=[incidents.save_events, incidents.save_dead_letters],
    )


def states(doorway: Doorway) -> list[str]:
    return [row.state for row in doorway.kept()]


def standing(database: Database) -> list[Any]:
    """All that readers see of issues."""
    tables_of_issues = (tables.issues, tables.timeline, tables.issue_changes)
    return [tuple(row) for table in tables_of_issues for row in rows(database, table)]


@pytest.mark.each_database
async def test_what_was_paused_waits_to_be_sent_and_what_is_about_no_incident_is_recorded(
    doorway: Doorway,
) -> None:
    webhook = doorway.a_webhook(paused_at=datetime.now(UTC))
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, new_id()))
    await doorway.deliver(webhook, an_event(EventType.PING, "", data={"type": "ping"}))
    assert states(doorway) == ["skipped_paused"] * 2
    assert await replay(doorway, webhook=[webhook]) == {"replayed": 1, "left": {"recorded": 1}}
    assert states(doorway) == ["pending", "recorded"]
    assert [(row.replays, row.attempts, row.verdict) for row in doorway.kept()] == [
        (1, 1, "skipped_paused")
    ] * 2


@pytest.mark.each_database
async def test_a_replay_of_what_was_applied_changes_no_issue_and_no_timeline(doorway: Doorway) -> None:
    webhook, incident = doorway.a_webhook(), new_id()
    await doorway.deliver(webhook, an_event(EventType.TRIGGERED, incident))
    await doorway.deliver(webhook, a_note(incident))
    save_pending(doorway.database)
    set_state(doorway, DeliveryState.APPLIED)
    before = standing(doorway.database)
    for number in (1, 2):
        assert await replay(doorway, incident=[incident]) == {"replayed": 2, "left": {}}
        assert await replay(doorway, incident=[incident]) == {"replayed": 0, "left": {"on_its_way": 2}}
        save_pending(doorway.database)
        assert standing(doorway.database) == before
        assert {row.replays for row in doorway.kept()} == {number}
        set_state(doorway, DeliveryState.APPLIED)


def set_state(doorway: Doorway, state: DeliveryState) -> None:
    doorway.database.write_blocking(lambda t: t.execute(tables.deliveries.update().values(state=state)))


@pytest.mark.each_database
async def test_a_dead_letter_is_read_by_todays_parser(doorway: Doorway) -> None:
    webhook, incident = doorway.a_webhook(), new_id()
    body = body_of(an_event(EventType.TRIGGERED, incident, event_id="01LATER"))
    unread: dict[str, Any] = {
        name: None for name in ("event_id", "event_type", "incident_id", "occurred_at", "facts")
    }
    seq = keep(
        doorway.database,
        webhook,
        body=body,
        reason="not understood then",
        **DEAD,
        **unread,
        dedup_key="body:00",
    )
    broken = keep(doorway.database, webhook, body=b"{", **DEAD)
    assert await replay(doorway, seqs=[seq, broken]) == {"replayed": 1, "left": {"still_unreadable": 1}}
    first, second = doorway.kept()
    assert (first.state, first.event_id, first.incident_id, first.reason) == (
        "pending",
        "01LATER",
        incident,
        None,
    )
    assert (second.state, second.replays) == ("dead_letter", 0)
    await doorway.post(webhook, body, headers_for(body))
    assert doorway.kept()[0].duplicates == 1
    save_pending(doorway.database)
    assert [row.incident_id for row in rows(doorway.database, tables.issues)] == [incident]


@pytest.mark.each_database
async def test_a_dead_letter_whose_event_came_otherwise_stays(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    payload = an_event(EventType.TRIGGERED, new_id())
    await doorway.deliver(webhook, payload)
    body = body_of(payload) + b" "
    seq = keep(doorway.database, webhook, body=body, dedup_key="body:00", **DEAD)
    assert await replay(doorway, seqs=[seq]) == {"replayed": 0, "left": {"known_already": 1}}


@pytest.mark.each_database
async def test_a_conflict_is_never_replayed(doorway: Doorway) -> None:
    webhook, incident = doorway.a_webhook(), new_id()
    payload = an_event(EventType.TRIGGERED, incident)
    await doorway.deliver(webhook, payload)
    payload["event"]["data"]["title"] = "altered"
    await doorway.deliver(webhook, payload)
    assert states(doorway) == ["pending", "conflict"]
    assert await replay(doorway, state=["conflict"]) == {"replayed": 0, "left": {"conflict": 1}}
    assert states(doorway) == ["pending", "conflict"]


@pytest.mark.each_database
async def test_a_body_that_is_gone_hinders_only_what_was_never_understood(doorway: Doorway) -> None:
    webhook = doorway.a_webhook()
    paused = keep(doorway.database, webhook, **PAUSED)
    dead = keep(doorway.database, webhook, body=b"{", **DEAD)
    doorway.database.write_blocking(lambda t: t.execute(tables.delivery_bodies.delete()))
    assert await replay(doorway, seqs=[paused, dead]) == {"replayed": 1, "left": {"body_gone": 1}}


async def test_a_replay_without_a_filter_replays_nothing(doorway: Doorway) -> None:
    keep(doorway.database, doorway.a_webhook(), **PAUSED)
    assert await replay(doorway) == {"replayed": 0, "left": {}}


async def test_a_long_range_is_replayed_in_steps_and_audited_step_by_step(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingress.deliveries.endpoints.REPLAY_BATCH_SIZE", 4)
    webhook = doorway.a_webhook()
    for _ in range(9):
        keep(doorway.database, webhook, **PAUSED)
    assert await replay(doorway, state=["skipped_paused"]) == {"replayed": 9, "left": {}}
    audited = [row.record for row in rows(doorway.database, tables.audit)]
    assert len(audited) == 3
    assert all('"outcome": "deliveries replayed"' in record for record in audited)
    monkeypatch.setattr("ingress.deliveries.endpoints.MAX_REPLAYED", 4)
    set_state(doorway, DeliveryState.PAUSED)
    key = make_key(doorway.database, ["webhooks:write"])
    replayed, body = 0, {"webhook": [webhook]}
    while True:
        answer = await doorway.client.post("/api/deliveries/replay", json=body, headers=key)
        replayed += answer.json()["replayed"]
        if not answer.json()["more"]:
            break
        body["after"] = answer.json()["last_seq"]
    assert replayed == 9


@pytest.mark.each_database
async def test_captured_requests_sent_again_change_nothing_even_after_the_log_was_cut(
    doorway: Doorway,
) -> None:
    webhook = doorway.a_webhook()
    incidents = [new_id() for _ in range(10)]
    kinds = (EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.RESOLVED)
    long_ago = datetime.now(UTC) - timedelta(hours=80)
    captured = [
        body_of(an_event(kind, incident, at=long_ago + timedelta(minutes=number)))
        for number, kind in enumerate(kinds)
        for incident in incidents
    ]

    async def send_all() -> set[str]:
        answers = [await doorway.post(webhook, body, headers_for(body)) for body in captured]
        save_pending(doorway.database)
        return {answer.json()["verdict"] for answer in answers}

    assert await send_all() == {"accepted"}
    before = standing(doorway.database)
    assert len(rows(doorway.database, tables.timeline)) == len(captured)
    assert await send_all() == {"duplicate"}
    assert standing(doorway.database) == before
    for table in (tables.delivery_bodies, tables.deliveries):
        doorway.database.write_blocking(lambda t: t.execute(table.delete()))
    assert await send_all() == {"accepted"}
    assert {row.remarks for row in doorway.kept()} == {"stale"}
    assert standing(doorway.database) == before


@pytest.fixture
def door(door_to_temporal: Doorway) -> Doorway:
    return door_to_temporal


@pytest.mark.each_database
async def test_through_temporal_too_a_replay_is_applied_again_without_any_change(
    door: Doorway, temporal: Client, task_queue: str
) -> None:
    webhook, incident = door.a_webhook(), new_id()
    async with forwarding(door), a_worker(temporal, door, task_queue):
        await door.deliver(webhook, an_event(EventType.TRIGGERED, incident))
        await door.deliver(webhook, an_event(EventType.ACKNOWLEDGED, incident))

        async def all_states() -> set[str]:
            return set(states(door))

        await eventually(all_states, lambda found: found == {"applied"})
        before = standing(door.database)
        applied_at = [row.applied_at for row in door.kept()]
        for number in (1, 2):
            assert await replay(door, incident=[incident]) == {"replayed": 2, "left": {}}

            async def replays() -> set[tuple[str, int]]:
                return {(row.state, row.replays) for row in door.kept()}

            await eventually(replays, lambda found: found == {("applied", number)})
        assert standing(door.database) == before
        assert [row.applied_at for row in door.kept()] == applied_at
