"""What the doctor says of a webhook: each trouble has its finding, and a healthy one has none."""

from datetime import timedelta
from typing import Any

import pytest

from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from calmo_pagerduty.webhooks.findings import Level, examine_webhook, orphan_findings, redact_webhook_id
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK, may_enable
from calmo_pagerduty.webhooks.subscriptions import (
    LocalWebhook,
    Subscription,
    SubscriptionSnapshot,
    parse_subscription,
)
from tests.support.builders import NOON

WEBHOOK_ID = "wh_" + "a" * 32
OTHER_ID = "wh_" + "b" * 32
HOST = "https://calmo.example"
EVENTS = frozenset({"incident.triggered", "incident.resolved"})


def ours(webhook_id: str = WEBHOOK_ID, **fields: Any) -> LocalWebhook:
    url = f"{HOST}/webhooks/pagerduty/{webhook_id}"
    known = {"event_types": EVENTS, "filter_keys": (("account", None),), "last_delivery_at": NOON}
    return LocalWebhook.model_validate({"id": webhook_id, "url": url, **known, **fields})


def theirs(identity: str = "PSUB", webhook_id: str = WEBHOOK_ID, **fields: Any) -> Subscription:
    url = f"{HOST}/webhooks/pagerduty/{webhook_id}"
    known = {"active": True, "disabled": False, "event_types": EVENTS, "kind": "account"}
    return Subscription.model_validate({"id": identity, "url": url, **known, **fields})


def seen(*subscriptions: Subscription, **fields: Any) -> SubscriptionSnapshot:
    return SubscriptionSnapshot(now=NOON, subscriptions=subscriptions, **fields)


def kinds(webhook: LocalWebhook, what: SubscriptionSnapshot) -> dict[str, Level]:
    return {finding.kind: finding.level for finding in examine_webhook(webhook, (webhook,), what)}


def test_a_healthy_webhook_has_no_findings() -> None:
    assert kinds(ours(), seen(theirs(), last_incident_at=NOON)) == {}


@pytest.mark.parametrize(
    ("webhook", "what", "kind", "level"),
    [
        (ours(), seen(theirs(disabled=True)), "subscription_disabled", Level.ALARM),
        (ours(), seen(theirs(active=False)), "subscription_inactive", Level.WARNING),
        (ours(), seen(), "subscription_missing", Level.ALARM),
        (ours(subscription_ids=("PGONE",)), seen(theirs()), "subscription_missing", Level.ALARM),
        (
            ours(subscription_ids=("PSUB",)),
            seen(theirs(webhook_id=OTHER_ID)),
            "changed_address",
            Level.ALARM,
        ),
        (
            ours(managed=True),
            seen(theirs(event_types=frozenset({"incident.resolved"}))),
            "wrong_events",
            Level.WARNING,
        ),
        (ours(), seen(theirs(event_types=frozenset({"incident.resolved"}))), "wrong_events", Level.NOTE),
        (ours(), seen(theirs(kind="service", filter_id="PS")), "wrong_filter", Level.WARNING),
        (ours(), seen(theirs("P1"), theirs("P2")), "overlapping", Level.NOTE),
        (ours(has_secret=False), seen(theirs()), "no_secret", Level.ALARM),
        (ours(strikes=1), seen(theirs()), "strikes", Level.WARNING),
        (ours(strikes=2), seen(theirs()), "strikes", Level.ALARM),
        (ours(waits_since=NOON - timedelta(minutes=5)), seen(theirs()), "inbox_growing", Level.WARNING),
        (
            ours(last_delivery_at=NOON - timedelta(hours=3)),
            seen(theirs(), last_incident_at=NOON - timedelta(hours=1)),
            "silent",
            Level.ALARM,
        ),
        (ours(), SubscriptionSnapshot(now=NOON, unreadable_reason="no token"), "cannot_look", Level.NOTE),
    ],
)
def test_each_trouble_is_found(
    webhook: LocalWebhook, what: SubscriptionSnapshot, kind: str, level: Level
) -> None:
    assert kinds(webhook, what) == {kind: level}


def test_the_last_strike_before_the_end_is_said_so() -> None:
    (finding,) = examine_webhook(ours(strikes=2), (), seen(theirs()))
    assert finding.words.startswith("one more rejected delivery and PagerDuty switches this off")


def test_a_paused_webhook_asks_for_no_subscription() -> None:
    assert kinds(ours(paused=True), seen()) == {}


def test_an_incident_of_just_now_makes_nobody_silent() -> None:
    quiet = ours(last_delivery_at=NOON - timedelta(hours=3))
    assert kinds(quiet, seen(theirs(), last_incident_at=NOON - timedelta(minutes=2))) == {}


def test_services_apart_don_t_overlap_and_a_whole_account_overlaps_with_each() -> None:
    subscription, other = theirs(kind="service", filter_id="P1"), theirs("P2", kind="service", filter_id="P2")
    parts = (("service", "P1"), ("service", "P2"))
    assert kinds(ours(filter_keys=parts), seen(subscription, other)) == {}
    assert subscription.overlaps(theirs("P3"))


def test_two_webhooks_of_a_connection_for_the_same_events_are_told_of() -> None:
    mine, yours = ours(), ours(OTHER_ID)
    found = examine_webhook(mine, (mine, yours), seen(theirs("P1"), theirs("P2", OTHER_ID)))
    assert [finding.kind for finding in found] == ["overlapping"]


def test_what_delivers_to_a_webhook_that_is_gone_is_told_without_its_address() -> None:
    (finding,) = orphan_findings(HOST, [WEBHOOK_ID], [theirs(), theirs("P2", OTHER_ID)])
    assert finding.kind == "unowned_subscription" and "P2" in finding.words
    assert OTHER_ID not in finding.words
    assert (
        WEBHOOK_ID
        not in redact_webhook_id(finding.model_copy(update={"words": WEBHOOK_ID}), WEBHOOK_ID).words
    )


def test_a_subscription_is_read_tolerantly() -> None:
    assert parse_subscription({}) is None
    bare = parse_subscription({"id": "P1", "delivery_method": None, "filter": None, "events": None})
    assert bare is not None and bare.active and not bare.disabled
    whole = parse_subscription(
        {
            "id": "P1",
            "active": False,
            "events": ["incident.triggered"],
            "filter": {"type": "team_reference", "id": "PT"},
            "delivery_method": {"url": "https://x", "temporarily_disabled": True},
        }
    )
    assert whole is not None
    assert (whole.kind, whole.filter_id, whole.disabled, whole.active) == ("team", "PT", True, False)


def test_switching_on_again_is_off_until_the_rules_allow_it() -> None:
    allowed = ConnectionRules(switches={ENABLE_WEBHOOK: Switch.ALLOW})
    assert not may_enable(ConnectionRules(), TokenInfo())
    assert may_enable(allowed, TokenInfo())
    assert not may_enable(allowed, TokenInfo(read_only=True))
    assert not may_enable(ConnectionRules(switches={"risk:medium": Switch.ALLOW}), TokenInfo())
    assert not may_enable(ConnectionRules(switches={ENABLE_WEBHOOK: Switch.DENY}), TokenInfo())
