"""Finds what is wrong with a connection's webhooks, with advice. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import combinations

from calmo_pagerduty.deliveries.model import MAX_STRIKES
from calmo_pagerduty.kernel.instants import format_instant
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.webhooks.lifecycle import WEBHOOK_PATH, webhook_handle
from calmo_pagerduty.webhooks.subscriptions import (
    LocalWebhook,
    Subscription,
    SubscriptionSnapshot,
    subscriptions_of_webhook,
)

#: If an incident happens so long after the last delivery, a delivery is missing.
SILENT_AFTER = timedelta(minutes=15)
#: If a delivery waits so long, nothing processes it.
STUCK_AFTER = timedelta(minutes=2)


class Level(StrEnum):
    """How bad a finding is."""

    #: Events get lost, or soon will.
    ALARM = "alarm"
    WARNING = "warning"
    NOTE = "note"


class Finding(FrozenModel):
    """`words` say what is wrong, `advice` what to do. They hold no address and no secret."""

    kind: str
    level: Level
    words: str
    advice: str
    since: datetime | None = None


def examine_webhook(
    webhook: LocalWebhook, all_of_ours: Sequence[LocalWebhook], snapshot: SubscriptionSnapshot
) -> tuple[Finding, ...]:
    """Return the findings on a webhook, the most severe first."""
    findings = list(_local_findings(webhook, snapshot))
    if snapshot.subscriptions is None:
        findings.append(_no_access_finding(snapshot.unreadable_reason))
    elif not webhook.paused:
        mine = subscriptions_of_webhook(webhook, snapshot.subscriptions)
        findings += _remote_findings(webhook, mine, snapshot)
        findings += _duplicate_findings(webhook, mine, all_of_ours, snapshot.subscriptions)
    return tuple(sorted(findings, key=lambda finding: list(Level).index(finding.level)))


def orphan_findings(
    url_prefix: str, live: Sequence[str], subscriptions: Sequence[Subscription]
) -> tuple[Finding, ...]:
    """Return findings on subscriptions that deliver to webhooks of ours that no longer exist."""
    orphans = [
        subscription
        for subscription in subscriptions
        if subscription.url.startswith(url_prefix + WEBHOOK_PATH)
        and subscription.url.rsplit("/")[-1] not in live
    ]
    return tuple(
        Finding(
            kind="unowned_subscription",
            level=Level.WARNING,
            words=f"subscription {subscription.id} delivers to a webhook that is gone"
            f" ({webhook_handle(subscription.url)})",
            advice="delete the subscription in PagerDuty",
        )
        for subscription in orphans
    )


def _local_findings(webhook: LocalWebhook, snapshot: SubscriptionSnapshot) -> Iterator[Finding]:
    if not webhook.has_secret:
        yield Finding(
            kind="no_secret",
            level=Level.ALARM,
            words="the webhook has no signing secret: every delivery is asked to come back, for 48 h at most",
            advice="set the secret that PagerDuty showed when the subscription was made",
        )
    if webhook.strikes:
        yield _strike_finding(webhook.strikes)
    if webhook.waits_since is not None and snapshot.now - webhook.waits_since > STUCK_AFTER:
        yield Finding(
            kind="inbox_growing",
            level=Level.WARNING,
            words=f"deliveries wait since {format_instant(webhook.waits_since)} and reach no timeline",
            advice="see whether a worker and Temporal are there: calmo-pagerduty health worker",
            since=webhook.waits_since,
        )


def _strike_finding(strikes: int) -> Finding:
    left = MAX_STRIKES + 1 - strikes
    if left > 1:
        words = f"{strikes} delivery was rejected; {left} more in a row and PagerDuty switches this off"
    else:
        words = "one more rejected delivery and PagerDuty switches this off: others are asked to come back"
    return Finding(
        kind="strikes",
        level=Level.WARNING if left > 1 else Level.ALARM,
        words=words,
        advice="set the secret of the subscription that delivers: deliveries are signed with another one",
    )


def _remote_findings(
    webhook: LocalWebhook, mine: Sequence[Subscription], snapshot: SubscriptionSnapshot
) -> Iterator[Finding]:
    everything = {subscription.id: subscription for subscription in snapshot.subscriptions or ()}
    for subscription_id in webhook.subscription_ids:
        if subscription_id not in everything:
            yield _missing_finding(f"subscription {subscription_id} is gone from PagerDuty")
        elif everything[subscription_id] not in mine:
            yield Finding(
                kind="changed_address",
                level=Level.ALARM,
                words=f"subscription {subscription_id} delivers to another address",
                advice="make a new subscription: PagerDuty can't change an address",
            )
    if not mine and not webhook.subscription_ids:
        yield _missing_finding("no subscription of PagerDuty's delivers to this webhook")
    for subscription in mine:
        yield from _subscription_findings(webhook, subscription, snapshot)
    chosen, delivered = set(webhook.filter_keys), {subscription.filter_key for subscription in mine}
    if mine and chosen - delivered:
        yield Finding(
            kind="wrong_filter",
            level=Level.WARNING,
            words=f"events of {_filter_text(chosen - delivered)} were chosen, but come from"
            f" {_filter_text(delivered)} only",
            advice="change the subscription's scope in PagerDuty, or make a new one",
        )
    yield from _silence_findings(webhook, mine, snapshot)


def _subscription_findings(
    webhook: LocalWebhook, subscription: Subscription, snapshot: SubscriptionSnapshot
) -> Iterator[Finding]:
    if subscription.disabled:
        since = webhook.disabled_at or snapshot.now
        by_itself = "it is switched on again and what was missed is fetched"
        by_hand = (
            "mend why deliveries were rejected, then enable the subscription in PagerDuty, "
            "or allow tool:enable_webhook for this connection"
        )
        yield Finding(
            kind="subscription_disabled",
            level=Level.ALARM,
            words=(
                f"PagerDuty has switched {subscription.id} off (seen since {format_instant(since)}):"
                " nothing arrives"
            ),
            advice=by_itself if snapshot.may_enable else by_hand,
            since=since,
        )
    if not subscription.active:
        yield Finding(
            kind="subscription_inactive",
            level=Level.WARNING,
            words=f"subscription {subscription.id} is paused in PagerDuty: nothing arrives",
            advice="activate it in PagerDuty",
        )
    missing = sorted(webhook.event_types - subscription.event_types)
    if missing:
        some = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
        yield Finding(
            kind="wrong_events",
            level=Level.WARNING if webhook.managed else Level.NOTE,
            words=f"subscription {subscription.id} doesn't bring {some}",
            advice="choose these events in PagerDuty, or a smaller set of events for the webhook",
        )


def _no_access_finding(reason: str) -> Finding:
    return Finding(
        kind="cannot_look",
        level=Level.NOTE,
        words=f"PagerDuty's subscriptions can't be seen: {reason}",
        advice="give the connection a token whose user is a manager or administrator",
    )


def _missing_finding(words: str) -> Finding:
    return Finding(
        kind="subscription_missing",
        level=Level.ALARM,
        words=f"{words}: nothing arrives",
        advice="make it: calmo-pagerduty webhook subscribe, or by hand as docs/webhooks.md says",
    )


def _silence_findings(
    webhook: LocalWebhook, mine: Sequence[Subscription], snapshot: SubscriptionSnapshot
) -> Iterator[Finding]:
    """Compare with PagerDuty's latest incident. Only a whole-account subscription should deliver it."""
    last, there = webhook.last_delivery_at, snapshot.last_incident_at
    whole = any(subscription.is_live and subscription.kind == "account" for subscription in mine)
    if not whole or there is None or snapshot.now - there < SILENT_AFTER:
        return
    if last is None or there - last > SILENT_AFTER:
        arrived = f"nothing has arrived since {format_instant(last)}" if last else "nothing has ever arrived"
        yield Finding(
            kind="silent",
            level=Level.ALARM,
            words=f"{arrived}, though something happened at PagerDuty at {format_instant(there)}",
            advice="test the webhook; see that its address can be reached from outside",
            since=last,
        )


def _duplicate_findings(
    webhook: LocalWebhook,
    mine: Sequence[Subscription],
    all_of_ours: Sequence[LocalWebhook],
    subscriptions: Sequence[Subscription],
) -> Iterator[Finding]:
    others = [
        subscription
        for ours in all_of_ours
        if ours.id != webhook.id
        for subscription in subscriptions_of_webhook(ours, subscriptions)
    ]
    pairs = [*combinations(mine, 2), *((first, other) for first in mine for other in others)]
    for first, other in pairs:
        if first.is_live and other.is_live and first.overlaps(other):
            where = "to the same address" if other in mine else "to another webhook of this connection"
            yield Finding(
                kind="overlapping",
                level=Level.NOTE,
                words=f"subscriptions {first.id} and {other.id} ({where}) deliver the same events twice",
                advice="delete one of them: each event counts once, but is delivered and checked twice",
            )


def redact_webhook_id(finding: Finding, webhook_id: str) -> Finding:
    """Return the finding with the handle in place of the webhook's id, which is its address."""
    return finding.model_copy(update={"words": finding.words.replace(webhook_id, webhook_handle(webhook_id))})


def _filter_text(parts: set[tuple[str, str | None]]) -> str:
    return ", ".join(sorted(f"{kind} {identity or ''}".strip() for kind, identity in parts)) or "nowhere"
