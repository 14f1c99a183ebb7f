"""The receiver's contract: all verdicts on a delivery, with the HTTP response and what is stored.

Three rules decide each row. An authenticated delivery gets 2xx, or 5xx/429 while it is not yet
durable, and no other 4xx: PagerDuty drops those, and three in a row switch the subscription off.
If we can't decide or store, we answer 503, because our fault must never look like a 4xx. An
unauthenticated delivery gets 401 only if the webhook is armed (has verified a delivery).
Source: PagerDuty's documentation, "Webhooks", on retries and temporarily disabled subscriptions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

#: PagerDuty guarantees order and delivery of bodies up to this size, in bytes.
GUARANTEED_BODY_BYTES = 55 * 1024
#: The receiver reads no further. PagerDuty sends at most 256 KB.
MAX_BODY_BYTES = 512 * 1024
#: PagerDuty retries for 48 h: an event older than this is a replay or a test.
STALE_AFTER = timedelta(hours=72)
#: After so many strikes within STRIKE_WINDOW, mismatches get 503 and no 401: a third drop in a row
#: would switch the subscription off for a day.
MAX_STRIKES = 2
STRIKE_WINDOW = timedelta(hours=24)
#: A webhook's handle: it tells webhooks apart and is too short to serve as an address.
HANDLE_PATTERN = re.compile(r"wh_[a-z2-7]{6}")


class StoredAs(StrEnum):
    """What we store of a request."""

    DELIVERY = "delivery"
    DUPLICATE_COUNT = "duplicate count"
    REFUSAL = "refusal"
    COUNTER = "counter"


class Verdict(StrEnum):
    """What the receiver decided about a delivery. `RESPONSE_OF_VERDICT` maps it to an answer."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    PAUSED = "skipped_paused"
    DEAD_LETTER = "dead_letter"
    UNKNOWN_WEBHOOK = "unknown_webhook"
    DELETED_WEBHOOK = "deleted_webhook"
    MISSING_SIGNATURE = "missing"
    LEGACY_PAYLOAD = "legacy"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    MISMATCH = "mismatch"
    UNPROVEN = "unproven"
    GUARDED = "guarded"
    NO_SECRET = "no_secret"  # noqa: S105 - a verdict, not a secret
    TOO_LARGE = "too_large"
    SLOW_BODY = "slow_body"
    STORE_UNAVAILABLE = "store_unavailable"
    OVERLOADED = "overloaded"
    SHUTTING_DOWN = "shutting_down"


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """The HTTP status, what we store, and whether we close the connection after it."""

    status: int
    keep: StoredAs
    close: bool = False

    @property
    def retry_later(self) -> bool:
        return self.status in (429, 503)


RESPONSE_OF_VERDICT: Mapping[Verdict, WebhookResponse] = {
    Verdict.ACCEPTED: WebhookResponse(202, StoredAs.DELIVERY),
    Verdict.DUPLICATE: WebhookResponse(202, StoredAs.DUPLICATE_COUNT),
    Verdict.CONFLICT: WebhookResponse(202, StoredAs.DELIVERY),
    Verdict.PAUSED: WebhookResponse(202, StoredAs.DELIVERY),
    Verdict.DEAD_LETTER: WebhookResponse(202, StoredAs.DELIVERY),
    Verdict.UNKNOWN_WEBHOOK: WebhookResponse(404, StoredAs.COUNTER),
    Verdict.DELETED_WEBHOOK: WebhookResponse(410, StoredAs.COUNTER),
    Verdict.MISSING_SIGNATURE: WebhookResponse(401, StoredAs.REFUSAL),
    Verdict.LEGACY_PAYLOAD: WebhookResponse(401, StoredAs.REFUSAL),
    Verdict.UNSUPPORTED_SCHEME: WebhookResponse(401, StoredAs.REFUSAL),
    Verdict.MISMATCH: WebhookResponse(401, StoredAs.REFUSAL),
    # PagerDuty's own queue of 48 h is the quarantine: nothing unauthenticated is stored here.
    Verdict.UNPROVEN: WebhookResponse(503, StoredAs.REFUSAL),
    Verdict.GUARDED: WebhookResponse(503, StoredAs.REFUSAL),
    Verdict.NO_SECRET: WebhookResponse(503, StoredAs.COUNTER),
    Verdict.TOO_LARGE: WebhookResponse(413, StoredAs.COUNTER, close=True),
    # Never 408: a 4xx would make PagerDuty drop the delivery.
    Verdict.SLOW_BODY: WebhookResponse(503, StoredAs.COUNTER, close=True),
    Verdict.STORE_UNAVAILABLE: WebhookResponse(503, StoredAs.COUNTER),
    Verdict.OVERLOADED: WebhookResponse(429, StoredAs.COUNTER),
    Verdict.SHUTTING_DOWN: WebhookResponse(503, StoredAs.COUNTER, close=True),
}


class SignatureVerdict(StrEnum):
    """The result of comparing a signature header with the webhook's live secrets."""

    MATCH = "match"
    MISSING = "missing"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    MISMATCH = "mismatch"


def judge_unverified(
    signature: SignatureVerdict, legacy: bool, armed: bool, strikes: int, *, names_pagerduty: bool = False
) -> Verdict:
    """Return the verdict on a delivery whose signature did not match.

    `strikes` counts the webhook's mismatches that were answered 401 within STRIKE_WINDOW. A delivery without
    a signature whose sender `names_pagerduty` counts as a mismatch: a proxy that strips the header must not
    cost the subscription.
    """
    if not armed:
        return Verdict.UNPROVEN
    if signature is SignatureVerdict.MISSING and not (names_pagerduty and not legacy):
        return Verdict.LEGACY_PAYLOAD if legacy else Verdict.MISSING_SIGNATURE
    if strikes >= MAX_STRIKES:
        return Verdict.GUARDED
    if signature is SignatureVerdict.UNSUPPORTED_SCHEME:
        return Verdict.UNSUPPORTED_SCHEME
    return Verdict.MISMATCH


class DeliveryState(StrEnum):
    """The state of a stored delivery on its way to the issue."""

    PENDING = "pending"
    FORWARDED = "forwarded"
    APPLIED = "applied"
    #: It is about no incident (a ping, a service): nothing more to do.
    RECORDED = "recorded"
    PAUSED = "skipped_paused"
    CONFLICT = "conflict"
    DEAD_LETTER = "dead_letter"
