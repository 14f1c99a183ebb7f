"""Webhook subscriptions: their filters, addresses and secrets."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """The filter of a subscription: the account (no id), a service or a team."""

    kind: Literal["account", "service", "team"] = "account"
    id: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for an id that PagerDuty forbids, or a missing id that it requires."""
        if (self.kind == "account") != (self.id is None):
            raise ValueError("a service or team filter needs an id, an account filter has none")

    def matches(self, event: Event) -> bool:
        """Return whether the event belongs to the account, service or team."""
        match self.kind:
            case "account":
                return True
            case "service":
                return event.service_id == self.id
            case "team":
                return self.id in event.team_ids


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription and its state; change it through the WebhookSender."""

    id: str
    url: str
    # Two secrets are live while one replaces the other: each signs.
    secrets: tuple[str, ...] = field(repr=False)
    event_types: frozenset[EventType] = frozenset(EventType)
    filter: SubscriptionFilter = SubscriptionFilter()
    custom_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    active: bool = True
    consecutive_drops: int = 0
    disabled_until: datetime | None = None
    times_disabled: int = 0

    def temporarily_disabled(self, now: datetime) -> bool:
        """Return whether PagerDuty has disabled the subscription after three drops in a row."""
        return self.disabled_until is not None and now < self.disabled_until

    def wants(self, event: Event, now: datetime) -> bool:
        """Return whether the event must be queued; a ping is, whatever event types are chosen."""
        if not self.active or self.temporarily_disabled(now):
            return False
        chosen = event.event_type in self.event_types or event.event_type is EventType.PING
        return chosen and (event.event_type is EventType.PING or self.filter.matches(event))
