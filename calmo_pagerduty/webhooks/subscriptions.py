"""Our webhooks and PagerDuty's subscriptions, as the doctor's input."""

from collections.abc import Sequence
from datetime import datetime

from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.requests import JsonObject
from calmo_pagerduty.webhooks.lifecycle import WEBHOOK_PATH


class LocalWebhook(FrozenModel):
    """A live webhook of ours. `filter_keys` are (kind, id) of the subscriptions it needs. Times are UTC."""

    id: str
    url: str
    event_types: frozenset[str]
    filter_keys: tuple[tuple[str, str | None], ...]
    subscription_ids: tuple[str, ...] = ()
    managed: bool = False
    has_secret: bool = True
    paused: bool = False
    armed: bool = False
    disabled_at: datetime | None = None
    #: Strikes within the last 24 h.
    strikes: int = 0
    last_delivery_at: datetime | None = None
    #: When the oldest delivery arrived that has reached no timeline yet.
    waits_since: datetime | None = None


class Subscription(FrozenModel):
    """A webhook subscription as PagerDuty shows it."""

    id: str
    url: str
    active: bool
    disabled: bool
    event_types: frozenset[str]
    kind: str
    filter_id: str | None = None

    @property
    def is_live(self) -> bool:
        return self.active and not self.disabled

    @property
    def filter_key(self) -> tuple[str, str | None]:
        return self.kind, self.filter_id

    def overlaps(self, other: "Subscription") -> bool:
        """Tell whether both may deliver the same event. A team's services are unknown here."""
        same = "account" in (self.kind, other.kind) or self.filter_key == other.filter_key
        return same and not self.event_types.isdisjoint(other.event_types)


class SubscriptionSnapshot(FrozenModel):
    """PagerDuty's side. `subscriptions` is None if the token may not read them. Times are UTC."""

    now: datetime
    subscriptions: tuple[Subscription, ...] | None = None
    unreadable_reason: str = ""
    #: When something last happened in an incident at PagerDuty.
    last_incident_at: datetime | None = None
    #: True if the connection's rules let us enable a subscription.
    may_enable: bool = False


def parse_subscription(item: JsonObject) -> Subscription | None:
    """Parse a subscription of the REST API; None if it has no id."""
    method, only = as_object(item.get("delivery_method")), as_object(item.get("filter"))
    events = item.get("events")
    if not isinstance(item.get("id"), str):
        return None
    return Subscription(
        id=item["id"],
        url=str(method.get("url") or ""),
        active=item.get("active") is not False,
        disabled=method.get("temporarily_disabled") is True,
        event_types=frozenset(map(str, events if isinstance(events, list) else [])),
        kind=str(only.get("type", "")).removesuffix("_reference"),
        filter_id=only.get("id") if isinstance(only.get("id"), str) else None,
    )


def subscriptions_of_webhook(
    webhook: LocalWebhook, subscriptions: Sequence[Subscription]
) -> tuple[Subscription, ...]:
    """Return the subscriptions that deliver to a webhook."""
    return tuple(
        subscription
        for subscription in subscriptions
        if subscription.url.endswith(f"{WEBHOOK_PATH}{webhook.id}")
    )
