"""What is to happen in an account later: steps with their times, carried out in order."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from pagerduty_simulator.events import Event


class Rank(IntEnum):
    """Which step is first of several at the same moment.

    A timeout is first: a notification rule whose delay equals the escalation delay notifies nobody.
    """

    TIMEOUT = 0
    STEP = 1
    NOTIFICATION = 2


Step = Callable[[], tuple[Event, ...]]


@dataclass(order=True, slots=True)
class _Entry:
    at: datetime
    rank: Rank
    order: int
    step: Step = field(compare=False)


class Agenda:
    """All steps to come."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._order = itertools.count()

    def plan(self, at: datetime, step: Step, rank: Rank = Rank.STEP) -> None:
        """Add a step."""
        heapq.heappush(self._entries, _Entry(at, rank, next(self._order), step))

    def due(self, until: datetime) -> Iterator[tuple[datetime, Step]]:
        """Yield the steps up to a moment, also those which the steps before them add, and remove them."""
        while self._entries and self._entries[0].at <= until:
            entry = heapq.heappop(self._entries)
            yield entry.at, entry.step
