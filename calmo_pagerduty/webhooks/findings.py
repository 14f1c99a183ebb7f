"""What is wrong with a connection's webhooks, in words, and what to do: pure, from what was seen."""

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

#: Incidents that happened so long after the last delivery should have brought one.
SILENT_AFTER = timedelta(minutes=15)
#: A delivery that has waited so long shows that nothing takes it on.
STUCK_AFTER = timedelta(minutes=2)


class Level(StrEnum):
    #: Events get lost, or soon will.
    ALARM = "alarm"
    WARNING = "warning"
    NOTE = "note"


class Finding(FrozenModel):
    """`words` say what is wrong, `advice` what to do. No address and no secret is in them."""

    kind: str
    level: Level
    words: str
    advice: str
    since: datetime | None = None


def examine_webhook(
    webhook: LocalWebhook, all_of_ours: Sequence[LocalWebhook], snapshot: SubscriptionSnapshot
) -> tuple[Finding, ...]:
    """Return what is wrong with one webhook, the worst first."""
    found = list(_local_findings(webhook, snapshot))
    if snapshot.subscriptions is None:
        found.append(_no_access_finding(snapshot.unreadable_reason))
    elif not webhook.paused:
        mine = subscriptions_of_webhook(webhook, snapshot.subscriptions)
        found += _remote_findings(webhook, mine, snapshot)
        found += _duplicate_findings(webhook, mine, all_of_ours, snapshot.subscriptions)
    return tuple(sorted(found, key=lambda finding: list(Level).index(finding.level)))


def orphan_findings(
    url_prefix: str, live: Sequence[str], subscriptions: Sequence[Subscription]
) -> tuple[Finding, ...]:
    """Return what delivers here to webhooks that are gone: PagerDuty is refused until it gives up."""
    gone = [
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
        for subscription in gone
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
    for known in webhook.subscription_ids:
        if known not in everything:
            yield _missing_finding(f"subscription {known} is gone from PagerDuty")
        elif everything[known] not in mine:
            yield Finding(
                kind="changed_address",
                level=Level.ALARM,
                words=f"subscription {known} delivers to another address",
                advice="make the subscription anew: PagerDuty can't change an address",
            )
    if not mine and not webhook.subscription_ids:
        yield _missing_finding("no subscription of PagerDuty's delivers to this webhook")
    for subscription in mine:
        yield from _subscription_findings(webhook, subscription, snapshot)
    wanted, there = set(webhook.filter_keys), {subscription.filter_key for subscription in mine}
    if mine and wanted - there:
        yield Finding(
            kind="wrong_filter",
            level=Level.WARNING,
            words=f"events of {_filter_text(wanted - there)} were chosen, but come from"
            f" {_filter_text(there)} only",
            advice="change the subscription's scope in PagerDuty, or make it anew",
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
    lacking = sorted(webhook.event_types - subscription.event_types)
    if lacking:
        some = ", ".join(lacking[:4]) + (f" and {len(lacking) - 4} more" if len(lacking) > 4 else "")
        yield Finding(
            kind="wrong_events",
            level=Level.WARNING if webhook.managed else Level.NOTE,
            words=f"subscription {subscription.id} doesn't bring {some}",
            advice="choose these events in PagerDuty, or a smaller set of events for the webhook",
        )


def _no_access_finding(why_not: str) -> Finding:
    return Finding(
        kind="cannot_look",
        level=Level.NOTE,
        words=f"PagerDuty's subscriptions can't be seen: {why_not}",
        advice="give the connection a token whose user is a manager or administrator",
    )


def _missing_finding(words: str) -> Finding:
    return Finding(
        kind="subscription_missing",
        level=Level.ALARM,
        words=f"{words}: nothing arrives",
        advice="make it: calmo-pagerduty webhook subscribe, or by hand as docs/connecting.md says",
    )


def _silence_findings(
    webhook: LocalWebhook, mine: Sequence[Subscription], snapshot: SubscriptionSnapshot
) -> Iterator[Finding]:
    """Only for what brings the whole account's events: of others we can't tell what should come."""
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
    """Return the finding without the webhook's id, which is the key to its address."""
    return finding.model_copy(update={"words": finding.words.replace(webhook_id, webhook_handle(webhook_id))})


def _filter_text(parts: set[tuple[str, str | None]]) -> str:
    return ", ".join(sorted(f"{kind} {identity or ''}".strip() for kind, identity in parts)) or "nowhere"
