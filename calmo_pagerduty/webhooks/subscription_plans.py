"""Plans that create, change and delete PagerDuty's subscriptions for our webhooks, without duplicates.

PagerDuty shows a subscription's secret once, in the answer to its creation. If that answer is lost, the
plan finds the useless subscription by its address and mark, deletes it, and creates a new one.
Source: PagerDuty's REST documentation, "Webhook Subscriptions".
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import NotFound, NotUnderstood, PagerDutyError
from calmo_pagerduty.pagerduty.request_builders import SubPlan, get, list_request, post, put, without_none
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListResult, Method, Plan
from calmo_pagerduty.webhooks.event_filters import EventFilter
from calmo_pagerduty.webhooks.lifecycle import WEBHOOK_PATH

SUBSCRIPTIONS_PATH = "/webhook_subscriptions"
#: Maximum number of subscriptions to read; no account has so many.
_MAX_SUBSCRIPTIONS = 2000
#: Attempts of a creation whose answer may be lost.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DeliveryTarget:
    """A webhook's address, and the mark that identifies our subscriptions for it."""

    webhook_id: str
    url: str
    name: str

    @property
    def mark(self) -> str:
        return f"[calmo:{self.webhook_id[-6:]}]"

    @property
    def description(self) -> str:
        return f"Calmo {self.name} {self.mark}" if self.name else f"Calmo {self.mark}"

    def matches(self, subscription: JsonObject) -> bool:
        """Tell whether we made the subscription: it has our mark and this webhook's path, on any host."""
        url = as_object(subscription.get("delivery_method")).get("url")
        ours = isinstance(url, str) and url.endswith(f"{WEBHOOK_PATH}{self.webhook_id}")
        return ours and self.mark in str(subscription.get("description"))


def subscribe(
    to: DeliveryTarget, events: Sequence[str], only: EventFilter, keep: Collection[str] = ()
) -> Plan:
    """Create the subscriptions, inactive, so that their secrets are stored before PagerDuty signs with them.

    Returns {"made": [{"id", "secret"}]}. `keep` are ids of existing subscriptions to leave alone.
    """
    made: list[JsonObject] = []
    for kind, identity in only.filter_keys():
        made.append(
            (
                yield from _create(
                    to, events, kind, identity, {*keep, *(str(subscription["id"]) for subscription in made)}
                )
            )
        )
    return {"made": made}


def _create(
    to: DeliveryTarget, events: Sequence[str], kind: str, identity: str | None, keep: Collection[str]
) -> SubPlan:
    body = {
        "type": "webhook_subscription",
        "active": False,
        "description": to.description,
        "delivery_method": {"type": "http_delivery_method", "url": to.url},
        "events": list(events),
        "filter": without_none({"type": f"{kind}_reference", "id": identity}),
    }
    attempt = 1
    while True:
        yield from _delete_others(to, keep)
        try:
            answer = yield post(SUBSCRIPTIONS_PATH, {"webhook_subscription": body})
        except PagerDutyError as error:
            if not error.may_have_happened or attempt >= _ATTEMPTS:
                raise
            attempt += 1
            continue
        subscription = as_object(answer.get("webhook_subscription"))
        secret = as_object(subscription.get("delivery_method")).get("secret")
        if not subscription.get("id") or not secret:
            raise NotUnderstood("PagerDuty made a subscription but didn't show its secret")
        return {"id": str(subscription["id"]), "secret": str(secret)}


def activate(ids: Sequence[str]) -> Plan:
    """Activate the subscriptions."""
    for subscription_id in ids:
        yield put(f"{SUBSCRIPTIONS_PATH}/{subscription_id}", {"webhook_subscription": {"active": True}})
    return {}


def deactivate(ids: Sequence[str]) -> Plan:
    """Deactivate the subscriptions. PagerDuty still sends what is in their queues."""
    for subscription_id in ids:
        try:
            yield put(f"{SUBSCRIPTIONS_PATH}/{subscription_id}", {"webhook_subscription": {"active": False}})
        except NotFound:
            continue
    return {}


def unsubscribe(to: DeliveryTarget, known: Sequence[str], keep: Collection[str] = ()) -> Plan:
    """Delete the `known` subscriptions and all others of ours for this address, except those in `keep`."""
    for subscription_id in known:
        if subscription_id not in keep:
            yield from _delete(subscription_id)
    yield from _delete_others(to, keep)
    return {}


def ping(subscription_id: str) -> Plan:
    """Ask PagerDuty to send a ping."""
    yield ApiRequest(method=Method.POST, path=f"{SUBSCRIPTIONS_PATH}/{subscription_id}/ping")
    return {}


def _delete_others(to: DeliveryTarget, keep: Collection[str]) -> SubPlan:
    listed: ListResult = yield list_request(
        get(SUBSCRIPTIONS_PATH), "webhook_subscriptions", _MAX_SUBSCRIPTIONS
    )
    for subscription in listed.items:
        if to.matches(subscription) and str(subscription.get("id")) not in keep:
            yield from _delete(str(subscription["id"]))


def _delete(subscription_id: str) -> SubPlan:
    try:
        yield ApiRequest(method=Method.DELETE, path=f"{SUBSCRIPTIONS_PATH}/{subscription_id}")
    except NotFound:
        return
