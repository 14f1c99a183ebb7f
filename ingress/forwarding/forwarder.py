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

from calmo_pagerduty.db import leases
from calmo_pagerduty.db.announcements import Channel
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import store as deliveries
from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.forwarding import failures
from ingress.forwarding.confirmer import Confirmer
from ingress.forwarding.inbox_reader import InboxReader
from ingress.forwarding.incident_queues import IncidentQueues
from ingress.forwarding.pacing import ArrivalRate, collection_seconds, reading_seconds
from ingress.forwarding.signal_sender import SignalSender
from ingress.metrics import Metrics

logger = logging.getLogger(__name__)

LEASE = "forwarder"
LEASE_TTL = timedelta(seconds=4)
LEASE_RENEWAL_SECONDS = 1.0
#: Who stands by looks this often whether the lease is free: after a kill, deliveries wait for that.
LEASE_LOOK_SECONDS = 0.25
#: At most this many signals are in flight at once, and at most one per incident.
MAX_IN_FLIGHT = 16
MAX_BATCH = 100
#: The loop looks for new deliveries at least this often.
LOOK_SECONDS = 1.0
CALL_TIMEOUT_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
#: A signal that Temporal calls invalid this many times becomes a dead letter. Other failures are retried.
MAX_REFUSALS = 5
STORE_PAUSE_SECONDS = 0.5
MARK_INTERVAL_SECONDS = 0.05
#: If this many incidents fail in a row, Temporal is taken to be away, and all wait.
FAILURES_OF_AN_OUTAGE = 3
#: A process whose signals all fail for this long lets another one lead, and stands by for a while.
LEADS_IN_VAIN_SECONDS = 12.0
ABSTAIN_SECONDS = 5.0


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
        self._inbox = InboxReader(database, self._queues, self._rate)
        self._confirmer = Confirmer(
            database, metrics, confirm_after, lambda: self.leading, self._inbox.hold_back
        )
        self._sending: set[asyncio.Task[None]] = set()
        self._sent: list[int] = []
        self._refusals: Counter[IncidentRef] = Counter()
        self._something_to_do = asyncio.Event()
        self._something_to_mark = asyncio.Event()
        self._read_at = 0.0
        self._leading_until = 0.0
        self._abstains_until = 0.0
        self._paused_until = 0.0
        self._pause_seconds = 0.0
        #: Of incidents whose last signal failed: how long they paused.
        self._pauses: dict[IncidentRef, float] = {}
        #: Incidents that failed as in an outage since a signal was sent last, and since when.
        self._failing: set[IncidentRef] = set()
        self._failing_since: float | None = None

    def wake(self) -> None:
        """Tell the forwarder that deliveries wait."""
        self._inbox.wake()
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
            if self._inbox_rests() <= 0:
                await self._read()
            while len(self._sending) < MAX_IN_FLIGHT and (now := time.monotonic()) >= self._paused_until:
                batch = self._queues.take_batch(MAX_BATCH, now - self._collection_seconds(), now)
                if not batch:
                    break
                task = asyncio.create_task(self._send(sender, batch))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)

    def _collection_seconds(self) -> float:
        return collection_seconds(self._rate.per_second(time.monotonic()))

    def _inbox_rests(self) -> float:
        """Return how long the inbox is not read, in seconds: in a storm a reading takes many deliveries."""
        now = time.monotonic()
        return self._read_at + reading_seconds(self._rate.per_second(now)) - now

    def _timeout(self) -> float:
        """Return how long the loop may sleep if nothing wakes it, in seconds."""
        now = time.monotonic()
        if self._inbox.has_news and (rest := self._inbox_rests()) > 0:
            return rest
        if now < self._paused_until:
            return min(LOOK_SECONDS, self._paused_until - now)
        if len(self._sending) >= MAX_IN_FLIGHT:
            return LOOK_SECONDS
        since, resumes_at = self._queues.next_waits_since(), self._queues.next_resumes_at()
        waits = [] if since is None else [since + self._collection_seconds() - now]
        waits += [] if resumes_at is None else [resumes_at - now]
        return max(min([LOOK_SECONDS, *waits]), 0.0)

    async def _read(self) -> None:
        self._read_at = time.monotonic()
        try:
            await self._inbox.read()
        except StoreUnavailable as error:
            logger.warning("inbox_unreadable", extra={"error": str(error)})
            self._inbox.wake()
            await asyncio.sleep(STORE_PAUSE_SECONDS)

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
            self._failing.clear()
            self._failing_since = None
            self._settle(batch)
            self._queues.finish(ref)
        finally:
            self._something_to_do.set()

    def _settle(self, batch: Sequence[PendingDelivery]) -> None:
        self._metrics.signals.labels("sent").inc()
        self._metrics.forwarded.inc(len(batch))
        self._refusals.pop(batch[0].ref, None)
        self._pauses.pop(batch[0].ref, None)
        self._sent += [delivery.seq for delivery in batch]
        self._something_to_mark.set()

    async def _handle_send_failure(
        self, sender: SignalSender, batch: Sequence[PendingDelivery], error: Exception
    ) -> None:
        """Put the batch back, and pause its incident for a while; all of them if Temporal seems to be away.

        A batch that is too large is halved. After Temporal called the signal invalid MAX_REFUSALS times, each
        delivery is sent alone, and those that Temporal still refuses become dead letters.
        """
        ref = batch[0].ref
        self._metrics.signals.labels("failed").inc()
        too_large = failures.is_too_large(error)
        if too_large and len(batch) > 1:
            self._queues.limit(ref, len(batch) // 2)
            self._queues.put_back(batch)
            return
        if too_large or failures.is_refusal(error):
            self._refusals[ref] += 1
            if self._refusals[ref] >= MAX_REFUSALS:
                del self._refusals[ref]
                await self._send_one_by_one(sender, batch)
                return
        logger.warning(
            "signal_not_sent",
            extra={"workflow_id": ref.workflow_id, "error": failures.describe(error), "events": len(batch)},
        )
        if failures.is_outage(error):
            self._note_outage(ref)
        self._pauses[ref] = _longer(self._pauses.get(ref, 0.0))
        self._queues.put_back(batch, time.monotonic() + self._pauses[ref])

    def _note_outage(self, ref: IncidentRef) -> None:
        now = time.monotonic()
        self._failing.add(ref)
        self._failing_since = self._failing_since or now
        if len(self._failing) >= FAILURES_OF_AN_OUTAGE:
            self._pause_seconds = _longer(self._pause_seconds)
            self._paused_until = now + self._pause_seconds

    async def _send_one_by_one(self, sender: SignalSender, batch: Sequence[PendingDelivery]) -> None:
        for number, delivery in enumerate(batch):
            try:
                async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                    await sender.send([delivery])
                self._settle([delivery])
            except Exception as error:  # after any error the rest is put back
                refused = failures.is_refusal(error) or failures.is_too_large(error)
                if not (refused and await self._mark_dead(delivery, error)):
                    self._queues.put_back(batch[number:], time.monotonic() + FIRST_PAUSE_SECONDS)
                    return
        self._queues.finish(batch[0].ref)

    async def _mark_dead(self, delivery: PendingDelivery, error: Exception) -> bool:
        """Make the delivery a dead letter. Returns False if the database can't be reached."""
        reason = f"Temporal refuses the signal: {failures.describe(error)}"

        def write(transaction: Transaction) -> None:
            deliveries.mark_dead(transaction, [delivery.seq], reason)
            deliveries.mark_needs_reconcile(transaction, [delivery.ref])

        try:
            await self._database.write(write)
        except StoreUnavailable:
            return False
        self._metrics.alarms.labels("dead_letter").inc()
        logger.error("delivery_set_aside", extra={"seq": delivery.seq, "reason": reason})
        self._inbox.forget([delivery.seq])
        return True

    async def _lead(self) -> None:
        """Claim the lease and renew it. Without the lease this process sends nothing.

        Who leads and can't reach Temporal gives the lease up, because another process may reach it.
        """
        while True:
            asked_at = time.monotonic()
            was_leading = self.leading
            claimed = False
            with suppress(StoreUnavailable):
                if self._leads_in_vain(asked_at):
                    await self._abstain(asked_at)
                elif asked_at >= self._abstains_until:
                    claimed = await self._claim()
            if claimed:
                self._leading_until = asked_at + LEASE_TTL.total_seconds()
            if claimed and not was_leading:
                logger.info("forwarding", extra={"holder": self._holder})
                self._clear()
                self._something_to_do.set()
            self._metrics.leading.set(self.leading)
            await asyncio.sleep(LEASE_RENEWAL_SECONDS if self.leading else LEASE_LOOK_SECONDS)

    async def _claim(self) -> bool:
        """Claim or renew the lease. Who can't have it only reads."""
        if not await self._database.read(lambda tx: leases.is_claimable(tx, LEASE, self._holder)):
            return False
        return await self._database.write(lambda tx: leases.claim_lease(tx, LEASE, self._holder, LEASE_TTL))

    def _leads_in_vain(self, now: float) -> bool:
        since = self._failing_since
        return self.leading and since is not None and now - since > LEADS_IN_VAIN_SECONDS

    async def _abstain(self, now: float) -> None:
        logger.warning("forwarding_given_up", extra={"holder": self._holder})
        self._leading_until, self._abstains_until, self._failing_since = 0.0, now + ABSTAIN_SECONDS, None
        await self._database.write(lambda c: leases.delete_lease(c, LEASE, self._holder))

    def _clear(self) -> None:
        """Empty the queues and read again from the beginning."""
        self._queues.clear()
        self._inbox.clear(but=self._sent)

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
        # Also if cancelled: the write may have happened or not, and marking again changes nothing.
        except BaseException:
            self._sent = seqs + self._sent
            raise
        self._inbox.forget(seqs)


def _longer(pause: float) -> float:
    """Return the pause after this one, in seconds."""
    return min(max(pause * 2, FIRST_PAUSE_SECONDS), MAX_PAUSE_SECONDS)
