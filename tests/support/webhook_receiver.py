"""A webhook receiver of the tests' own, with scripted answers, and what makes senders for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from pagerduty_simulator.delivery_contract import DeliveryContract
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.patience import ANSWER

HANG = -1
#: PagerDuty's contract, but that no answer is too late, however busy the machine.
PATIENT = DeliveryContract(deadline=timedelta(seconds=ANSWER))

#: Takes the arguments of `WebhookSender`, and closes each sender when the test ends.
NewSender = Callable[..., WebhookSender]


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
