"""From the inbox to the workflows: per incident in order, coalesced, for as long as it takes.

Plain loops, not a workflow: they exist for when Temporal is away. One process at a time forwards
(a lease); the others stand by.
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
from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
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
#: How many signals are on their way at once; an incident has at most one.
MAX_IN_FLIGHT = 16
MAX_BATCH = 100
#: How many deliveries are held in memory; the rest waits in the database.
MAX_QUEUED = 2000
#: What another process took in, and rows committed out of order, are found within this time.
RESCAN_SECONDS = 1.0
CALL_TIMEOUT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
#: A signal that Temporal calls invalid so many times is set aside; anything else is tried for ever.
MAX_REFUSALS = 5
STORE_PAUSE_SECONDS = 0.5
MARK_INTERVAL_SECONDS = 0.05


class Forwarder:
    """Call `wake` when there is something new; `run` runs for as long as the process does."""

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
        self._held: set[int] = set()
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
        self._unread = True
        self._something_to_do.set()

    @property
    def leading(self) -> bool:
        return time.monotonic() < self._leading_until

    async def run(self) -> None:
        """Forward until cancelled; then let what is on its way arrive. May be run again."""
        sender = await self._connect()
        self._clear()
        try:
            async with asyncio.TaskGroup() as loops:
                for loop in (self._forward(sender), self._lead(), self._mark(), self._confirmer.run()):
                    loops.create_task(loop)
        finally:
            if self._sending:
                await asyncio.wait(self._sending, timeout=2)
            with suppress(StoreUnavailable):
                await self._mark_sent()
                await self._database.write(lambda c: leases.delete_lease(c, LEASE, self._holder))

    async def _forward(self, sender: SignalSender) -> None:
        while True:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
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
        """How long there is nothing to do, in seconds, unless something comes."""
        now = time.monotonic()
        if now < self._paused_until:
            return min(RESCAN_SECONDS, self._paused_until - now)
        since = self._queues.next_waits_since()
        if since is None or len(self._sending) >= MAX_IN_FLIGHT:
            return RESCAN_SECONDS
        return min(RESCAN_SECONDS, max(since + self._collection_seconds() - now, 0.0))

    async def _read(self) -> None:
        """Take new deliveries into memory; from the beginning every so often, for rows that were
        committed after rows with higher numbers.
        """
        now = time.monotonic()
        if now >= self._rescan_at:
            self._read_up_to, self._unread, self._rescan_at = 0, True, now + RESCAN_SECONDS
        while self._unread and len(self._held) < MAX_QUEUED:
            try:
                read = partial(deliveries.list_pending, after=self._read_up_to, at_most=MAX_QUEUED)
                found = await self._database.read(read)
            except StoreUnavailable as error:
                logger.warning("inbox_unreadable", extra={"error": str(error)})
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                return
            self._unread = len(found) == MAX_QUEUED
            now = time.monotonic()
            new = [delivery for delivery in found if delivery.seq not in self._held]
            self._rate.record(len(new), now)
            for delivery in new:
                self._held.add(delivery.seq)
                self._queues.add(delivery, now)
            if found:
                self._read_up_to = max(self._read_up_to, found[-1].seq)

    async def _send(self, sender: SignalSender, batch: Sequence[PendingDelivery]) -> None:
        ref = batch[0].ref
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                await sender.send(batch)
        except Exception as error:  # whatever it is, the batch is not lost: it is tried again
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
        """Temporal is away or busy: everything waits a little. It calls a signal invalid: after some
        more tries each event is sent alone, and what is refused then is set aside.
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
            except Exception as error:  # whatever it is, what is left is put back
                if not (_is_refusal(error) and await self._mark_dead(delivery, error)):
                    self._queues.put_back(batch[number:])
                    return
        self._queues.finish(batch[0].ref)

    async def _mark_dead(self, delivery: PendingDelivery, error: Exception) -> bool:
        """Mark the delivery dead, for a person to look at. Returns whether that could be kept."""
        reason = f"Temporal refuses the signal: {_describe_fault(error)}"

        def set_aside(transaction: Transaction) -> None:
            deliveries.mark_dead(transaction, [delivery.seq], reason)
            deliveries.mark_needs_reconcile(transaction, [delivery.ref])

        try:
            await self._database.write(set_aside)
        except StoreUnavailable:
            return False
        self._metrics.alarms.labels("dead_letter").inc()
        logger.error("delivery_set_aside", extra={"seq": delivery.seq, "reason": reason})
        self._held.discard(delivery.seq)
        return True

    async def _lead(self) -> None:
        """Take the lease and keep it. Without it nothing more is sent from here."""
        while True:
            asked_at = time.monotonic()
            was_leading = self.leading
            try:
                ours = await self._database.write(
                    lambda c: leases.claim_lease(c, LEASE, self._holder, LEASE_TTL)
                )
            except StoreUnavailable:
                ours = False
            if ours:
                self._leading_until = asked_at + LEASE_TTL.total_seconds()
            if ours and not was_leading:
                logger.info("forwarding", extra={"holder": self._holder})
                self._clear()
                self._something_to_do.set()
            self._metrics.leading.set(self.leading)
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)

    def _clear(self) -> None:
        """Begin anew from the database, which knows what is still to do."""
        self._queues.clear()
        self._held = set(self._sent)
        self._rescan_at = 0.0

    async def _mark(self) -> None:
        while True:
            await self._something_to_mark.wait()
            # One write for many; a crash before it sends again what is absorbed anyway.
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
            # Cancelled too: whether it was written is not known, and marking again changes nothing.
            self._sent = seqs + self._sent
            raise
        self._held.difference_update(seqs)


def _is_refusal(error: Exception) -> bool:
    """Whether the signal itself is called invalid. A search attribute that the server doesn't know
    yet is its trouble, and a run that has had too many signals will be followed by another.
    """
    if not isinstance(error, RPCError) or error.status is not RPCStatusCode.INVALID_ARGUMENT:
        return False
    message = error.message.lower()
    return "search attribute" not in message and "exceeded" not in message


def _describe_fault(error: Exception) -> str:
    if isinstance(error, RPCError):
        return f"{error.status.name}: {error.message.splitlines()[0] if error.message else ''}"
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
