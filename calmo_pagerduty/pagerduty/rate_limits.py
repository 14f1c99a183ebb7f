"""PagerDuty's rate limits, as its answers tell them, and whoever shares them out among callers.

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
    """The nearest limit, and the analytics quota of the day. None where PagerDuty said nothing."""

    limit: int | None = None
    remaining: int | None = None
    #: Until the limit's window ends.
    reset: timedelta | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    daily_reset: timedelta | None = None

    @property
    def is_daily_quota_spent(self) -> bool:
        return self.daily_remaining == 0


def rate_headers(headers: Mapping[str, str]) -> RateHeaders:
    """Read an answer's headers, whose names are in lower case; what isn't a number is ignored."""
    return RateHeaders(
        limit=_number(headers.get("ratelimit-limit")),
        remaining=_number(headers.get("ratelimit-remaining")),
        reset=parse_seconds(headers.get("ratelimit-reset")),
        daily_limit=_number(headers.get("daily-ratelimit-limit")),
        daily_remaining=_number(headers.get("daily-ratelimit-remaining")),
        daily_reset=parse_seconds(headers.get("daily-ratelimit-reset")),
    )


def parse_seconds(text: str | None) -> timedelta | None:
    """Read a header that holds whole seconds."""
    number = _number(text)
    return None if number is None else timedelta(seconds=number)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


class Permits(Protocol):
    """Shares an account's limits out among all who call it."""

    async def acquire(self, request: ApiRequest) -> None:
        """Return once the request may be sent. Raises RateLimited if that isn't soon."""

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        """Learn what an answer said. `limited` is the refusal, if it was one: it knows for how long."""


class Unlimited:
    """Every request may be sent at once."""

    async def acquire(self, request: ApiRequest) -> None:
        return

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        return
