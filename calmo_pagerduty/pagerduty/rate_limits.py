"""PagerDuty's rate limits as its response headers state them, and the interface for permits.

Source: PagerDuty's documentation, "REST API Rate Limits".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.requests import ApiRequest


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The limit that is reached first, and the daily analytics quota. None if the headers lack a value."""

    limit: int | None = None
    remaining: int | None = None
    #: Time until the limit's window ends.
    reset: timedelta | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset: timedelta | None = None

    @property
    def is_daily_quota_spent(self) -> bool:
        """True if analytics are unavailable until the quota's reset."""
        return self.daily_remaining == 0


def rate_headers(headers: Mapping[str, str]) -> RateHeaders:
    """Parse response headers, with names in lower case. Values that aren't numbers are ignored."""
    return RateHeaders(
        limit=_number(headers.get("ratelimit-limit")),
        remaining=_number(headers.get("ratelimit-remaining")),
        reset=parse_seconds(headers.get("ratelimit-reset")),
        daily_limit=_number(headers.get("daily-ratelimit-limit")),
        daily_remaining=_number(headers.get("daily-ratelimit-remaining")),
        daily_reset=parse_seconds(headers.get("daily-ratelimit-reset")),
    )


def parse_seconds(text: str | None) -> timedelta | None:
    """Parse a header of whole seconds; None if it isn't a number."""
    number = _number(text)
    return None if number is None else timedelta(seconds=number)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


class Permits(Protocol):
    """Shares an account's rate limit among all its callers."""

    async def acquire(self, request: ApiRequest) -> None:
        """Wait until the request may be sent. Raises RateLimited if the wait would be too long."""

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        """Record an answer's limits. `limited` is the 429, if it was one; it holds the time to wait."""


class Unlimited:
    """Permits without a limit: every request may be sent at once."""

    async def acquire(self, request: ApiRequest) -> None:
        return

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        return
