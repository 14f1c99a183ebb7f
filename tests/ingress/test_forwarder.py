"""From the inbox to the workflows, with a real Temporal server: in order, together, and never lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from temporalio.api.enums.v1 import EventType as HistoryEvent
from temporalio.client import Client
from temporalio.worker import Worker

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db import leases, tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.event_facts import facts_json
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery
from calmo_pagerduty.incidents import store as issues
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import DATA_CONVERTER, connect
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from ingress.forwarding import forwarder, incident_queues
from ingress.forwarding.forwarder import LEASE
from tests.support.builders import NOON, a_note, an_event, body_of, facts, minutes, new_id
from tests.support.doors import Doorway, open_doorway, rows
from tests.support.eventually import eventually
from tests.support.kept_deliveries import keep
from tests.support.patience import EVENTUALLY, PROGRAM, STORY
from workflows import names
from workflows.incident import IncidentWorkflow


@asynccontextmanager
async def forwarding(doorway: Doorway) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(doorway.ingress.forwarder.run())
    try:
        yield task
    finally:
        task.cancel()
        ended, _ = await asyncio.wait([task], timeout=PROGRAM)
        assert ended


def a_worker(client: Client, door: Doorway, task_queue: str) -> Worker:
    incidents = door.ingress.services.incident_activities
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[IncidentWorkflow],
        activities=[incidents.save_events, incidents.save_dead_letters],
    )


@pytest.fixture
def door(door_to_temporal: Doorway) -> Doorway:
    return door_to_temporal


def states(doorway: Doorway) -> list[str]:
    return [row.state for row in doorway.kept()]


async def until(doorway: Doorway, state: str, within: float = EVENTUALLY) -> None:
    """Wait until all deliveries stand there."""

    async def seen() -> list[str]:
        return states(doorway)

    await eventually(seen, lambda found: set(found) == {state}, within)


async def signals_of(client: Client, ref: IncidentRef) -> list[list[str]]:
    """The event ids that each signal of the incident's workflow carried."""
    history = await client.get_workflow_handle(ref.workflow_id).fetch_history()
    return [
        [event["event_id"] for event in json.loads(payload.data)["events"]]
        for history_event in history.events
        if history_event.event_type == HistoryEvent.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        for payload in history_event.workflow_execution_signaled_event_attributes.input.payloads
    ]


def ref_of(row: sa.Row[Any]) -> IncidentRef:
    return IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id)


def facts_of(payload: dict[str, Any]) -> str:
    event = parse_event(body_of(payload))
    assert isinstance(event, WebhookEvent)
    return facts_json(event, NOON)


def timeline_ids(database: Database) -> list[str]:
    return sorted(row.event_id for row in rows(database, tables.timeline))


@pytest.mark.each_database
async def test_what_waited_of_an_incident_is_one_signal_in_order_of_arrival(
    door: Doorway, temporal: Client
) -> None:
    webhook, incident, other = door.a_webhook(), new_id(), new_id()
    for number in range(5):
        await door.deliver(webhook, an_event(EventType.TRIGGERED, incident, at=NOON - minutes(number)))
        await door.deliver(webhook, a_note(other))
    async with forwarding(door):
        await until(door, "forwarded")
    first, second = door.kept()[:2]
    for row in (first, second):
        arrived = [each.event_id for each in door.kept() if each.incident_id == row.incident_id]
        assert await signals_of(temporal, ref_of(row)) == [arrived]
    registry = door.ingress.metrics.registry
    assert registry.get_sample_value("calmo_events_forwarded_total") == 10
    assert registry.get_sample_value("calmo_signals_total", {"result": "sent"}) == 2


@pytest.mark.each_database
async def test_events_reach_the_timeline_and_their_deliveries_are_confirmed(
    door: Doorway, temporal: Client, task_queue: str
) -> None:
    webhook, incidents = door.a_webhook(), [new_id() for _ in range(3)]
    async with forwarding(door), a_worker(temporal, door, task_queue):
        for kind in (EventType.TRIGGERED, EventType.ACKNOWLEDGED, EventType.RESOLVED):
            for incident in incidents:
                await door.deliver(webhook, an_event(kind, incident))
        await until(door, "applied")
    assert timeline_ids(door.database) == sorted(row.event_id for row in door.kept())
    assert [row.status for row in rows(door.database, tables.issues)] == ["resolved"] * 3


@pytest.mark.each_database
async def test_what_was_taken_in_by_another_process_is_forwarded_too(
    door: Doorway, keyring: Keyring, tmp_path: Path
) -> None:
    async with forwarding(door), open_doorway(door.database, keyring, tmp_path) as other:
        await other.deliver(other.a_webhook(), an_event(EventType.TRIGGERED, new_id()))
        await until(door, "forwarded")


async def test_nothing_is_lost_while_temporal_is_down(
    database: Database,
    keyring: Keyring,
    tmp_path: Path,
    task_queue: str,
    temporal_server: TemporalDevServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = TemporalDevServer(
        log_file=tmp_path / "temporal.log", port=free_port(), database=tmp_path / "temporal.db"
    )
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    async with open_doorway(database, keyring, tmp_path, task_queue=task_queue) as door:
        webhook, incidents = door.a_webhook(), [new_id() for _ in range(4)]

        async def deliver_one_each(kind: EventType) -> None:
            for incident in incidents:
                assert (await door.deliver(webhook, an_event(kind, incident))).status_code == 202

        async with forwarding(door):
            try:
                await deliver_one_each(EventType.TRIGGERED)
                assert set(states(door)) == {"pending"}
                await server.start()
                async with a_worker(await connect(names.SEARCH_ATTRIBUTES), door, task_queue):
                    await until(door, "applied")
                    await server.kill()
                    await deliver_one_each(EventType.ACKNOWLEDGED)
                    await server.start()
                    await deliver_one_each(EventType.RESOLVED)
                    await until(door, "applied", within=STORY)
            finally:
                await server.stop()
        assert timeline_ids(door.database) == sorted(row.event_id for row in door.kept())
        assert [row.status for row in rows(door.database, tables.issues)] == ["resolved"] * 4


async def test_what_never_reached_a_timeline_is_sent_again(
    database: Database,
    keyring: Keyring,
    tmp_path: Path,
    task_queue: str,
    temporal_server: TemporalDevServer,
    temporal: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal_server.address)
    soon = timedelta(seconds=0.5)
    async with (
        open_doorway(database, keyring, tmp_path, task_queue=task_queue, confirm_after=soon) as door,
        forwarding(door),
    ):
        await door.deliver(door.a_webhook(), an_event(EventType.TRIGGERED, new_id()))
        await until(door, "forwarded")
        # Lost on Temporal's side, before any worker has seen it.
        await temporal.get_workflow_handle(ref_of(door.kept()[0]).workflow_id).terminate()
        async with a_worker(temporal, door, task_queue):
            await until(door, "applied")
    assert door.kept()[0].attempts >= 1
    assert len(timeline_ids(door.database)) == 1


@pytest.mark.each_database
async def test_a_signal_that_temporal_calls_invalid_is_set_aside_and_holds_nobody_up(
    door: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = door.a_webhook()
    await door.deliver(webhook, an_event(EventType.TRIGGERED, new_id()))
    good = door.kept()[0]
    # No such id passes the parser; here it stands for whatever Temporal may not like.
    bad = IncidentRef(connection_id=good.connection_id, incident_id="Q" * 1200)
    delivery = NewDelivery(
        webhook_id=webhook,
        connection_id=good.connection_id,
        dedup_key="01BAD",
        received_at=NOON,
        body=b"",
        body_sha256="00",
        secret_version=1,
        verdict=Verdict.ACCEPTED,
        state=DeliveryState.PENDING,
        event_id="01BAD",
        incident_id=bad.incident_id,
        facts='{"event_id":"01BAD"}',
    )
    door.database.write_blocking(lambda c: issues.insert_events(c, bad, [facts()], Severity.INFO, NOON))
    door.database.write_blocking(lambda c: deliveries.insert_delivery(c, delivery))

    async def seen() -> Sequence[str]:
        return states(door)

    async with forwarding(door):
        await eventually(seen, lambda found: found == ["forwarded", "dead_letter"])
        await door.deliver(webhook, an_event(EventType.RESOLVED, good.incident_id))
        await eventually(seen, lambda found: found == ["forwarded", "dead_letter", "forwarded"])
    assert "INVALID_ARGUMENT" in door.kept()[1].reason
    marked = {row.incident_id: row.needs_reconcile for row in rows(door.database, tables.issues)}
    assert marked == {bad.incident_id: True}
    assert door.alarms("dead_letter") == 1
    failed = door.ingress.metrics.registry.get_sample_value("calmo_signals_total", {"result": "failed"})
    assert failed == 5


@pytest.mark.each_database
async def test_one_of_two_leads_and_the_other_takes_over_when_it_stops(
    door: Doorway, keyring: Keyring, tmp_path: Path, task_queue: str
) -> None:
    webhook = door.a_webhook()

    def forwarded(doorway: Doorway) -> float:
        return doorway.ingress.metrics.registry.get_sample_value("calmo_events_forwarded_total") or 0.0

    async def deliver_and_wait() -> None:
        await door.deliver(webhook, an_event(EventType.TRIGGERED, new_id()))
        await until(door, "forwarded")

    async with (
        open_doorway(door.database, keyring, tmp_path, task_queue=task_queue, http_port=8081) as second,
        forwarding(door) as first_task,
    ):
        await deliver_and_wait()
        async with forwarding(second):
            await deliver_and_wait()
            assert (forwarded(door), forwarded(second)) == (2, 0)
            assert (
                door.ingress.forwarder.leading,
                second.ingress.forwarder.leading,
            ) == (True, False)
            first_task.cancel()
            await deliver_and_wait()
            assert (forwarded(door), forwarded(second)) == (2, 1)


@pytest.mark.each_database
async def test_a_leader_that_died_is_followed_when_its_lease_ends(door: Doorway) -> None:
    def lease_of_the_dead(ttl: timedelta) -> None:
        door.database.write_blocking(lambda c: leases.claim_lease(c, LEASE, "a process that died", ttl))

    lease_of_the_dead(timedelta(hours=1))
    await door.deliver(door.a_webhook(), an_event(EventType.TRIGGERED, new_id()))
    async with forwarding(door):
        held = sa.select(tables.leases.c.holder)
        assert door.database.read_blocking(lambda c: c.execute(held).scalar()) == "a process that died"
        assert states(door) == ["pending"]
        lease_of_the_dead(timedelta())
        await until(door, "forwarded")
        assert door.database.read_blocking(lambda c: c.execute(held).scalar()) != "a process that died"


@pytest.mark.each_database
async def test_a_forwarder_that_stops_amid_its_work_marks_what_it_sent_and_gives_up_its_lease(
    door: Doorway,
) -> None:
    webhook = door.a_webhook()

    async def sent() -> float:
        return door.ingress.metrics.registry.get_sample_value("calmo_events_forwarded_total") or 0.0

    # Several times, because what it must not miss is a cancellation that comes together with news.
    for _ in range(6):
        before = await sent()
        async with forwarding(door):
            for _ in range(20):
                await door.deliver(webhook, an_event(EventType.TRIGGERED, new_id()))
            await eventually(sent, lambda count: count > before)
        assert states(door).count("forwarded") == await sent()
        assert list(rows(door.database, tables.leases)) == []


async def test_a_signal_that_is_too_large_for_temporal_is_halved_until_it_passes(
    door: Doorway, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_queues, "MAX_BATCH_BYTES", 10**9)
    webhook, incident = door.a_webhook(), new_id()
    padding = f',"padding":"{"x" * 400_000}"}}'
    kept = [
        keep(door.database, webhook, payload := a_note(incident), facts=facts_of(payload)[:-1] + padding)
        for _ in range(20)
    ]
    async with forwarding(door):
        await until(door, "forwarded")
    row = door.kept()[0]
    sent = await signals_of(temporal, ref_of(row))
    assert [event for signal in sent for event in signal] == [each.event_id for each in door.kept()]
    assert 1 < len(sent) < len(kept)


async def test_a_process_that_cannot_reach_temporal_lets_another_one_lead(
    door: Doorway, keyring: Keyring, tmp_path: Path, temporal: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "LEADS_IN_VAIN_SECONDS", 0.1)
    monkeypatch.setattr(forwarder, "ABSTAIN_SECONDS", STORY)
    monkeypatch.setattr(forwarder, "CALL_TIMEOUT_SECONDS", 0.2)
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=DATA_CONVERTER)
    async with open_doorway(door.database, keyring, tmp_path, http_port=9) as cut_off:
        cut_off.ingress.services.temporal.hold(nowhere)
        async with forwarding(cut_off):

            async def leads() -> bool:
                return cut_off.ingress.forwarder.leading

            await eventually(leads)
            async with forwarding(door):
                await door.deliver(door.a_webhook(), an_event(EventType.TRIGGERED, new_id()))
                await until(door, "forwarded")
            assert not cut_off.ingress.forwarder.leading
