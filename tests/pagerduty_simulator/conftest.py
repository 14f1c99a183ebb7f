"""A webhook receiver of the tests' own: a real server on a free port, with scripted answers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_contract import DeliveryContract
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.webhook_receiver import PATIENT, NewSender, Receiver


class _QuietServer(uvicorn.Server):
    """A server that leaves pytest's signal handlers alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver; everything it was asked is in `received`."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    webhook_receiver = Receiver(url=f"http://127.0.0.1:{listener.getsockname()[1]}/webhook")
    routes = [
        Route(path, webhook_receiver.receive, methods=["GET", "POST"]) for path in ("/webhook", "/elsewhere")
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield webhook_receiver
    finally:
        webhook_receiver.released.set()
        server.should_exit = True
        server.force_exit = True
        await serving
        listener.close()


@pytest.fixture
async def new_sender() -> AsyncIterator[NewSender]:
    """Makes senders whose clock runs 100,000 times as fast, and closes them.

    At that speed PagerDuty's 48 hours are two seconds, in which a busy machine may not get to a retry: it
    retries for longer, but with a clock of the test's own.
    """
    made: list[WebhookSender] = []

    def make(contract: DeliveryContract = PATIENT, **arguments: Any) -> WebhookSender:
        if "clock" not in arguments:
            arguments["clock"] = ScaledClock(100_000)
            contract = replace(contract, retried_for=timedelta(days=36_500))
        made.append(WebhookSender(contract=contract, **arguments))
        return made[-1]

    yield make
    for sender in made:
        await sender.aclose()


@pytest.fixture
def unused_url() -> str:
    """A URL on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/webhook"
