"""The queues of one subscription: deliveries of a lane go in order, lanes go in parallel."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from pagerduty_simulator.events import Event


@dataclass(slots=True, eq=False)
class Delivery:
    """One event on its way to one subscription."""

    event: Event
    webhook_id: str
    queued_at: datetime
    is_duplicate: bool = False
    attempts: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """Deliveries that must arrive in order: the first blocks the others."""

    key: str
    queue: deque[Delivery] = field(default_factory=deque)
    in_flight: bool = False
    waiting: asyncio.Task[None] | None = None


class DeliveryLanes:
    """All lanes of one subscription; a lane is ready, in flight, or waiting for a retry."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self.in_flight = 0

    def add(self, key: str, delivery: Delivery) -> None:
        """Queue a delivery behind the others of its lane."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key)
            self._ready.append(lane)
        lane.queue.append(delivery)

    def add_held(self, key: str, delivery: Delivery) -> Lane:
        """Queue a delivery in a new lane that stays closed until `make_ready`."""
        lane = self._lanes[key] = Lane(key)
        lane.queue.append(delivery)
        return lane

    def take(self) -> Lane | None:
        """Return a lane whose first delivery must be sent now, and count it as in flight."""
        if not self._ready:
            return None
        lane = self._ready.popleft()
        lane.in_flight = True
        self.in_flight += 1
        return lane

    def put_back(self, lane: Lane) -> Delivery:
        """Mark a lane as not in flight, without opening it again; return its first delivery."""
        lane.in_flight = False
        self.in_flight -= 1
        return lane.queue[0]

    def make_ready(self, lane: Lane) -> None:
        """Open a lane for sending again."""
        lane.waiting = None
        self._ready.append(lane)

    def drop_first(self, lane: Lane) -> None:
        """Remove a lane's finished first delivery, and open the lane for the next."""
        lane.queue.popleft()
        if lane.queue:
            self._ready.append(lane)
        else:
            del self._lanes[lane.key]

    def discard_queued(self) -> list[Delivery]:
        """Remove and return all deliveries that are not in flight."""
        discarded: list[Delivery] = []
        for lane in list(self._lanes.values()):
            first = lane.queue.popleft() if lane.in_flight else None
            discarded.extend(lane.queue)
            lane.queue.clear()
            if first is not None:
                lane.queue.append(first)
                continue
            if lane.waiting is not None:
                lane.waiting.cancel()
            del self._lanes[lane.key]
        self._ready.clear()
        return discarded
