"""PagerDuty's delivery contract as values and pure decisions.

Source: PagerDuty's Webhooks V3 documentation, "Webhook behavior" (deadline, retried and dropped
responses, 48 hours, three drops, payload sizes). Its retry intervals are not published.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED: the only TLS fault that PagerDuty retries.
_CERTIFICATE_HAS_EXPIRED: Final = 10


class AttemptOutcome(StrEnum):
    """The outcome of an attempt, or of a delivery that ended without an attempt."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    REFUSED = "refused"  # the response is final for PagerDuty: dropped at once
    EXPIRED = "expired"  # retried for 48 hours: dropped
    TOO_LARGE = "too_large"  # never sent
    DISCARDED = "discarded"  # still queued when the subscription was disabled


@dataclass(frozen=True, slots=True)
class DeliveryContract:
    """PagerDuty's limits. All durations but `deadline` are in the sender's time, which may be scaled.

    `deadline` is real time: the receiver is a real process that no factor speeds up.
    """

    deadline: timedelta = timedelta(seconds=5)
    first_retry_after: timedelta = timedelta(seconds=10)
    retry_growth: float = 2.0
    longest_retry_interval: timedelta = timedelta(hours=1)
    retried_for: timedelta = timedelta(hours=48)
    drops_until_disabled: int = 3
    disabled_for: timedelta = timedelta(hours=24)
    ordered_body_bytes: int = 55 * 1024
    largest_body_bytes: int = 256 * 1024
    parallel_deliveries: int = 32

    def retry_interval(self, attempt: int, chance: float) -> timedelta:
        """Return how long to wait after attempt number `attempt` (from 1).

        `chance` (0 to 1) adds up to 20 %, so that deliveries that failed together don't retry together.
        """
        # The longest interval is reached long before 2**64; a larger exponent would overflow.
        growth = self.retry_growth ** min(attempt - 1, 64)
        seconds = self.first_retry_after.total_seconds() * growth
        seconds = min(seconds, self.longest_retry_interval.total_seconds())
        return timedelta(seconds=seconds * (1 + 0.2 * chance))


@dataclass(frozen=True, slots=True)
class InjectedFaults:
    """Faults that PagerDuty's deliveries sometimes have, as shares of the events (0 to 1).

    A duplicate repeats the event and its X-Webhook-Id right after the original. A reordered event is
    held back for `reorder_hold` (scaled), so that later events overtake it.
    """

    duplicate_share: float = 0.0
    reorder_share: float = 0.0
    reorder_hold: timedelta = timedelta(seconds=3)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST and its outcome.

    `number` counts a delivery's POSTs from 1. A delivery that ends without a POST (too large,
    discarded while queued) is recorded with the number of its earlier POSTs, maybe 0.
    `at` is the end in the sender's time, `latency` is real time.
    """

    event_id: str
    incident_id: str | None
    subscription_id: str
    webhook_id: str
    number: int
    at: datetime
    latency: timedelta
    status: int | None
    error: str | None
    verdict: AttemptOutcome
    is_duplicate: bool = False


def outcome_of_status(status: int) -> AttemptOutcome:
    """Return the outcome of a response in time. A redirect is a refusal: PagerDuty doesn't follow it."""
    if 200 <= status < 300:
        return AttemptOutcome.DELIVERED
    if status == 429 or status >= 500:
        return AttemptOutcome.RETRIED
    return AttemptOutcome.REFUSED


def outcome_of_error(error: BaseException) -> AttemptOutcome:
    """Return the outcome without a response: network errors are retried, TLS errors are not.

    The exception among the TLS errors is an expired certificate, which is retried.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            expired = cause.verify_code == _CERTIFICATE_HAS_EXPIRED
            return AttemptOutcome.RETRIED if expired else AttemptOutcome.REFUSED
        if isinstance(cause, ssl.SSLError):
            return AttemptOutcome.REFUSED
        cause = cause.__cause__ or cause.__context__
    return AttemptOutcome.RETRIED
