"""How long to collect an incident's events before a signal carries them: longer at higher rates.

At low rates an event is sent at once. In a storm PagerDuty sends several events of an incident within a
fraction of a second. A single signal for all of them costs Temporal and the database far less than a
signal for each.
"""

from collections import deque

#: Up to this many deliveries per second, events are sent at once.
CALM_PER_SECOND = 60.0
#: Collecting time per delivery per second: 40 ms at 200 per second.
SECONDS_PER_RATE = 0.0002
MAX_SECONDS = 0.05
#: The rate is measured over this time. It is short, so that a storm's begin and end show soon.
WINDOW_SECONDS = 0.05
#: In a storm the inbox is read at most this often, not after each commit of a door.
READ_SECONDS = 0.02


def reading_seconds(per_second: float) -> float:
    """Return how long to wait between readings of the inbox at this rate of arrival, in seconds."""
    return 0.0 if per_second <= CALM_PER_SECOND else READ_SECONDS


def collection_seconds(per_second: float) -> float:
    """Return how long to collect at this rate of arrival, in seconds."""
    if per_second <= CALM_PER_SECOND:
        return 0.0
    return min(MAX_SECONDS, per_second * SECONDS_PER_RATE)


class ArrivalRate:
    """Deliveries per second over the last WINDOW_SECONDS. Times are a monotonic clock's."""

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, int]] = deque()
        self._count = 0

    def record(self, deliveries: int, now: float) -> None:
        if deliveries:
            self._arrivals.append((now, deliveries))
            self._count += deliveries

    def per_second(self, now: float) -> float:
        while self._arrivals and self._arrivals[0][0] < now - WINDOW_SECONDS:
            self._count -= self._arrivals.popleft()[1]
        return self._count / WINDOW_SECONDS
