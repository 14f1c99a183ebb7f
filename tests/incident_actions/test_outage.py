"""PagerDuty is away or limits us; workers die between its doing and our hearing: all is done once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from calmo_pagerduty.pagerduty import retries
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from pagerduty_simulator.rest.faults import Faults
from tests.support.chance import repeatable
from tests.support.eventually import eventually
from tests.support.outage import DeadlyFaults, Script, mortal_worker
from tests.support.parts import Parts
from tests.support.patience import STORY
from tests.support.system import System, running_system

AWKWARD = ("429", "500", "timeout", "timeout_after", "cut")


@pytest.fixture
async def alone(parts: Parts) -> AsyncIterator[System]:
    """Without a worker."""
    async with running_system(parts, working=False, webhooks=True) as found:
        yield found


async def until_refused(system: System, requests: int) -> None:
    """Wait until PagerDuty has failed so many requests."""

    async def refused() -> int:
        return sum(request.fault is not None for request in system.site.requests)

    await eventually(refused, lambda count: count >= requests, within=STORY)


async def test_actions_outlive_an_hour_without_pagerduty(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hour, and the waits between attempts with it, are 1,200 times as short.
    monkeypatch.setattr(retries, "MAX_WAIT", timedelta(seconds=0.05))
    monkeypatch.setattr(retries, "FIRST_WAIT", timedelta(seconds=0.05))
    incidents = [await system.page(f"Incident {number}") for number in range(4)]
    site = system.site
    site.faults = Faults(rate=1.0, kinds=("503", "timeout"), hang_seconds=0.02)
    script = Script(system, repeatable(5))
    running = asyncio.create_task(script.play(incidents, 20))
    await until_refused(system, 60)
    assert script.done.total() == 0
    site.faults = Faults(rate=0.25, kinds=AWKWARD, seed=5, hang_seconds=0.02)
    await running
    site.faults = Faults()
    await system.settle()
    assert await script.wrong() == []
    assert script.done.total() == 20


async def test_a_worker_dies_when_pagerduty_has_done_it_and_we_have_not_heard(
    alone: System, tmp_path: Path, temporal_server: TemporalDevServer
) -> None:
    async with mortal_worker(alone, tmp_path, temporal_server.address) as strike:
        incident = await alone.page()
        faults = DeadlyFaults(1, 1, strike, hang_seconds=0.3)
        alone.site.faults = faults
        script = Script(alone, repeatable(2))
        await script.play([incident], 2)
        assert faults.left == 0
        await alone.settle()
        assert await script.wrong() == []


@pytest.mark.torture
async def test_a_thousand_actions_are_each_done_and_told_once(
    alone: System, tmp_path: Path, temporal_server: TemporalDevServer
) -> None:
    async with mortal_worker(alone, tmp_path, temporal_server.address) as strike:
        incidents = [await alone.page(f"Incident {number}") for number in range(40)]
        site = alone.site
        site.faults = Faults(rate=1.0, kinds=("503", "timeout"), hang_seconds=0.05)
        script = Script(alone, repeatable(7))
        running = asyncio.create_task(script.play(incidents, 1000))
        await until_refused(alone, 240)
        assert script.done.total() == 0
        site.faults = faults = DeadlyFaults(
            8, 70, strike, rate=0.2, kinds=AWKWARD, seed=7, hang_seconds=0.3, reset_seconds=1
        )
        await running
        assert faults.left == 0
        site.faults = Faults()
        await alone.settle()
        assert await script.wrong() == []
        assert script.done.total() == 1000
