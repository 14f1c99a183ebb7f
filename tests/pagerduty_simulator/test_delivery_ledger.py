"""The ledger on disk that crash tests count by."""

import json
import os
from pathlib import Path

import pytest

from pagerduty_simulator.delivery_ledger import DeliveryLedger, read_ledger
from pagerduty_simulator.storms import random_storm
from tests.support.webhook_receiver import NewSender, Received, Receiver


async def test_the_ledger_names_each_event_before_it_is_sent_and_each_2xx_after(
    receiver: Receiver, new_sender: NewSender, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.jsonl"
    sender = new_sender(ledger=DeliveryLedger(path))
    sender.subscribe(receiver.url, "s")
    storm = random_storm(1, 3, 9)
    unnamed = []

    def answer(request: Received) -> int:
        if json.loads(request.body)["event"]["id"] not in read_ledger(path).sent:
            unnamed.append(request)
        return 404 if request.body == storm[0].body else 202

    receiver.answer = answer
    sender.publish(storm)
    await sender.drained()
    ledger = read_ledger(path)
    assert unnamed == []
    assert ledger.sent == {event.id: event.incident_id for event in storm}
    assert set(ledger.acknowledged) == {event.id for event in storm[1:]}
    assert set(ledger.dropped) == {storm[0].id}


async def test_a_ledger_line_torn_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    whole = {"mark": "sending", "event_id": "E1", "incident_id": None}
    path.write_text(json.dumps(whole) + '\n{"mark": "ackno')
    assert read_ledger(path).sent == {"E1": None}
    assert read_ledger(path).acknowledged == {}


async def test_a_line_is_on_the_disk_before_the_event_is_on_the_wire(
    receiver: Receiver, new_sender: NewSender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    to_disk = os.fsync

    def sync(descriptor: int) -> None:
        to_disk(descriptor)
        synced.append(len(receiver.received))

    monkeypatch.setattr(os, "fsync", sync)
    sender = new_sender(ledger=DeliveryLedger(tmp_path / "ledger.jsonl"))
    sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(1, 1, 1))
    await sender.drained()
    assert synced == [0, 1]
