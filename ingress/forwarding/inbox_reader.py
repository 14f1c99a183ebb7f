"""Read pending deliveries into the queues: a share for each connection, in order for each incident.

A delivery that finds no room is left in the database, and so are all later ones of the same connection,
until a reading from the beginning finds them again. So order is kept, and nobody's backlog hides others'
deliveries.
"""

import time
from collections import Counter
from collections.abc import Iterable

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.forwarding.incident_queues import IncidentQueues
from ingress.forwarding.pacing import ArrivalRate

PAGE = 2000
#: At most this many deliveries of a connection are in memory, and of all of them. The rest waits in the
#: database.
MAX_OF_CONNECTION = 2000
MAX_QUEUED = 20_000
#: Whatever was not announced, or committed far out of order, is found within this time.
RESCAN_SECONDS = 1.0
#: A reading from the beginning may take a tenth of the reader's time.
RESCAN_SHARE = 0.1
#: On PostgreSQL two doors may commit in another order than that of their rows' numbers.
OVERLAP = 100


class InboxReader:
    """Fills the queues from the inbox. `read` must not run twice at once."""

    def __init__(self, database: Database, queues: IncidentQueues, rate: ArrivalRate) -> None:
        self._database = database
        self._queues = queues
        self._rate = rate
        # Less than a page: a full page that held only known deliveries would be read again for ever.
        self._overlap = 0 if database.commits_in_order else min(OVERLAP, PAGE // 2)
        #: By number: the connection of each delivery that is queued, in flight or not yet marked.
        self._in_memory: dict[int, str] = {}
        self._of_connection: Counter[str] = Counter()
        #: What was left in the database since the last reading from the beginning.
        self._left_connections: set[str] = set()
        self._left_incidents: set[IncidentRef] = set()
        self._held_back: frozenset[IncidentRef] = frozenset()
        #: What was forgotten while a page was read, which may still show it as pending.
        self._forgotten: set[int] = set()
        self._unread = True
        self._read_up_to = 0
        self._rescan_at = 0.0
        self._rescan_not_before = 0.0

    def wake(self) -> None:
        """Note that there are new deliveries."""
        self._unread = True

    @property
    def has_news(self) -> bool:
        """Whether there may be deliveries that were not read yet."""
        return self._unread

    async def read(self) -> None:
        """Read new deliveries, and every RESCAN_SECONDS from the beginning. Raises StoreUnavailable."""
        now = time.monotonic()
        from_the_beginning = now >= max(self._rescan_at, self._rescan_not_before)
        if from_the_beginning:
            self._read_up_to, self._unread = 0, True
            self._left_connections.clear()
            self._left_incidents.clear()
        while self._unread:
            self._unread = False
            await self._read_page()
        if from_the_beginning:
            ended = time.monotonic()
            self._rescan_at = ended + RESCAN_SECONDS
            self._rescan_not_before = ended + (ended - now) * (1 / RESCAN_SHARE - 1)

    def hold_back(self, refs: Iterable[IncidentRef]) -> None:
        """Leave these incidents' deliveries in the database. Those of others are read again."""
        held = frozenset(refs)
        if self._held_back - held:
            self._rescan_at = 0.0
        self._held_back = held
        self._queues.hold_back(held)
        dropped = self._queues.drop_held_back()
        self._left_incidents.update(delivery.ref for delivery in dropped)
        self.forget(delivery.seq for delivery in dropped)

    def forget(self, seqs: Iterable[int]) -> None:
        """Forget deliveries that are marked as forwarded or dead, or left in the database."""
        for seq in seqs:
            self._forgotten.add(seq)
            connection = self._in_memory.pop(seq, None)
            if connection is None:
                continue
            self._of_connection[connection] -= 1
            if connection in self._left_connections and self._has_room(connection, MAX_OF_CONNECTION // 2):
                self._rescan_at = 0.0

    def clear(self, but: Iterable[int]) -> None:
        """Forget all deliveries `but` those that are sent and not yet marked; read from the beginning."""
        kept = {seq: self._in_memory[seq] for seq in but if seq in self._in_memory}
        self._in_memory = kept
        self._of_connection = Counter(kept.values())
        self._rescan_at = self._rescan_not_before = 0.0

    async def _read_page(self) -> None:
        after = max(self._read_up_to - self._overlap, 0)
        connections, incidents = frozenset(self._left_connections), frozenset(self._left_incidents)

        def look(tx: Transaction) -> tuple[list[PendingDelivery], int]:
            page = deliveries.list_pending(tx, after, PAGE, connections, incidents)
            # After a short page all are known, also those that were left: the next one begins behind them.
            last = page[-1].seq if len(page) == PAGE else deliveries.get_last_pending(tx)
            return page, last

        self._forgotten.clear()
        page, last = await self._database.read(look)
        self._unread = self._unread or len(page) == PAGE
        self._read_up_to = max(self._read_up_to, last)
        now = time.monotonic()
        self._rate.record(sum(self._keep(delivery, now) for delivery in page), now)

    def _keep(self, delivery: PendingDelivery, now: float) -> bool:
        """Queue the delivery, unless it is known or finds no room."""
        ref, connection = delivery.ref, delivery.ref.connection_id
        if delivery.seq in self._in_memory or delivery.seq in self._forgotten:
            return False
        if connection in self._left_connections:
            return False
        if ref in self._held_back or ref in self._left_incidents:
            self._left_incidents.add(ref)
            return False
        if not self._has_room(connection, MAX_OF_CONNECTION):
            self._left_connections.add(connection)
            return False
        self._in_memory[delivery.seq] = connection
        self._of_connection[connection] += 1
        self._queues.add(delivery, now)
        return True

    def _has_room(self, connection: str, at_most: int) -> bool:
        return self._of_connection[connection] < at_most and len(self._in_memory) < MAX_QUEUED
