"""Clocks for the account, the scenarios and the sender: scaled real time, or time that a test advances."""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it, both in the simulator's time."""

    def now(self) -> datetime:
        """Return the simulator's present, always UTC."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return once `duration` of the simulator's time has passed."""
        ...


class ScaledClock:
    """The real clock, `speed` times as fast since its creation.

    With `speed=10_000`, PagerDuty's 48 hours of retrying take about 17 real seconds.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self.speed = speed
        self._begun_at = datetime.now(UTC)
        self._begun_seconds = time.monotonic()

    def now(self) -> datetime:
        """Return the scaled present."""
        elapsed = time.monotonic() - self._begun_seconds
        return self._begun_at + timedelta(seconds=elapsed * self.speed)

    async def sleep(self, duration: timedelta) -> None:
        """Sleep for `duration / speed` of real time."""
        await asyncio.sleep(max(0.0, duration.total_seconds() / self.speed))


class ManualClock:
    """A clock that stands still until `advance` is called, for tests that need exact times."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._order = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """Return the time to which the clock was last advanced."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Wait until the clock has been advanced by `duration`."""
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + duration, next(self._order), waiting))
        await waiting

    @property
    def next_wake(self) -> datetime | None:
        """The earliest time at which a sleeper wakes; None without sleepers."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, duration: timedelta) -> None:
        """Move time forward and wake the sleepers that are due, the earliest first."""
        self._now += duration
        while (wake := self.next_wake) is not None and wake <= self._now:
            _, _, waiting = heapq.heappop(self._sleepers)
            waiting.set_result(None)
