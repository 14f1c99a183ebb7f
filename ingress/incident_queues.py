"""What waits to be forwarded, by incident: at most one batch of each is on its way."""

from collections import deque
from collections.abc import Sequence

from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.store.deliveries import PendingDelivery


class IncidentQueues:
    """Batches in order of arrival within an incident; incidents take turns."""

    def __init__(self) -> None:
        self._queues: dict[IncidentRef, deque[PendingDelivery]] = {}
        self._turns: deque[IncidentRef] = deque()
        self._on_the_way: set[IncidentRef] = set()

    def add(self, delivery: PendingDelivery) -> None:
        queue = self._queues.get(delivery.ref)
        if queue is None:
            self._queues[delivery.ref] = deque([delivery])
            if delivery.ref not in self._on_the_way:
                self._turns.append(delivery.ref)
        else:
            queue.append(delivery)

    def take_batch(self, at_most: int) -> list[PendingDelivery]:
        """Return the oldest deliveries of the incident whose turn it is; nothing if none is free."""
        if not self._turns:
            return []
        ref = self._turns.popleft()
        queue = self._queues[ref]
        batch = [queue.popleft() for _ in range(min(at_most, len(queue)))]
        if not queue:
            del self._queues[ref]
        self._on_the_way.add(ref)
        return batch

    def finish(self, ref: IncidentRef) -> None:
        """The batch has arrived: the incident may have its next turn."""
        self._on_the_way.discard(ref)
        if ref in self._queues:
            self._turns.append(ref)

    def put_back(self, batch: Sequence[PendingDelivery]) -> None:
        """The batch has not arrived: it goes first again."""
        ref = batch[0].ref
        self._queues.setdefault(ref, deque()).extendleft(reversed(batch))
        self.finish(ref)

    def clear(self) -> None:
        self._queues.clear()
        self._turns.clear()
