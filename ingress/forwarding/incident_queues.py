"""Queues of deliveries by incident. At most one batch per incident is in flight."""

import math
from collections import deque
from collections.abc import Iterable, Sequence

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef

#: Temporal takes messages of 4 MB. A batch's event facts stay far below that.
MAX_BATCH_BYTES = 1024 * 1024


class IncidentQueues:
    """Batches keep the order of arrival within an incident. Connections take turns, and their incidents too.

    Times are seconds of a clock that the caller chooses.
    """

    def __init__(self) -> None:
        self._queues: dict[IncidentRef, deque[PendingDelivery]] = {}
        #: The time at which each queue's oldest delivery was added.
        self._since: dict[IncidentRef, float] = {}
        #: By connection, in the order of their turns: its incidents, in the order of theirs. None is empty.
        self._turns: dict[str, deque[IncidentRef]] = {}
        self._in_flight: set[IncidentRef] = set()
        self._held_back: frozenset[IncidentRef] = frozenset()
        #: Held-back incidents that would otherwise have a turn.
        self._resting: set[IncidentRef] = set()
        #: Incidents whose last batch failed, and when they may have a turn again.
        self._paused: dict[IncidentRef, float] = {}
        #: The most deliveries of an incident that go together, after a larger batch was too large.
        self._limits: dict[IncidentRef, int] = {}

    def add(self, delivery: PendingDelivery, now: float = 0.0) -> None:
        queue = self._queues.get(delivery.ref)
        if queue is not None:
            queue.append(delivery)
            return
        self._queues[delivery.ref] = deque([delivery])
        self._since[delivery.ref] = now
        if delivery.ref not in self._in_flight and delivery.ref not in self._paused:
            self._give_turn(delivery.ref)

    def take_batch(
        self, at_most: int, waiting_since: float = math.inf, now: float = math.inf
    ) -> list[PendingDelivery]:
        """Return the oldest deliveries of the incident whose turn it is, up to `at_most` and MAX_BATCH_BYTES.

        Returns nothing if no incident has a turn, or if all of them began to wait after `waiting_since`.
        """
        self._resume(now)
        for connection in list(self._turns):
            ref = self._next_of(connection)
            if ref is None or self._since[ref] > waiting_since:
                continue
            turns = self._turns.pop(connection)
            turns.popleft()
            if turns:
                self._turns[connection] = turns  # behind all other connections
            self._in_flight.add(ref)
            return self._take(ref, at_most)
        return []

    def next_waits_since(self) -> float | None:
        """Return when the longest waiting of the next incidents began to wait; None if none has a turn."""
        heads = (self._next_of(connection) for connection in list(self._turns))
        return min((self._since[ref] for ref in heads if ref is not None), default=None)

    def next_resumes_at(self) -> float | None:
        """Return when the next paused incident may go on; None if none is paused."""
        return min(self._paused.values(), default=None)

    def finish(self, ref: IncidentRef) -> None:
        """Note that the incident's batch has arrived, so that it may have its next turn."""
        self._in_flight.discard(ref)
        if ref in self._queues:
            self._give_turn(ref)
        else:
            self._limits.pop(ref, None)

    def put_back(self, batch: Sequence[PendingDelivery], resume_at: float = -math.inf) -> None:
        """Put a batch that did not arrive back to the front of its queue. It waits until `resume_at` only."""
        ref = batch[0].ref
        self._queues.setdefault(ref, deque()).extendleft(reversed(batch))
        self._since[ref] = -math.inf
        self._in_flight.discard(ref)
        if resume_at == -math.inf:
            self._give_turn(ref)
        else:
            self._paused[ref] = resume_at

    def limit(self, ref: IncidentRef, at_most: int) -> None:
        """Send at most so many of the incident's deliveries together until none waits any more."""
        self._limits[ref] = max(at_most, 1)

    def hold_back(self, refs: Iterable[IncidentRef]) -> None:
        """Give only these incidents no turns. Others that were held back before have turns again."""
        self._held_back = frozenset(refs)
        for ref in self._resting - self._held_back:
            self._give_turn(ref)
        self._resting &= self._held_back

    def drop_held_back(self) -> list[PendingDelivery]:
        """Remove and return what waits of incidents that are held back. It waits in the database."""
        dropped: list[PendingDelivery] = []
        for ref in self._held_back & self._queues.keys():
            dropped += self._queues.pop(ref)
            del self._since[ref]
            self._resting.discard(ref)
            self._paused.pop(ref, None)
            turns = self._turns.get(ref.connection_id)
            if turns and ref in turns:
                turns.remove(ref)
                if not turns:
                    del self._turns[ref.connection_id]
        return dropped

    def clear(self) -> None:
        for collection in (self._queues, self._since, self._turns, self._resting, self._paused, self._limits):
            collection.clear()

    def _give_turn(self, ref: IncidentRef) -> None:
        self._turns.setdefault(ref.connection_id, deque()).append(ref)

    def _next_of(self, connection: str) -> IncidentRef | None:
        """Return the incident whose turn it is within the connection, passing over those held back."""
        turns = self._turns[connection]
        while turns and turns[0] in self._held_back:
            self._resting.add(turns.popleft())
        if not turns:
            del self._turns[connection]
            return None
        return turns[0]

    def _take(self, ref: IncidentRef, at_most: int) -> list[PendingDelivery]:
        queue = self._queues[ref]
        at_most = min(at_most, self._limits.get(ref, at_most))
        batch = [queue.popleft()]
        size = len(batch[0].facts)
        while queue and len(batch) < at_most:
            size += len(queue[0].facts)
            if size > MAX_BATCH_BYTES:
                break
            batch.append(queue.popleft())
        if not queue:
            del self._queues[ref], self._since[ref]
        return batch

    def _resume(self, now: float) -> None:
        for ref in [ref for ref, resume_at in self._paused.items() if resume_at <= now]:
            del self._paused[ref]
            if ref in self._queues:
                self._give_turn(ref)
