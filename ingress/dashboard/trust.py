"""Whether what the dashboard shows can be trusted: do events arrive, do we agree with PagerDuty.

Only what the caller may read is judged. Times are UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, DELIVERIES_READ, WEBHOOKS_READ
from calmo_pagerduty.connections import rate_limit_store, store as connections
from calmo_pagerduty.connections.rate_limit_store import RateLimitUsage
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.reconciliation import store as reconciliations
from calmo_pagerduty.temporal.task_queues import QueueState
from calmo_pagerduty.webhooks.lifecycle import WebhookState
from ingress.api.endpoints import NoInput
from ingress.dashboard.page import Ask
from ingress.deliveries.models import DeliveryListQuery

#: More connections than these are on the page of connections.
MAX_CONNECTIONS = 3
#: PagerDuty's rate limit is nearly used up below this share.
LOW_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign: what it is about, what it says, and whether that is `good`, `warn` or `bad`."""

    about: str
    words: str
    tone: str = "good"
    at: datetime | None = None


async def trust_signs(ask: Ask) -> Sequence[Sign]:
    """Return the signs, in the order of an event's way. Raises StoreUnavailable."""
    signs = []
    if ask.may(WEBHOOKS_READ):
        listed = await ask.ingress.webhooks.list(ask.request, ask.caller, NoInput())
        signs.append(webhook_sign([webhook.state for webhook in listed.webhooks]))
    if ask.may(DELIVERIES_READ):
        query = DeliveryListQuery.model_validate({"limit": 1})
        newest = (await ask.ingress.deliveries.list(ask.request, ask.caller, query)).deliveries
        signs.append(
            Sign("Last delivery", "", at=newest[0].received_at)
            if newest
            else Sign("Last delivery", "none yet", "warn")
        )
    if ask.may(CONNECTIONS_READ):
        signs += await ask.read(lambda t: list(_connection_signs(t, ask)))
    is_connected = ask.ingress.services.temporal.connected
    return [*signs, *temporal_signs(is_connected, await ask.ingress.task_queues.states(), ask.now)]


def temporal_signs(is_connected: bool, queues: Sequence[QueueState] | None, now: datetime) -> Sequence[Sign]:
    """Judge whether Temporal answers (`queues` is None if not), and whether workers poll each queue."""
    if queues is None:
        return [Sign("Temporal", "does not answer" if is_connected else "away", "bad")]
    unserved = [queue for queue in queues if not any(poller.polls(now) for poller in queue.pollers)]
    if len(unserved) == len(queues):
        workers = Sign("Workers", "none polls: incidents are kept, and wait", "bad")
    elif unserved:
        workers = Sign("Workers", f"none polls for {unserved[0].kind.name.lower()}", "bad")
    else:
        workers = Sign("Workers", "at work")
    return [Sign("Temporal", "answers"), workers]


def webhook_sign(states: Sequence[WebhookState]) -> Sign:
    """Judge all webhooks by the worst."""
    live = [state for state in states if state is not WebhookState.DELETED]
    if not live:
        return Sign("Webhooks", "none yet: no event arrives", "bad")
    disabled = live.count(WebhookState.DISABLED_BY_PAGERDUTY)
    if disabled:
        return Sign("Webhooks", f"PagerDuty disabled {disabled} of {len(live)}", "bad")
    armed = live.count(WebhookState.ARMED)
    if armed < len(live):
        return Sign("Webhooks", f"{armed} of {len(live)} proven", "warn")
    return Sign("Webhooks", "proven" if armed == 1 else f"all {armed} proven")


def _connection_signs(tx: Transaction, ask: Ask) -> Iterator[Sign]:
    with_token = [
        found for found in connections.list_connections(tx, ask.caller.visibility) if found.token_version
    ]
    for connection in with_token[:MAX_CONNECTIONS]:
        suffix = f" ({connection.name})" if len(with_token) > 1 else ""
        runs = reconciliations.list_runs(tx, connection.id, 1)
        report = dict(runs[0].report or {}) if runs else {}
        watermark = reconciliations.get_watermark(tx, connection.id)
        yield drift_sign(f"Compared with PagerDuty{suffix}", watermark, report)
        usage = rate_limit_store.get_usage(tx, connection.id)
        if (sign := budget_sign(f"Rate budget{suffix}", usage, ask.now)) is not None:
            yield sign


def drift_sign(about: str, watermark: datetime | None, report: dict[str, object]) -> Sign:
    """Judge the last comparison by its report (see `reconciliation.service.Tally`)."""
    if watermark is None:
        return Sign(about, "not yet", "warn")
    if report.get("problem") or report.get("failed"):
        return Sign(about, str(report.get("problem") or f"{report['failed']} not mended"), "bad", watermark)
    differed = report.get("differed")
    return Sign(about, f"{differed} differed and were mended" if differed else "agrees", at=watermark)


def budget_sign(about: str, usage: RateLimitUsage, now: datetime) -> Sign | None:
    """Judge PagerDuty's own figures; None if it has not told any."""
    if usage.paused_until is not None and usage.paused_until > now:
        return Sign(about, "used up: PagerDuty refuses requests for now", "bad")
    if not usage.minute_limit or usage.minute_remaining is None:
        return None
    words = f"{usage.minute_remaining} of {usage.minute_limit} a minute left"
    return Sign(about, words, "warn" if usage.minute_remaining < LOW_SHARE * usage.minute_limit else "good")
