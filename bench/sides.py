"""The interface of the two compared sides: send an event, and observe when it is absorbed."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

import psutil
from temporalio.client import Client

from pagerduty_simulator.events import Event

#: The polling interval for absorbed events: the resolution of the product's end-to-end times.
POLL_SECONDS = 0.002
TIMEOUT_SECONDS = 600.0


class NotAcknowledged(Exception):
    """The receiver refused an event, in a measurement that expects no refusals."""


class Side(Protocol):
    """The product, or the bare workflow."""

    name: str
    temporal: Client

    def prepare(self, events: Iterable[Event]) -> None:
        """Sign and encode the events before the measurement starts."""

    async def send(self, event: Event) -> float:
        """Send an event; return when it was acknowledged, on the monotonic clock. Raises NotAcknowledged."""

    def newly_absorbed(self) -> Sequence[tuple[str, float]]:
        """Return (event id, time) of the events absorbed since the last call."""

    def pids(self) -> Mapping[str, int]:
        """Return name → pid of the processes that do the work."""

    def workflow_id(self, incident_id: str) -> str: ...

    def database_bytes(self) -> Mapping[str, int]: ...


class AbsorptionWatch:
    """Watches for absorbed events inside its `async with` block; `expect` before sending, then await."""

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
    """Return the times of absorption. Raises TimeoutError."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        return list(await asyncio.gather(*expected))


class CpuMeter:
    """CPU seconds of each process since the meter's creation; `client` is this program."""

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
