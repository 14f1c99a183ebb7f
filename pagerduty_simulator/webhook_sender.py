"""Send events as PagerDuty does, with its retries and its disabling of subscriptions."""

import asyncio
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, Final

from pagerduty_simulator.clocks import Clock, ScaledClock
from pagerduty_simulator.delivery_contract import Attempt, AttemptOutcome, DeliveryContract, InjectedFaults
from pagerduty_simulator.delivery_lanes import Delivery, Lane
from pagerduty_simulator.delivery_ledger import DeliveryLedger
from pagerduty_simulator.events import Event
from pagerduty_simulator.subscription_desk import SubscriptionDesk
from pagerduty_simulator.subscriptions import Subscription
from pagerduty_simulator.webhook_post import Answer, post_webhook

_NO_TIME: Final = timedelta(0)

AttemptObserver = Callable[[Event, Attempt], None]


class WebhookSender(SubscriptionDesk):
    """Subscriptions and their queues. Use it inside a running event loop, and `aclose` it."""

    def __init__(
        self,
        *,
        contract: DeliveryContract | None = None,
        clock: Clock | None = None,
        faults: InjectedFaults | None = None,
        seed: int = 0,
        ledger: DeliveryLedger | None = None,
        on_attempt: AttemptObserver | None = None,
        attempts_kept: int = 200_000,
    ) -> None:
        """Create a sender; `aclose` also closes `ledger`."""
        self.contract = contract or DeliveryContract()
        super().__init__(clock or ScaledClock(), random.Random(seed))
        self.faults = faults or InjectedFaults()
        self.attempts: deque[Attempt] = deque(maxlen=attempts_kept)
        self.pending = 0
        self._seed = seed
        self._ledger = ledger
        self._on_attempt = on_attempt
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None

    # Sending

    def publish(self, events: Iterable[Event], *, only_to: str | None = None) -> None:
        """Queue events for each subscription that wants them, or `only_to` one, and return at once."""
        now = self.clock.now()
        for event in events:
            for subscription in self.subscriptions.values():
                chosen = only_to is None or subscription.id == only_to
                if chosen and subscription.wants(event, now):
                    self._queue(subscription, event)

    async def until(self, condition: Callable[[], bool], within_seconds: float = 120.0) -> None:
        """Wait until the condition holds, looking again after each attempt.

        Raises TimeoutError after `within_seconds` of real time.
        """
        async with asyncio.timeout(within_seconds):
            while not condition():
                if self._failure is not None:
                    raise self._failure
                self._changed.clear()
                await self._changed.wait()

    async def drained(self, within_seconds: float = 120.0) -> None:
        """Wait until everything published is delivered or dropped. Raises TimeoutError."""
        await self.until(lambda: self.pending == 0, within_seconds)

    def attempts_of(self, event_id: str) -> tuple[Attempt, ...]:
        """Return the stored attempts of one event, oldest first."""
        return tuple(attempt for attempt in self.attempts if attempt.event_id == event_id)

    async def aclose(self) -> None:
        """Stop at once, even if deliveries are queued."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for clients in self._clients.values():
            await clients.aclose()
        if self._ledger is not None:
            await self._ledger.aclose()

    def _queue(self, subscription: Subscription, event: Event) -> None:
        # An event always has the same X-Webhook-Id for a subscription.
        webhook_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{subscription.id}/{event.id}"))
        delivery = Delivery(event, webhook_id, self.clock.now())
        if len(event.body) > self.contract.largest_body_bytes:
            self._record(subscription, delivery, AttemptOutcome.TOO_LARGE)
            return
        lanes = self._lanes[subscription.id]
        ordered = len(event.body) <= self.contract.ordered_body_bytes
        key = event.incident_id if ordered and event.incident_id else f"alone/{event.id}"
        if self._chance(self.faults.reorder_share):
            lane = lanes.add_held(f"held/{event.id}/{self._rng.random()}", delivery)
            self._open_later(subscription, lane, self.faults.reorder_hold)
            key = lane.key
        else:
            lanes.add(key, delivery)
        self.pending += 1
        if self._chance(self.faults.duplicate_share):
            lanes.add(key, Delivery(event, webhook_id, delivery.queued_at, is_duplicate=True))
            self.pending += 1
        self._send_ready(subscription)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share

    def _send_ready(self, subscription: Subscription) -> None:
        lanes = self._lanes[subscription.id]
        while lanes.in_flight < self.contract.parallel_deliveries:
            lane = lanes.take()
            if lane is None:
                return
            self._spawn(self._send_first(subscription, lane))

    def _open_later(self, subscription: Subscription, lane: Lane, after: timedelta) -> None:
        async def wait_and_open() -> None:
            await self.clock.sleep(after)
            self._lanes[subscription.id].make_ready(lane)
            self._send_ready(subscription)

        lane.waiting = self._spawn(wait_and_open())

    async def _send_first(self, subscription: Subscription, lane: Lane) -> None:
        delivery = lane.queue[0]
        delivery.attempts += 1
        if self._ledger is not None and delivery.attempts == 1:
            await self._ledger.mark("sending", subscription.id, delivery)
        began = time.perf_counter()
        answer = await post_webhook(
            self._clients[subscription.id],
            subscription,
            delivery.webhook_id,
            delivery.event.body,
            self.contract.deadline,
        )
        latency = timedelta(seconds=time.perf_counter() - began)
        verdict = self._final(subscription, delivery, answer.verdict)
        if self._ledger is not None and verdict is AttemptOutcome.DELIVERED:
            await self._ledger.mark("acknowledged", subscription.id, delivery)
        elif self._ledger is not None and verdict is not AttemptOutcome.RETRIED:
            await self._ledger.mark("dropped", subscription.id, delivery)
        self._settle(subscription, lane, verdict)
        self._record(subscription, delivery, verdict, answer, latency)
        self._send_ready(subscription)

    def _final(
        self, subscription: Subscription, delivery: Delivery, verdict: AttemptOutcome
    ) -> AttemptOutcome:
        """Turn a retry into a final outcome if its time is over or the subscription is disabled."""
        if verdict is not AttemptOutcome.RETRIED:
            return verdict
        now = self.clock.now()
        if subscription.temporarily_disabled(now):
            return AttemptOutcome.DISCARDED
        # The time counts from the queueing, so a delivery that waited behind another has less left.
        expired = now - delivery.queued_at >= self.contract.retried_for
        return AttemptOutcome.EXPIRED if expired else AttemptOutcome.RETRIED

    def _settle(self, subscription: Subscription, lane: Lane, verdict: AttemptOutcome) -> None:
        lanes = self._lanes[subscription.id]
        delivery = lanes.put_back(lane)
        if verdict is AttemptOutcome.RETRIED:
            rng = random.Random(f"{self._seed}/{delivery.event.id}/{delivery.attempts}")
            interval = self.contract.retry_interval(delivery.attempts, rng.random())
            last_moment = delivery.queued_at + self.contract.retried_for
            interval = min(interval, last_moment - self.clock.now())
            self._open_later(subscription, lane, max(interval, _NO_TIME))
            return
        lanes.drop_first(lane)
        self.pending -= 1
        if verdict is AttemptOutcome.DELIVERED:
            subscription.consecutive_drops = 0
        elif not subscription.temporarily_disabled(self.clock.now()):
            subscription.consecutive_drops += 1
            if subscription.consecutive_drops >= self.contract.drops_until_disabled:
                self._disable(subscription)

    def _disable(self, subscription: Subscription) -> None:
        subscription.disabled_until = self.clock.now() + self.contract.disabled_for
        subscription.consecutive_drops = 0
        subscription.times_disabled += 1
        self._discard_queued(subscription)

    def _discard_queued(self, subscription: Subscription) -> None:
        for delivery in self._lanes[subscription.id].discard_queued():
            self.pending -= 1
            self._record(subscription, delivery, AttemptOutcome.DISCARDED)

    def _record(
        self,
        subscription: Subscription,
        delivery: Delivery,
        verdict: AttemptOutcome,
        answer: Answer | None = None,
        latency: timedelta = _NO_TIME,
    ) -> None:
        attempt = Attempt(
            event_id=delivery.event.id,
            incident_id=delivery.event.incident_id,
            subscription_id=subscription.id,
            webhook_id=delivery.webhook_id,
            number=delivery.attempts,
            at=self.clock.now(),
            latency=latency,
            status=answer.status if answer else None,
            error=answer.error if answer else None,
            verdict=verdict,
            is_duplicate=delivery.is_duplicate,
        )
        self.attempts.append(attempt)
        self._changed.set()
        if self._on_attempt is not None:
            self._on_attempt(delivery.event, attempt)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._discard)
        return task

    def _discard(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failure = failure
            self._changed.set()
