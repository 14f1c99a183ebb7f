"""Forward pending deliveries to the incidents' workflows, in order per incident, in batches.

These are plain loops and not a workflow, because they must work while Temporal is unreachable. A lease
lets a single process forward; the others stand by.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.db import leases
from calmo_pagerduty.db.announcements import Channel
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.forwarding.confirmer import Confirmer
from ingress.forwarding.incident_queues import IncidentQueues
from ingress.forwarding.pacing import ArrivalRate, collection_seconds
from ingress.forwarding.signal_sender import SignalSender
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

LEASE = "forwarder"
LEASE_TTL = timedelta(seconds=6)
LEASE_RENEWAL_SECONDS = 2.0
#: At most this many signals are in flight at once, and at most one per incident.
MAX_IN_FLIGHT = 16
MAX_BATCH = 100
#: At most this many deliveries are in memory. The rest waits in the database.
MAX_QUEUED = 2000
#: Whatever was not announced, or committed far out of order, is found within this time.
RESCAN_SECONDS = 1.0
#: On PostgreSQL two doors may commit in another order than that of their rows' numbers.
OVERLAP = 100
CALL_TIMEOUT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
#: A signal that Temporal calls invalid this many times becomes a dead letter. Other failures are retried.
MAX_REFUSALS = 5
STORE_PAUSE_SECONDS = 0.5
MARK_INTERVAL_SECONDS = 0.05


class Forwarder:
    """Forwards deliveries while `run` runs. `wake` makes it read new deliveries at once."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        connect: Callable[[], Awaitable[SignalSender]],
        holder: str,
        confirm_after: timedelta,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._connect = connect
        self._holder = holder
        self._queues = IncidentQueues()
        self._rate = ArrivalRate()
        self._confirmer = Confirmer(
            database, metrics, confirm_after, lambda: self.leading, self._queues.hold_back
        )
        self._sending: set[asyncio.Task[None]] = set()
        #: Sequence numbers of the deliveries in memory: queued, in flight or not yet marked as forwarded.
        self._in_memory: set[int] = set()
        self._sent: list[int] = []
        self._refusals: Counter[IncidentRef] = Counter()
        self._something_to_do = asyncio.Event()
        self._something_to_mark = asyncio.Event()
        self._unread = True
        self._read_up_to = 0
        self._rescan_at = 0.0
        self._leading_until = 0.0
        self._paused_until = 0.0
        self._pause_seconds = 0.0

    def wake(self) -> None:
        """Tell the forwarder that deliveries wait."""
        self._unread = True
        self._something_to_do.set()

    @property
    def leading(self) -> bool:
        """True while this process holds the lease and forwards."""
        return time.monotonic() < self._leading_until

    async def run(self) -> None:
        """Forward until cancelled, then wait up to 2 s for signals in flight. It may run again afterwards."""
        sender = await self._connect()
        self._clear()
        try:
            async with asyncio.TaskGroup() as loops:
                for loop in (
                    self._forward(sender),
                    self._lead(),
                    self._mark(),
                    self._hear(),
                    self._confirmer.run(),
                ):
                    loops.create_task(loop)
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=2)
            with suppress(StoreUnavailable):
                await self._mark_sent()
                await self._database.write(lambda c: leases.delete_lease(c, LEASE, self._holder))

    async def _forward(self, sender: SignalSender) -> None:
        while True:
            # Not wait_for: before Python 3.12 it loses a cancellation that arrives together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout()):
                    await self._something_to_do.wait()
            self._something_to_do.clear()
            if not self.leading:
                continue
            await self._read()
            while len(self._sending) < MAX_IN_FLIGHT and time.monotonic() >= self._paused_until:
                batch = self._queues.take_batch(MAX_BATCH, time.monotonic() - self._collection_seconds())
                if not batch:
                    break
                task = asyncio.create_task(self._send(sender, batch))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    def _collection_seconds(self) -> float:
        return collection_seconds(self._rate.per_second(time.monotonic()))

    def _timeout(self) -> float:
        """Return how long the loop may sleep if nothing wakes it, in seconds."""
        now = time.monotonic()
        if now < self._paused_until:
            return min(RESCAN_SECONDS, self._paused_until - now)
        since = self._queues.next_waits_since()
        if since is None or len(self._sending) >= MAX_IN_FLIGHT:
            return RESCAN_SECONDS
        return min(RESCAN_SECONDS, max(since + self._collection_seconds() - now, 0.0))

    async def _read(self) -> None:
        """Read new deliveries into memory.

        Every RESCAN_SECONDS it reads from the beginning, to find rows that were committed after rows with
        higher numbers.
        """
        now = time.monotonic()
        if now >= self._rescan_at:
            self._read_up_to, self._unread, self._rescan_at = 0, True, now + RESCAN_SECONDS
        while self._unread and len(self._in_memory) < MAX_QUEUED:
            try:
                overlap = 0 if self._database.commits_in_order else OVERLAP
                after = max(self._read_up_to - overlap, 0)
                read = partial(deliveries.list_pending, after=after, at_most=MAX_QUEUED)
                pending = await self._database.read(read)
            except StoreUnavailable as error:
                logger.warning("inbox_unreadable", extra={"error": str(error)})
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                return
            self._unread = len(pending) == MAX_QUEUED
            now = time.monotonic()
            new = [delivery for delivery in pending if delivery.seq not in self._in_memory]
            self._rate.record(len(new), now)
            for delivery in new:
                self._in_memory.add(delivery.seq)
                self._queues.add(delivery, now)
            if pending:
                self._read_up_to = max(self._read_up_to, pending[-1].seq)

    async def _hear(self) -> None:
        """Wake up at once when another process stored deliveries."""
        async for _ in self._database.listen(Channel.INBOX):
            self.wake()

    async def _send(self, sender: SignalSender, batch: Sequence[PendingDelivery]) -> None:
        ref = batch[0].ref
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                await sender.send(batch)
        except Exception as error:  # after any error the batch is tried again
            await self._handle_send_failure(sender, batch, error)
        else:
            self._pause_seconds = 0.0
            self._settle(batch)
            self._queues.finish(ref)
        finally:
            self._something_to_do.set()

    def _settle(self, batch: Sequence[PendingDelivery]) -> None:
        self._metrics.signals.labels("sent").inc()
        self._metrics.forwarded.inc(len(batch))
        self._refusals.pop(batch[0].ref, None)
        self._sent += [delivery.seq for delivery in batch]
        self._something_to_mark.set()

    async def _handle_send_failure(
        self, sender: SignalSender, batch: Sequence[PendingDelivery], error: Exception
    ) -> None:
        """Put the batch back, and pause all sending for a while.

        After Temporal called the signal invalid MAX_REFUSALS times, each delivery is sent alone, and those
        that Temporal still refuses become dead letters.
        """
        ref = batch[0].ref
        self._metrics.signals.labels("failed").inc()
        if _is_refusal(error):
            self._refusals[ref] += 1
            if self._refusals[ref] >= MAX_REFUSALS:
                del self._refusals[ref]
                await self._send_one_by_one(sender, batch)
                return
        self._pause_seconds = min(max(self._pause_seconds * 2, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
        self._paused_until = time.monotonic() + self._pause_seconds
        logger.warning(
            "signal_not_sent",
            extra={"workflow_id": ref.workflow_id, "error": _describe_fault(error), "events": len(batch)},
        )
        self._queues.put_back(batch)

    async def _send_one_by_one(self, sender: SignalSender, batch: Sequence[PendingDelivery]) -> None:
        for number, delivery in enumerate(batch):
            try:
                async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                    await sender.send([delivery])
                self._settle([delivery])
            except Exception as error:  # after any error the rest is put back
                if not (_is_refusal(error) and await self._mark_dead(delivery, error)):
                    self._queues.put_back(batch[number:])
                    return
        self._queues.finish(batch[0].ref)

    async def _mark_dead(self, delivery: PendingDelivery, error: Exception) -> bool:
        """Make the delivery a dead letter. Returns False if the database can't be reached."""
        reason = f"Temporal refuses the signal: {_describe_fault(error)}"

        def write(transaction: Transaction) -> None:
            deliveries.mark_dead(transaction, [delivery.seq], reason)
            deliveries.mark_needs_reconcile(transaction, [delivery.ref])

        try:
            await self._database.write(write)
        except StoreUnavailable:
            return False
        self._metrics.alarms.labels("dead_letter").inc()
        logger.error("delivery_set_aside", extra={"seq": delivery.seq, "reason": reason})
        self._in_memory.discard(delivery.seq)
        return True

    async def _lead(self) -> None:
        """Claim the lease and renew it. Without the lease this process sends nothing."""
        while True:
            asked_at = time.monotonic()
            was_leading = self.leading
            try:
                claimed = await self._database.write(
                    lambda c: leases.claim_lease(c, LEASE, self._holder, LEASE_TTL)
                )
            except StoreUnavailable:
                claimed = False
            if claimed:
                self._leading_until = asked_at + LEASE_TTL.total_seconds()
            if claimed and not was_leading:
                logger.info("forwarding", extra={"holder": self._holder})
                self._clear()
                self._something_to_do.set()
            self._metrics.leading.set(self.leading)
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)

    def _clear(self) -> None:
        """Empty the queues and read again from the beginning."""
        self._queues.clear()
        self._in_memory = set(self._sent)
        self._rescan_at = 0.0

    async def _mark(self) -> None:
        while True:
            await self._something_to_mark.wait()
            # Collect many for a single write. After a crash they are sent again, which changes nothing.
            await asyncio.sleep(MARK_INTERVAL_SECONDS)
            self._something_to_mark.clear()
            try:
                await self._mark_sent()
            except StoreUnavailable:
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                self._something_to_mark.set()

    async def _mark_sent(self) -> None:
        seqs, self._sent = self._sent, []
        if not seqs:
            return
        now = datetime.now(UTC)
        try:
            await self._database.write(lambda c: deliveries.mark_forwarded(c, seqs, now))
        except BaseException:
            # Also if cancelled: the write may have happened or not, and marking again changes nothing.
            self._sent = seqs + self._sent
            raise
        self._in_memory.difference_update(seqs)


def _is_refusal(error: Exception) -> bool:
    """Return True if Temporal calls the signal itself invalid.

    Two such errors pass by themselves: a search attribute that the server does not know yet, and a run that
    had too many signals, because a new run follows.
    """
    if not isinstance(error, RPCError) or error.status is not RPCStatusCode.INVALID_ARGUMENT:
        return False
    message = error.message.lower()
    return "search attribute" not in message and "exceeded" not in message


def _describe_fault(error: Exception) -> str:
    if isinstance(error, RPCError):
        return f"{error.status.name}: {error.message.splitlines()[0] if error.message else ''}"
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
