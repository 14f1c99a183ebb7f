"""The two sides that are compared, seen alike: send an event, see it absorbed."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import psutil
from temporalio.client import Client

from pagerduty_simulator.events import Event

#: How often absorption is looked for: the resolution of the product's end-to-end times.
POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 600.0


class NotAcknowledged(Exception):
    """An event was refused outside the measurement that counts refusals."""


class Side(Protocol):
    """The product, or the bare workflow."""

    name: str
    temporal: Client

    def prepare(self, events: Iterable[Event]) -> None:
        """Do beforehand what a sender would have done already: signing, encoding."""

    async def send(self, event: Event) -> float:
        """Return when it was acknowledged, on the monotonic clock. Raises NotAcknowledged."""

    def newly_absorbed(self) -> Sequence[tuple[str, float]]:
        """Return (event id, moment) of what was absorbed since the last call."""

    def pids(self) -> Mapping[str, int]:
        """The processes that do the work, by name."""

    def workflow_id(self, incident_id: str) -> str: ...

    def database_bytes(self) -> Mapping[str, int]: ...


class AbsorptionWatch:
    """Looks out for absorbed events while it is entered; `expect` before sending, then await."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._expected: dict[str, asyncio.Future[float]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._side.newly_absorbed()
        self._looking = asyncio.create_task(self._poll())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._looking is not None
        self._looking.cancel()

    def expect(self, event: Event) -> "asyncio.Future[float]":
        future = asyncio.get_running_loop().create_future()
        self._expected[event.id] = future
        return future

    async def _poll(self) -> None:
        while True:
            for event_id, at in self._side.newly_absorbed():
                expected = self._expected.pop(event_id, None)
                if expected is not None and not expected.done():
                    expected.set_result(at)
            await asyncio.sleep(POLL_SECONDS)


async def all_of(expected: Sequence["asyncio.Future[float]"]) -> list[float]:
    """Return the moments of absorption. Raises TimeoutError."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return list(await asyncio.gather(*expected))


class CpuMeter:
    """CPU seconds by process since it was made; `client` is this program."""

    def __init__(self, side: Side) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in side.pids().items()}
        self._begun = self._now()

    def seconds(self) -> dict[str, float]:
        return {name: seconds - self._begun[name] for name, seconds in self._now().items()}

    def _now(self) -> dict[str, float]:
        spent = {"client": time.process_time()}
        for name, process in self._processes.items():
            times = process.cpu_times()
            spent[name] = times.user + times.system
        return spent
