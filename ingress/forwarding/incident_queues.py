"""Queues of deliveries by incident. At most one batch per incident is in flight."""

import math
from collections import deque
from collections.abc import Iterable, Sequence

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef


class IncidentQueues:
    """Batches keep the order of arrival within an incident, and incidents take turns.

    Times are seconds of a clock that the caller chooses.
    """

    def __init__(self) -> None:
        self._queues: dict[IncidentRef, deque[PendingDelivery]] = {}
        #: The time at which each queue's oldest delivery was added.
        self._since: dict[IncidentRef, float] = {}
        self._turns: deque[IncidentRef] = deque()
        self._in_flight: set[IncidentRef] = set()
        self._held_back: frozenset[IncidentRef] = frozenset()
        #: Held-back incidents that would otherwise have a turn.
        self._resting: set[IncidentRef] = set()

    def add(self, delivery: PendingDelivery, now: float = 0.0) -> None:
        queue = self._queues.get(delivery.ref)
        if queue is not None:
            queue.append(delivery)
            return
        self._queues[delivery.ref] = deque([delivery])
        self._since[delivery.ref] = now
        if delivery.ref not in self._in_flight:
            self._turns.append(delivery.ref)

    def take_batch(self, at_most: int, waiting_since: float = math.inf) -> list[PendingDelivery]:
        """Return up to `at_most` of the oldest deliveries of the incident whose turn it is.

        Returns nothing if no incident has a turn, or if the next one began to wait after `waiting_since`.
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
            self._in_flight.add(ref)
            return batch
        return []

    def next_waits_since(self) -> float | None:
        """Return when the incident whose turn it is began to wait; None if no incident has a turn."""
        return self._since[self._turns[0]] if self._turns else None

    def finish(self, ref: IncidentRef) -> None:
        """Note that the incident's batch has arrived, so that it may have its next turn."""
        self._in_flight.discard(ref)
        if ref in self._queues:
            self._turns.append(ref)

    def put_back(self, batch: Sequence[PendingDelivery]) -> None:
        """Put a batch that did not arrive back to the front of its queue, without further waiting."""
        ref = batch[0].ref
        self._queues.setdefault(ref, deque()).extendleft(reversed(batch))
        self._since[ref] = -math.inf
        self.finish(ref)

    def hold_back(self, refs: Iterable[IncidentRef]) -> None:
        """Give only these incidents no turns. Others that were held back before have turns again."""
        self._held_back = frozenset(refs)
        self._turns.extend(self._resting - self._held_back)
        self._resting &= self._held_back

    def clear(self) -> None:
        for collection in (self._queues, self._since, self._turns, self._resting):
            collection.clear()
