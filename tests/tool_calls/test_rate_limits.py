"""PagerDuty's limit holds for each connection by itself: nobody presses, nobody is lost, turns are fair."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.temporal.rate_limits import limit_each_connection
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState
from calmo_pagerduty.tool_calls.store import ToolCall
from pagerduty_simulator.clocks import ScaledClock
from tests.support.connected import add_connection
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.patience import STORY
from tests.support.system import System, running_system
from workflows import names

#: Our share of PagerDuty's 960.
SHARE = 640
TOKENS = ("first-simulated-token", "second-simulated-token", "third-simulated-token")


Start = Callable[[int], Awaitable[System]]


@pytest.fixture
async def start_hurried(parts: Parts) -> AsyncIterator[Start]:
    """Starts a service with a PagerDuty whose minute lasts so many times less long."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(speed: int) -> System:
            service = await stack.enter_async_context(running_system(parts, clock=ScaledClock(speed)))
            queue = names.pagerduty_queue(service.ingress.services.settings.task_queue)
            await limit_each_connection(parts.temporal, queue, SHARE * speed)
            return service

        yield start


async def call_from_three_connections(service: System, calls: int, per_minute: int) -> None:
    """Make so many calls at once from each of three connections, and see how they fared."""
    made = [
        add_connection(service.database, service.ingress.services.keyring, "organization:acme", token=token)
        for token in TOKENS
    ]
    for connection_id, token in zip(made, TOKENS, strict=True):
        service.site.add_token(token, name=connection_id)
        service.database.write_blocking(
            partial(
                connections.update_connection,
                connection_id=connection_id,
                requests_per_minute=per_minute,
            )
        )
    finished: dict[str, list[datetime]] = defaultdict(list)

    # A key may have fifty requests in flight.
    in_flight = asyncio.Semaphore(40)

    async def one_call(connection_id: str) -> None:
        async with in_flight:
            answer = await service.call("list_services", connection=connection_id, wait_seconds=0)
        assert answer.json()["state"] in {"done", "running"}, answer.text
        if answer.json()["state"] == "done":
            finished[connection_id].append(datetime.now(UTC))

    await asyncio.gather(*(one_call(made[number % 3]) for number in range(3 * calls)))
    for call in await eventually(lambda: endured(service), all_ended, within=STORY):
        assert call.state is CallState.DONE, call
        assert call.finished_at is not None
        finished[call.connection_id].append(call.finished_at)
    assert [len(finished[connection_id]) for connection_id in made] == [calls] * 3
    assert service.site.violations == 0
    assert not [request for request in service.site.requests if request.status == 429]
    # They take turns: when the first one has all its calls done, the others have most of theirs.
    first_end = min(max(finished[connection_id]) for connection_id in made)
    done_by_then = [sum(at <= first_end for at in finished[connection_id]) for connection_id in made]
    assert min(done_by_then) >= 0.7 * calls, done_by_then


async def endured(service: System) -> tuple[ToolCall, ...]:
    """Return the calls that became workflows."""
    return await service.database.read(lambda t: tool_calls.list_calls(t, EVERYTHING, frozenset(), 100_000))


def all_ended(calls: tuple[ToolCall, ...]) -> bool:
    return not any(call.state in OPEN_STATES for call in calls)


async def test_connections_share_the_time_and_none_is_limited_by_pagerduty(start_hurried: Start) -> None:
    await call_from_three_connections(await start_hurried(2), calls=60, per_minute=SHARE * 2)


@pytest.mark.torture
async def test_three_thousand_calls_at_once(start_hurried: Start) -> None:
    await call_from_three_connections(await start_hurried(6), calls=1000, per_minute=SHARE * 6)
