"""PagerDuty's limit holds for each connection by itself: nobody presses, nobody is lost, turns are fair."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client
from tool_service import ToolService, add_connection, running_service, until_state

from calmo_pagerduty.store import connections
from calmo_pagerduty.store.database import Database
from calmo_pagerduty.store.encryption import Keyring
from calmo_pagerduty.temporal_limits import limit_each_connection
from pagerduty_simulator.clocks import ScaledClock
from workflows import names

#: PagerDuty's minute lasts so many times less long.
SPEED = 6
PER_MINUTE = 640 * SPEED
TOKENS = ("first-simulated-token", "second-simulated-token", "third-simulated-token")


@pytest.fixture
async def hurried(
    temporal: Client, sqlite_database: Database, keyring: Keyring, tmp_path: Path
) -> AsyncIterator[ToolService]:
    """A PagerDuty that allows 960 requests in ten seconds."""
    async with running_service(
        temporal, sqlite_database, keyring, tmp_path, clock=ScaledClock(SPEED)
    ) as service:
        queue = names.calls_queue(service.ingress.settings.task_queue)
        await limit_each_connection(temporal, queue, PER_MINUTE)
        yield service


async def call_from_three_connections(service: ToolService, calls: int) -> None:
    """Make so many calls at once from each of three connections, and see how they fared."""
    made = [
        add_connection(service.database, service.ingress.keyring, "organization:acme", token=token)
        for token in TOKENS
    ]
    for connection_id, token in zip(made, TOKENS, strict=True):
        service.site.add_token(token, name=connection_id)
        service.database.write_now(
            lambda t, one=connection_id: connections.update(t, one, requests_per_minute=PER_MINUTE)  # type: ignore[misc]
        )
    finished: dict[str, list[float]] = defaultdict(list)

    async def one_call(connection_id: str) -> None:
        answer = await service.call("list_services", connection=connection_id, wait_seconds=60)
        call = answer.json()
        if call["state"] == "running":
            call = await until_state(service, call["call_id"], "done", patience=120)
        assert call["state"] == "done", call
        finished[connection_id].append(time.monotonic())

    begun = time.monotonic()
    await asyncio.gather(*(one_call(made[number % 3]) for number in range(3 * calls)))
    assert [len(finished[one]) for one in made] == [calls] * 3
    assert service.site.violations == 0
    assert not [one for one in service.site.requests if one.status == 429]
    # When the first connection is through, the others are nearly so: one third each, within 20 %.
    first_through = min(finished[one][-1] for one in made)
    through_by_then = [sum(at <= first_through for at in finished[one]) for one in made]
    assert min(through_by_then) >= 0.8 * calls, (through_by_then, first_through - begun)


async def test_connections_share_the_time_and_none_is_limited_by_pagerduty(hurried: ToolService) -> None:
    await call_from_three_connections(hurried, calls=150)


@pytest.mark.torture
async def test_three_thousand_calls_at_once(hurried: ToolService) -> None:
    await call_from_three_connections(hurried, calls=1000)
