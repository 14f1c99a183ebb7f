"""A webhook receiver of the tests' own: a real server on a free port, with scripted answers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_contract import DeliveryContract
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.patience import ANSWER

HANG = -1
#: PagerDuty's contract, but that no answer is too late, however busy the machine.
PATIENT = DeliveryContract(deadline=timedelta(seconds=ANSWER))


@dataclass
class Received:
    """One request as it arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["x-webhook-id"]


@dataclass
class Receiver:
    """Keeps what arrives and answers with the next scripted status, or with `answer(request)`."""

    url: str = ""
    answer: Callable[[Received], int] = lambda _: 202
    script: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0
    gate: asyncio.Event | None = None
    awaited_in_flight: int = 0
    crowded: asyncio.Event = field(default_factory=asyncio.Event)
    status_when_released: int = 202
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.received]

    async def receive(self, request: Request) -> Response:
        received = Received(dict(request.headers), await request.body())
        self.received.append(received)
        status = self.script.pop(0) if self.script else self.answer(received)
        if self.gate is not None:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            if self.in_flight == self.awaited_in_flight:
                self.crowded.set()
            await self.gate.wait()
            self.in_flight -= 1
        if status == HANG:
            await self.released.wait()
            return Response(status_code=self.status_when_released)
        elsewhere = {"location": "/elsewhere"} if 300 <= status < 400 else None
        return Response(status_code=status, headers=elsewhere)


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
async def new_sender() -> AsyncIterator[Callable[..., WebhookSender]]:
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
