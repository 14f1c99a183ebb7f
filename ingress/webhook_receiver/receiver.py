"""Verify a delivery's signature, store it in the inbox and answer 202.

`calmo_pagerduty/deliveries/model.py` defines the HTTP response for each verdict.
"""

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from cachetools import TTLCache
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import refusal_store as refusals
from calmo_pagerduty.deliveries.arrival_store import insert_arrival
from calmo_pagerduty.deliveries.drill_keys import drill_key
from calmo_pagerduty.deliveries.event_facts import (
    facts_json,
    is_about_an_incident,
    is_ping,
    is_stale,
    is_unknown_type,
)
from calmo_pagerduty.deliveries.journal_service import InboxJournal
from calmo_pagerduty.deliveries.model import (
    GUARANTEED_BODY_BYTES,
    MAX_BODY_BYTES,
    RESPONSE_OF_VERDICT,
    DeliveryState,
    SignatureVerdict,
    Verdict,
    judge_unverified,
)
from calmo_pagerduty.deliveries.store import NewDelivery
from calmo_pagerduty.deliveries.webhook_signature import verify
from calmo_pagerduty.kernel.json_values import storable_text
from calmo_pagerduty.pagerduty.webhook_events import UnreadableBody, WebhookEvent, is_legacy, parse_event
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.store import Webhook
from ingress.metrics import Metrics
from ingress.webhook_receiver.rate_limits import TokenBuckets
from ingress.webhook_receiver.webhook_directory import MAX_ENTRIES, WebhookDirectory

logger = logging.getLogger(__name__)

#: At most one line a verdict is logged in this time.
ALARM_LOG_SECONDS = 60.0
#: PagerDuty waits 5 s for an answer, so it will resend a body that takes longer than this.
BODY_SECONDS = 4.0
#: If the database does not answer or commit within this time, we answer 503 and PagerDuty resends.
COMMIT_SECONDS = 2.5
RETRY_AFTER_SECONDS = 5
#: If more writes than this wait for the database, we answer 429 and PagerDuty resends.
MAX_PENDING_WRITES = 4000
#: For this long, a guarded webhook's wrong signatures are answered without asking the database.
GUARD_SECONDS = 30.0
#: Limits how many refusals are stored per webhook: 20 at once, then one every ten seconds.
REFUSAL_BUCKETS = TokenBuckets(rate=0.1, burst=20)

_ALARMING_VERDICTS = {
    Verdict.CONFLICT, Verdict.DEAD_LETTER, Verdict.MISMATCH, Verdict.UNSUPPORTED_SCHEME,
    Verdict.GUARDED, Verdict.STORE_UNAVAILABLE,
}  # fmt: skip


class WebhookReceiver:
    """Receives deliveries. It calls `wake` after it stored a delivery that this process may forward.

    With a `journal` it stores the deliveries of armed webhooks there; a forwarder moves them into the inbox.
    """

    def __init__(
        self,
        database: Database,
        directory: WebhookDirectory,
        metrics: Metrics,
        buckets: TokenBuckets,
        wake: Callable[[], None] = lambda: None,
        journal: InboxJournal | None = None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._metrics = metrics
        self._buckets = buckets
        self._wake = wake
        self._journal = journal
        self._guarded: TTLCache[str, bool] = TTLCache(MAX_ENTRIES, GUARD_SECONDS)
        self._alarms: Counter[Verdict] = Counter()
        self._alarms_logged: TTLCache[Verdict, bool] = TTLCache(len(Verdict), ALARM_LOG_SECONDS)
        self.closing = False

    async def receive(self, request: Request) -> Response:
        """POST /webhooks/pagerduty/{webhook_id}"""
        started_at = time.perf_counter()
        verdict = await self._verdict(request)
        self._metrics.deliveries.labels(verdict).inc()
        self._metrics.answer_seconds.observe(time.perf_counter() - started_at)
        if verdict in _ALARMING_VERDICTS:
            self._metrics.alarms.labels(verdict).inc()
            self._log_alarm(verdict)
        answer = RESPONSE_OF_VERDICT[verdict]
        headers = {"Connection": "close"} if answer.close else {}
        if answer.retry_later:
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return JSONResponse({"verdict": verdict}, answer.status, headers)

    def _log_alarm(self, verdict: Verdict) -> None:
        """Log the first of many: the metrics count each, and anybody can cause as many as they like."""
        self._alarms[verdict] += 1
        if verdict not in self._alarms_logged:
            self._alarms_logged[verdict] = True
            logger.error(
                "delivery_alarm", extra={"verdict": str(verdict), "since_start": self._alarms[verdict]}
            )

    async def _verdict(self, request: Request) -> Verdict:
        """Decide on the delivery, first without its body, then with it."""
        if self.closing:
            return Verdict.SHUTTING_DOWN
        try:
            webhook_id = request.path_params["webhook_id"]
            webhook = self._directory.get_cached(webhook_id)
            if webhook is None:
                async with asyncio.timeout(COMMIT_SECONDS):
                    webhook = await self._directory.get(webhook_id)
            refusal = self._early_refusal(webhook)
            if webhook is None or refusal is not None:
                return refusal or Verdict.UNKNOWN_WEBHOOK
            body = await _read_body(request)
            if isinstance(body, Verdict):
                return body
            async with asyncio.timeout(COMMIT_SECONDS):
                return await self._store_delivery(webhook, request, body)
        except (StoreUnavailable, CannotDecrypt, TimeoutError) as error:
            logger.error("store_unavailable", extra={"error": f"{type(error).__name__}: {error}"})
            return Verdict.STORE_UNAVAILABLE

    def _early_refusal(self, webhook: Webhook | None) -> Verdict | None:
        """Return the refusal that needs no body, or None."""
        if webhook is None:
            return Verdict.UNKNOWN_WEBHOOK
        if webhook.deleted:
            return Verdict.DELETED_WEBHOOK
        if not webhook.secrets:
            return Verdict.NO_SECRET
        # Several webhooks of one account get no more than one.
        if (
            not self._buckets.try_acquire(webhook.connection_id)
            or (self._journal or self._database).writes_waiting > MAX_PENDING_WRITES
        ):
            return Verdict.OVERLOADED
        return None

    async def _store_delivery(self, webhook: Webhook, request: Request, body: bytes) -> Verdict:
        """Verify the raw bytes, then store the delivery or the refusal."""
        signature, version = verify(body, _signature_header(request), webhook.secrets)
        if version is None:
            return await self._refuse(webhook, signature, body, _names_pagerduty(request))
        delivery = _new_delivery(webhook, request, body, version)
        armed = webhook.armed
        if armed and self._journal is not None:
            return await self._journal.append(delivery)

        def insert(connection: Transaction) -> Verdict:
            if not armed:
                webhooks.mark_armed(connection, webhook.id, delivery.received_at)
            return insert_arrival(connection, delivery)

        verdict = await self._database.write(insert)
        if not armed:
            self._directory.invalidate(webhook.id)
        if delivery.state is DeliveryState.PENDING and verdict is Verdict.ACCEPTED:
            self._wake()
        return verdict

    async def _refuse(
        self, webhook: Webhook, signature: SignatureVerdict, body: bytes, names_pagerduty: bool
    ) -> Verdict:
        unsigned = signature is SignatureVerdict.MISSING
        legacy = unsigned and is_legacy(body)
        if webhook.id in self._guarded and (not unsigned or (names_pagerduty and not legacy)):
            return Verdict.GUARDED
        now = datetime.now(UTC)

        def judge(connection: Transaction) -> Verdict:
            strikes = webhooks.count_strikes(connection, webhook.id, now)
            verdict = judge_unverified(
                signature, legacy, webhook.armed, strikes, names_pagerduty=names_pagerduty
            )
            is_strike = verdict in (Verdict.MISMATCH, Verdict.UNSUPPORTED_SCHEME)
            if is_strike or REFUSAL_BUCKETS.try_acquire(webhook.id):
                digest = hashlib.sha256(body).hexdigest()
                refusals.insert_refusal(connection, webhook.id, now, verdict, signature, len(body), digest)
            return verdict

        verdict = await self._database.write(judge)
        if verdict is Verdict.GUARDED:
            self._guarded[webhook.id] = True
        return verdict


def _names_pagerduty(request: Request) -> bool:
    """Return whether the sender says that it is PagerDuty. Source: PagerDuty's documentation of webhooks."""
    return request.headers.get("user-agent", "").startswith("PagerDuty-Webhook/")


async def _read_body(request: Request) -> bytes | Verdict:
    """Read at most MAX_BODY_BYTES within BODY_SECONDS."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:12]) > MAX_BODY_BYTES:
        return Verdict.TOO_LARGE
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    return Verdict.TOO_LARGE
                chunks.append(chunk)
    except (TimeoutError, ClientDisconnect):
        return Verdict.SLOW_BODY
    return b"".join(chunks)


def _signature_header(request: Request) -> bytes | None:
    """Return the header's raw bytes, None if it is missing. Several headers are joined by commas."""
    values = [value for name, value in request.headers.raw if name == b"x-pagerduty-signature"]
    return b",".join(values) if values else None


def _new_delivery(webhook: Webhook, request: Request, body: bytes, version: int) -> NewDelivery:
    event = parse_event(body)
    digest = hashlib.sha256(body).hexdigest()
    now = datetime.now(UTC)
    delivery_id = storable_text(request.headers.get("x-webhook-id", ""), 200) or None
    if isinstance(event, UnreadableBody):
        return NewDelivery(
            webhook_id=webhook.id,
            connection_id=webhook.connection_id,
            dedup_key=f"body:{digest}",
            received_at=now,
            body=body,
            body_sha256=digest,
            secret_version=version,
            verdict=Verdict.DEAD_LETTER,
            state=DeliveryState.DEAD_LETTER,
            reason=event.reason,
            delivery_id=delivery_id,
        )
    return NewDelivery(
        webhook_id=webhook.id,
        connection_id=webhook.connection_id,
        dedup_key=event.event_id,
        received_at=now,
        body=body,
        body_sha256=digest,
        secret_version=version,
        verdict=Verdict.PAUSED if webhook.paused else Verdict.ACCEPTED,
        state=_initial_state(webhook, event),
        remarks=_remarks(event, body, now),
        delivery_id=delivery_id,
        event_id=event.event_id,
        event_type=event.event_type,
        incident_id=event.incident_id,
        occurred_at=event.occurred_at,
        facts=facts_json(event, now, is_stale(event, now)),
        drill_key=drill_key(event.data),
    )


def _initial_state(webhook: Webhook, event: WebhookEvent) -> DeliveryState:
    if webhook.paused:
        return DeliveryState.PAUSED
    return DeliveryState.PENDING if is_about_an_incident(event) else DeliveryState.RECORDED


def _remarks(event: WebhookEvent, body: bytes, now: datetime) -> str:
    remarks = {
        "ping": is_ping(event),
        "unknown_type": is_unknown_type(event),
        "best_effort": len(body) > GUARANTEED_BODY_BYTES,
        "stale": is_stale(event, now),
    }
    return ",".join(name for name, applies in remarks.items() if applies)
