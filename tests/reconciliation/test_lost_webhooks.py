"""Webhooks that never arrived: one comparison with PagerDuty makes everything right, a second nothing."""

from collections import Counter
from datetime import timedelta

import pytest

from calmo_pagerduty.connections.throttle import Pacer
from tests.support.healing_service import Healed, hours_ago
from tests.support.tool_service import TOKEN


def turns_taken(monkeypatch: pytest.MonkeyPatch) -> list[Pacer]:
    """Gathers the turns at the slow pace of comparisons, one for each request."""
    taken: list[Pacer] = []
    turn = Pacer.wait_for_turn

    async def counted(pace: Pacer) -> None:
        taken.append(pace)
        await turn(pace)

    monkeypatch.setattr(Pacer, "wait_for_turn", counted)
    return taken


async def lose_and_heal(
    healed: Healed, monkeypatch: pytest.MonkeyPatch, incidents: int, events: int, lost: int
) -> None:
    past = healed.past
    past.pause = timedelta(hours=1) / events
    past.live(incidents, events)
    assert past.clock.now() < healed.service.site.clock.now()
    dropped = set(past.rng.sample(range(len(past.events)), lost))
    await healed.deliver(event for place, event in enumerate(past.events) if place not in dropped)
    assert healed.differences()

    turns, before = turns_taken(monkeypatch), len(healed.service.site.requests)
    found = await healed.reconcile(since=past.begins_at)
    assert healed.differences() == []
    assert found["problem"] == "" and found["failed"] == 0
    assert found["differed"] == found["healed"] > 0

    keys = Counter((row.issue_id, row.event_id) for row in healed.timeline_rows())
    assert max(keys.values()) == 1
    assert_nothing_is_told_twice(healed)

    rows_before = len(healed.timeline_rows())
    again = await healed.reconcile(since=past.begins_at)
    assert (again["differed"], again["added"], again["opened"], again["failed"]) == (0, 0, 0, 0)
    assert len(healed.timeline_rows()) == rows_before
    assert len(turns) >= len(healed.service.site.requests) - before


def assert_nothing_is_told_twice(healed: Healed) -> None:
    """As many rows of each kind as things of that kind really happened, no more."""
    happened: Counter[tuple[str, str]] = Counter()
    for event in healed.past.events:
        happened[str(event.incident_id), str(event.payload()["event"]["event_type"])] += 1
    ids = {row.id: incident_id for incident_id, row in healed.issues().items()}
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
        for row in healed.timeline_rows()
        if row.event_type.removeprefix("incident.") in kinds
    )
    assert {key: (count, happened[key]) for key, count in told.items() if count > happened[key]} == {}


@pytest.mark.each_database
async def test_a_comparison_heals_a_quarter_of_all_webhooks_lost_and_a_second_one_changes_nothing(
    healed: Healed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose_and_heal(healed, monkeypatch, incidents=40, events=240, lost=60)


@pytest.mark.torture
async def test_a_comparison_heals_500_of_2000_webhooks_lost(
    healed: Healed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose_and_heal(healed, monkeypatch, incidents=250, events=2000, lost=500)


async def test_the_watermark_moves_only_when_everything_is_right(healed: Healed) -> None:
    healed.past.live(3, 9)
    healed.service.site.revoke_token(TOKEN)
    found = await healed.reconcile(since=hours_ago(3))
    assert found["problem"].startswith("401")
    assert watermark(healed) is None
    healed.service.site.add_token(TOKEN)
    assert (await healed.reconcile(since=hours_ago(3)))["problem"] == ""
    assert watermark(healed) is not None
    assert healed.differences() == []


@pytest.mark.each_database
async def test_a_webhook_that_comes_after_its_reconciled_entry_takes_its_place(
    healed: Healed,
) -> None:
    """PagerDuty repeats for 48 hours: what was fetched meanwhile may still be delivered."""
    past = healed.past
    past.trigger()
    for name in ("acknowledge", "note", "resolve"):
        past.move(past.incident_ids[0], name)
    await healed.deliver(past.events[:1])
    assert (await healed.reconcile(since=past.begins_at))["added"] == 3
    await healed.deliver(past.events[1:])
    assert [row.event_id for row in healed.timeline_rows()] == [event.id for event in past.events]
    assert healed.differences() == []
    assert (await healed.reconcile(since=past.begins_at))["added"] == 0


def watermark(healed: Healed) -> object:
    return healed.database.read_blocking(
        lambda t: t.exec_driver_sql("SELECT reconciled_until FROM connections").scalar()
    )
