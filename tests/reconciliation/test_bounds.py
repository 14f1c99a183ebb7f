"""How far back a comparison goes, how much of it lies in memory, and what holds it up."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.db import tables
from calmo_pagerduty.reconciliation import pagerduty_snapshot_service, repair_service
from calmo_pagerduty.reconciliation.service import (
    MAX_LOOKBACK,
    RunToFinish,
    RunToStart,
    Tally,
    WindowToReconcile,
)
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.system import System, running_system


async def test_a_comparison_since_long_ago_goes_no_further_back_than_ninety_days(parts: Parts) -> None:
    async with running_system(parts, working=False) as system:
        activities = system.ingress.services.reconcile_activities
        long_ago = datetime(2000, 1, 1, tzinfo=UTC)
        order = RunToStart(connection_id=system.connection_id, reason="asked for", since=long_ago)
        run = await activities._service.begin(order)
        assert run.until - run.since == MAX_LOOKBACK
        recent = await activities._service.begin(
            order.model_copy(update={"since": run.until - timedelta(days=89)})
        )
        assert recent.since == run.until - timedelta(days=89)


async def test_an_incident_that_cannot_be_healed_is_marked_and_holds_the_watermark_up_no_longer(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = repair_service.SETTLE_SECONDS
    monkeypatch.setattr(repair_service, "SETTLE_SECONDS", 0.0)
    system.past.trigger()
    await system.deliver(system.past.events)
    (incident_id,) = system.past.incident_ids
    system.past.move(incident_id, "resolve")
    service = system.ingress.services.reconcile_activities._service
    async with system.without_workers():
        run = await service.begin(RunToStart(connection_id=system.connection_id, reason="a test"))
        assert run.run_id is not None
        window = WindowToReconcile(
            run_id=run.run_id,
            connection_id=system.connection_id,
            tally=Tally(),
            since=system.past.begins_at - timedelta(minutes=1),
            until=datetime.now(UTC),
        )
        tally = await service.reconcile(window, attempt=1)
        await service.finish(
            RunToFinish(run_id=run.run_id, connection_id=system.connection_id, until=run.until, tally=tally)
        )
        assert (tally.failed, tally.problem) == (1, "")
        (connection,) = rows(system.database, tables.connections)
        assert connection.reconciled_until == run.until
        assert system.issues()[incident_id].needs_reconcile
    monkeypatch.setattr(repair_service, "SETTLE_SECONDS", patience)
    # The repair was under way all the time, and arrives once somebody works again.
    await eventually(settled(system))
    await system.reconcile()
    assert system.differences() == []
    assert not system.issues()[incident_id].needs_reconcile


async def test_a_long_log_is_compared_page_by_page(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagerduty_snapshot_service, "SNAPSHOT_ENTRIES", 1)
    system.past.live(8, 240)
    log = await system.log()
    since = system.past.begins_at - timedelta(minutes=1)
    pages = [page async for page in log.read_window(since, system.past.clock.now())]
    assert len(pages) > 2
    assert max(page.count for page in pages) <= 100
    found = await system.reconcile(since=since)
    assert (found["entries"], found["failed"]) == (sum(page.count for page in pages), 0)
    assert system.differences() == []


def settled(system: System) -> Callable[[], Awaitable[bool]]:
    async def seen() -> bool:
        return not system.differences()

    return seen
