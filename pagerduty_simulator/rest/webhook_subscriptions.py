"""/webhook_subscriptions: real subscriptions of the site's webhook sender."""

import secrets
from typing import Any, Final, Literal

import httpx

from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.calls import Call, a_read, a_write, lookup, page
from pagerduty_simulator.subscriptions import Subscription, SubscriptionFilter

_KINDS: Final[dict[str, Literal["account", "service", "team"]]] = {
    "account_reference": "account",
    "service_reference": "service",
    "team_reference": "team",
}
_MAX_PER_FILTER: Final = 10


def _object(call: Call, subscription: Subscription, secret: str | None = None) -> JsonObject:
    chosen: JsonObject = {"type": f"{subscription.filter.kind}_reference"}
    if subscription.filter.id is not None:
        chosen["id"] = subscription.filter.id
    return {
        "id": subscription.id,
        "type": "webhook_subscription",
        "active": subscription.active,
        "description": call.site.subscription_descriptions.get(subscription.id, ""),
        "events": sorted(
            str(event_type) for event_type in subscription.event_types if event_type is not EventType.PING
        ),
        "filter": chosen,
        "delivery_method": {
            "id": f"D{subscription.id[1:]}",
            "type": "http_delivery_method",
            "url": subscription.url,
            "secret": secret,
            "temporarily_disabled": call.site.sender.temporarily_disabled(subscription.id),
            "custom_headers": [
                {"name": name, "value": "-- redacted --"} for name, _ in subscription.custom_headers
            ],
        },
    }


def _list(call: Call) -> Answer:
    kind, filter_id = call.parameter("filter_type"), call.parameter("filter_id")
    if kind in {"service", "team"} and filter_id is None:
        raise invalid("filter_id is needed with this filter_type")
    subscriptions = [
        subscription
        for subscription in call.site.sender.subscriptions.values()
        if kind in {None, subscription.filter.kind} and filter_id in {None, subscription.filter.id}
    ]
    return page(
        call, "webhook_subscriptions", subscriptions, lambda subscription: _object(call, subscription)
    )


def _get(call: Call) -> Answer:
    return Answer(200, {"webhook_subscription": _object(call, _get_subscription(call))})


def _get_subscription(call: Call) -> Subscription:
    return lookup(call.site.sender.subscriptions, call.parameters[0])


def _create(call: Call) -> Answer:
    body = call.wrapped("webhook_subscription")
    if body.get("type") != "webhook_subscription":
        raise invalid("Type must be webhook_subscription")
    method = body.get("delivery_method")
    if not isinstance(method, dict) or method.get("type") != "http_delivery_method":
        raise invalid("Delivery method must be an http_delivery_method")
    url = method.get("url")
    if not isinstance(url, str) or httpx.URL(url).scheme not in {"http", "https"}:
        raise invalid("Delivery method URL is not valid")
    if "events" not in body or "filter" not in body:
        raise invalid("Events and filter cannot be empty")
    only = _filter(call, body["filter"])
    same = [
        subscription
        for subscription in call.site.sender.subscriptions.values()
        if subscription.filter == only
    ]
    if len(same) >= _MAX_PER_FILTER:
        raise invalid("At most ten subscriptions of one filter are allowed")
    headers = tuple(
        (str(header["name"]), str(header["value"])) for header in method.get("custom_headers") or ()
    )
    secret = secrets.token_urlsafe(48)
    subscription = call.site.sender.subscribe(
        url, secret, event_types=_event_types(body["events"]), only=only, custom_headers=headers
    )
    if body.get("active") is False:
        call.site.sender.pause(subscription.id)
    call.site.subscription_descriptions[subscription.id] = str(body.get("description") or "")
    return Answer(200, {"webhook_subscription": _object(call, subscription, secret)})


def _event_types(names: Any) -> frozenset[EventType]:
    if not isinstance(names, list) or not names:
        raise invalid("Events cannot be empty")
    try:
        return frozenset(EventType(name) for name in names)
    except ValueError:
        raise invalid("Events has an unknown event type") from None


def _filter(call: Call, body: Any) -> SubscriptionFilter:
    kind = _KINDS.get(str(body.get("type"))) if isinstance(body, dict) else None
    if kind is None:
        raise invalid("Filter type is unknown")
    if (kind == "account") != (body.get("id") is None):
        raise invalid("A service or team filter needs an id, an account filter has none")
    unknown_service = kind == "service" and body["id"] not in call.account.services
    if unknown_service or (kind == "team" and body["id"] not in call.account.teams):
        raise invalid("Filter id is not found")
    return SubscriptionFilter(kind, body.get("id"))


def _update(call: Call) -> Answer:
    subscription, body = _get_subscription(call), call.wrapped("webhook_subscription")
    # PagerDuty ignores a new URL or new headers here.
    events = _event_types(body["events"]) if "events" in body else subscription.event_types
    only = _filter(call, body["filter"]) if "filter" in body else subscription.filter
    subscription.event_types, subscription.filter = events, only
    if "active" in body:
        subscription.active = bool(body["active"])
    if "description" in body:
        call.site.subscription_descriptions[subscription.id] = str(body["description"] or "")
    return Answer(200, {"webhook_subscription": _object(call, subscription)})


def _delete(call: Call) -> Answer:
    call.site.sender.unsubscribe(_get_subscription(call).id)
    return Answer(204)


def _enable(call: Call) -> Answer:
    call.site.sender.enable(_get_subscription(call).id)
    return _get(call)


def _ping(call: Call) -> Answer:
    call.site.sender.publish(call.account.ping(by=call.by), only_to=_get_subscription(call).id)
    return Answer(202)


_ALL: Final = "/webhook_subscriptions"
_ONE: Final = "/webhook_subscriptions/{}"
_READ: Final = "webhook_subscriptions.read"
_WRITE: Final = "webhook_subscriptions.write"

OPERATIONS: Final = (
    a_read("listWebhookSubscriptions", _ALL, _list, _READ),
    a_write("createWebhookSubscription", "POST", _ALL, _create, _WRITE),
    a_read("getWebhookSubscription", _ONE, _get, _READ),
    a_write("updateWebhookSubscription", "PUT", _ONE, _update, _WRITE),
    a_write("deleteWebhookSubscription", "DELETE", _ONE, _delete, _WRITE),
    a_write("enableWebhookSubscription", "POST", f"{_ONE}/enable", _enable, _WRITE, takes_body=False),
    a_write("testWebhookSubscription", "POST", f"{_ONE}/ping", _ping, _WRITE, takes_body=False),
)
