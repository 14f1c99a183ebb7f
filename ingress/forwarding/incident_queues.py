"""What waits to be forwarded, by incident: at most one batch of each is on its way."""

import math
from collections import deque
from collections.abc import Iterable, Sequence

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef


class IncidentQueues:
    """Batches in order of arrival within an incident; incidents take turns. Times are the caller's."""

    def __init__(self) -> None:
        self._queues: dict[IncidentRef, deque[PendingDelivery]] = {}
        #: When the oldest delivery of each queue was put there.
        self._since: dict[IncidentRef, float] = {}
        self._turns: deque[IncidentRef] = deque()
        self._on_the_way: set[IncidentRef] = set()
        self._held_back: frozenset[IncidentRef] = frozenset()
        self._resting: set[IncidentRef] = set()

    def add(self, delivery: PendingDelivery, now: float = 0.0) -> None:
        queue = self._queues.get(delivery.ref)
        if queue is not None:
            queue.append(delivery)
            return
        self._queues[delivery.ref] = deque([delivery])
        self._since[delivery.ref] = now
        if delivery.ref not in self._on_the_way:
            self._turns.append(delivery.ref)

    def take_batch(self, at_most: int, waiting_since: float = math.inf) -> list[PendingDelivery]:
        """Return the oldest deliveries of the incident whose turn it is; nothing if none is free, or
        if the next one has not waited since `waiting_since`.
        """
        while self._turns:
            ref = self._turns[0]
            if ref in self._held_back:
                self._resting.add(self._turns.popleft())
                continue
            if self._since[ref] > waiting_since:
                return []
            self._turns.popleft()
            queue = self._queues[ref]
            batch = [queue.popleft() for _ in range(min(at_most, len(queue)))]
            if not queue:
                del self._queues[ref], self._since[ref]
            self._on_the_way.add(ref)
            return batch
        return []

    def next_waits_since(self) -> float | None:
        """Return since when the incident whose turn it is waits; None if there is none."""
        return self._since[self._turns[0]] if self._turns else None

    def finish(self, ref: IncidentRef) -> None:
        """The batch has arrived: the incident may have its next turn."""
        self._on_the_way.discard(ref)
        if ref in self._queues:
            self._turns.append(ref)

    def put_back(self, batch: Sequence[PendingDelivery]) -> None:
        """The batch has not arrived: it goes first again, and has waited long enough."""
        ref = batch[0].ref
        self._queues.setdefault(ref, deque()).extendleft(reversed(batch))
        self._since[ref] = -math.inf
        self.finish(ref)

    def hold_back(self, refs: Iterable[IncidentRef]) -> None:
        """Let these incidents have no turn, and those that were held back before have theirs again."""
        self._held_back = frozenset(refs)
        self._turns.extend(self._resting - self._held_back)
        self._resting &= self._held_back

    def clear(self) -> None:
        for held in (self._queues, self._since, self._turns, self._resting):
            held.clear()
