"""Create, change and delete a sender's subscriptions."""

import random
from abc import ABC, abstractmethod
from typing import Final

import httpx

from pagerduty_simulator import identifiers
from pagerduty_simulator.clocks import Clock
from pagerduty_simulator.delivery_lanes import DeliveryLanes
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.subscriptions import Subscription, SubscriptionFilter
from pagerduty_simulator.webhook_post import KeepAliveClients

_ALL_TYPES: Final = frozenset(EventType)


class SubscriptionDesk(ABC):
    """All subscriptions by id, each with its queues and its connections."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self.clock = clock
        self.subscriptions: dict[str, Subscription] = {}
        self._rng = rng
        self._clients: dict[str, KeepAliveClients] = {}
        self._lanes: dict[str, DeliveryLanes] = {}

    def subscribe(
        self,
        url: str,
        secret: str,
        *,
        event_types: frozenset[EventType] = _ALL_TYPES,
        only: SubscriptionFilter | None = None,
        custom_headers: tuple[tuple[str, str], ...] = (),
    ) -> Subscription:
        """Add an active subscription; only events published from now on concern it."""
        if httpx.URL(url).scheme not in {"http", "https"}:
            raise ValueError("a webhook's URL begins with http:// or https://")
        subscription = Subscription(
            id=identifiers.object_id(self._rng),
            url=url,
            secrets=(secret,),
            event_types=event_types,
            filter=only or SubscriptionFilter(),
            custom_headers=custom_headers,
        )
        self.subscriptions[subscription.id] = subscription
        self._lanes[subscription.id] = DeliveryLanes()
        self._clients[subscription.id] = KeepAliveClients()
        return subscription

    def set_secrets(self, subscription_id: str, *secrets: str) -> None:
        """Replace the live secrets; two are live during a rotation. The next attempt uses them."""
        if not secrets:
            raise ValueError("a subscription has at least one secret")
        self.subscriptions[subscription_id].secrets = secrets

    def pause(self, subscription_id: str) -> None:
        """Set `active` to false: new events are not queued, but queued deliveries still go out."""
        self.subscriptions[subscription_id].active = False

    def resume(self, subscription_id: str) -> None:
        """Set `active` to true; events from the pause are never sent."""
        self.subscriptions[subscription_id].active = True

    def enable(self, subscription_id: str) -> None:
        """End a temporary disabling, as POST …/enable does; the dropped deliveries stay lost."""
        subscription = self.subscriptions[subscription_id]
        subscription.disabled_until = None
        subscription.consecutive_drops = 0

    def unsubscribe(self, subscription_id: str) -> None:
        """Delete a subscription and its queues; deliveries in flight still arrive."""
        subscription = self.subscriptions.pop(subscription_id)
        subscription.active = False
        self._discard_queued(subscription)

    def temporarily_disabled(self, subscription_id: str) -> bool:
        """Return `delivery_method.temporarily_disabled`; it ends by itself after 24 hours."""
        return self.subscriptions[subscription_id].temporarily_disabled(self.clock.now())

    @abstractmethod
    def _discard_queued(self, subscription: Subscription) -> None:
        """Drop all deliveries in the subscription's queues."""
