"""Webhooks that never arrived: one comparison with PagerDuty makes everything right, a second nothing."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from calmo_pagerduty.connections import rate_limit_store
from calmo_pagerduty.connections.throttle import HEALTH_PACE
from calmo_pagerduty.db.transactions import Transaction
from tests.support.connected import TOKEN
from tests.support.pasts import hours_ago
from tests.support.system import System


def turns_taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gathers the turns at the slow pace of comparisons, one for each request."""
    taken: list[str] = []
    claim = rate_limit_store.claim_turn

    def counted(tx: Transaction, connection_id: str, pace: str, *more: Any) -> float:
        taken.append(pace)
        return claim(tx, connection_id, pace, *more)

    monkeypatch.setattr(rate_limit_store, "claim_turn", counted)
    return taken


async def lose_and_heal(
    system: System, monkeypatch: pytest.MonkeyPatch, incidents: int, events: int, lost: int
) -> None:
    past = system.past
    past.pause = timedelta(hours=1) / events
    past.live(incidents, events)
    assert past.clock.now() < system.site.clock.now()
    dropped = set(past.rng.sample(range(len(past.events)), lost))
    await system.deliver(event for place, event in enumerate(past.events) if place not in dropped)
    assert system.differences()

    turns, before = turns_taken(monkeypatch), len(system.site.requests)
    found = await system.reconcile(since=past.begins_at)
    assert system.differences() == []
    assert found["problem"] == "" and found["failed"] == 0
    assert found["differed"] == found["healed"] > 0

    keys = Counter((row.issue_id, row.event_id) for row in system.timeline_rows())
    assert max(keys.values()) == 1
    assert_nothing_is_told_twice(system)

    rows_before = len(system.timeline_rows())
    again = await system.reconcile(since=past.begins_at)
    assert (again["differed"], again["added"], again["opened"], again["failed"]) == (0, 0, 0, 0)
    assert len(system.timeline_rows()) == rows_before
    assert turns.count(HEALTH_PACE.name) >= len(system.site.requests) - before


def assert_nothing_is_told_twice(system: System) -> None:
    """As many rows of each kind as things of that kind really happened, no more."""
    happened: Counter[tuple[str, str]] = Counter()
    for event in system.past.events:
        happened[str(event.incident_id), str(event.payload()["event"]["event_type"])] += 1
    ids = {row.id: incident_id for incident_id, row in system.issues().items()}
    kinds = {
        "triggered",
        "acknowledged",
        "unacknowledged",
        "resolved",
        "escalated",
        "reassigned",
        "annotated",
    }
    told = Counter(
        (ids[row.issue_id], row.event_type)
        for row in system.timeline_rows()
        if row.event_type.removeprefix("incident.") in kinds
    )
    assert {key: (count, happened[key]) for key, count in told.items() if count > happened[key]} == {}


@pytest.mark.each_database
async def test_a_comparison_heals_a_quarter_of_all_webhooks_lost_and_a_second_one_changes_nothing(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose_and_heal(system, monkeypatch, incidents=20, events=120, lost=30)


@pytest.mark.torture
async def test_a_comparison_heals_500_of_2000_webhooks_lost(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose_and_heal(system, monkeypatch, incidents=250, events=2000, lost=500)


async def test_the_watermark_moves_only_when_everything_is_right(system: System) -> None:
    system.past.live(3, 9)
    system.site.revoke_token(TOKEN)
    found = await system.reconcile(since=hours_ago(3))
    assert found["problem"].startswith("401")
    assert watermark(system) is None
    system.site.add_token(TOKEN)
    assert (await system.reconcile(since=hours_ago(3)))["problem"] == ""
    assert watermark(system) is not None
    assert system.differences() == []


@pytest.mark.each_database
async def test_a_webhook_that_comes_after_its_reconciled_entry_takes_its_place(
    system: System,
) -> None:
    """PagerDuty repeats for 48 hours: what was fetched meanwhile may still be delivered."""
    past = system.past
    past.trigger()
    for name in ("acknowledge", "note", "resolve"):
        past.move(past.incident_ids[0], name)
    await system.deliver(past.events[:1])
    assert (await system.reconcile(since=past.begins_at))["added"] == 3
    await system.deliver(past.events[1:])
    assert [row.event_id for row in system.timeline_rows()] == [event.id for event in past.events]
    assert system.differences() == []
    assert (await system.reconcile(since=past.begins_at))["added"] == 0


def watermark(system: System) -> object:
    return system.database.read_blocking(
        lambda t: t.exec_driver_sql("SELECT reconciled_until FROM connections").scalar()
    )
