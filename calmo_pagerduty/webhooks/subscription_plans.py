"""Plans that make, change and end PagerDuty's subscriptions for our webhooks. None is made twice.

PagerDuty shows a subscription's secret once, in the answer to its creation. If that answer is lost,
what was made is of no use: it is found by its address and mark, deleted, and made anew.
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
#: More than an account can have of one kind.
_MAX_SUBSCRIPTIONS = 2000
#: How often a creation is tried whose answer may have got lost.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class DeliveryTarget:
    """Where deliveries go, and by what our subscriptions for it are known."""

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
        """Whether we made it: one that somebody made by hand lacks the mark. Hosts may have changed."""
        url = as_object(subscription.get("delivery_method")).get("url")
        ours = isinstance(url, str) and url.endswith(f"{WEBHOOK_PATH}{self.webhook_id}")
        return ours and self.mark in str(subscription.get("description"))


def subscribe(
    to: DeliveryTarget, events: Sequence[str], only: EventFilter, known: Collection[str] = ()
) -> Plan:
    """Make the subscriptions, inactive, so that the secrets are kept before anything is signed with them.

    Returns {"made": [{"id", "secret"}]}. `known` are those to leave alone.
    """
    made: list[JsonObject] = []
    for kind, identity in only.filter_keys():
        made.append(
            (
                yield from _create(
                    to, events, kind, identity, {*known, *(str(subscription["id"]) for subscription in made)}
                )
            )
        )
    return {"made": made}


def _create(
    to: DeliveryTarget, events: Sequence[str], kind: str, identity: str | None, known: Collection[str]
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
        yield from _delete_others(to, known)
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
    """Let PagerDuty deliver."""
    for subscription_id in ids:
        yield put(f"{SUBSCRIPTIONS_PATH}/{subscription_id}", {"webhook_subscription": {"active": True}})
    return {}


def deactivate(ids: Sequence[str]) -> Plan:
    """Let PagerDuty send nothing new by these; what waits in their queues still goes out."""
    for subscription_id in ids:
        try:
            yield put(f"{SUBSCRIPTIONS_PATH}/{subscription_id}", {"webhook_subscription": {"active": False}})
        except NotFound:
            continue
    return {}


def unsubscribe(to: DeliveryTarget, known: Sequence[str], keep: Collection[str] = ()) -> Plan:
    """Delete what is `known`, and whatever else of ours delivers there, but not what is to be kept."""
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
