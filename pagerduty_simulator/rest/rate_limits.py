"""The rate limits per token: requests per minute, lower limits of some operations, analytics per day."""

import math
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.clocks import Clock

_ONE_DAY: Final = timedelta(days=1)


@dataclass(slots=True)
class _Window:
    ends_at: datetime
    used: int = 0


@dataclass(frozen=True, slots=True)
class LimitDecision:
    """Whether the request is allowed, and the response's rate limit headers."""

    allowed: bool
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class RateLimits:
    """Counts requests in windows of the clock's time that begin with a token's first request.

    `violations` counts requests sent although a 429 had told the token to wait; requests within
    `grace_seconds` (real time) after it don't count, because they were probably on their way already.
    """

    clock: Clock
    per_window: int = 960
    window: timedelta = timedelta(minutes=1)
    per_operation: dict[str, int] = field(default_factory=dict)
    analytics_per_day: int = 1_000
    headers_missing: bool = False
    grace_seconds: float = 0.05
    violations: dict[str, int] = field(default_factory=dict)
    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict)
    _told_to_wait: dict[str, tuple[datetime, float]] = field(default_factory=dict)

    def take(self, token_name: str, operation: str, *, analytics: bool) -> LimitDecision:
        """Count one request, and decide whether it is allowed."""
        now = self.clock.now()
        self._notice_violation(token_name, now)
        pairs = [(self._window(token_name, "", now, self.window), self.per_window)]
        if operation in self.per_operation:
            tighter = self._window(token_name, operation, now, self.window)
            pairs.append((tighter, self.per_operation[operation]))
        daily = self._window(token_name, "analytics", now, _ONE_DAY) if analytics else None
        allowed = all(window.used < limit for window, limit in pairs)
        allowed = allowed and (daily is None or daily.used < self.analytics_per_day)
        if allowed:
            for window, _ in pairs:
                window.used += 1
            if daily is not None:
                daily.used += 1
        nearest, limit = min(pairs, key=lambda pair: pair[1] - pair[0].used)
        headers = _headers("ratelimit", limit, nearest, now)
        ends_at = nearest.ends_at
        if daily is not None:
            headers += _headers("daily-ratelimit", self.analytics_per_day, daily, now)
            if daily.used >= self.analytics_per_day and nearest.used < limit:
                ends_at = daily.ends_at
        if not allowed:
            self.force_wait(token_name, ends_at)
        return LimitDecision(allowed, () if self.headers_missing else headers)

    def force_wait(self, token_name: str, until: datetime) -> None:
        """Remember that this token got a 429 with a reset."""
        if not self.headers_missing:
            self._told_to_wait[token_name] = (until, time.monotonic())

    def waiting_answer(self, token_name: str, seconds: int) -> tuple[tuple[str, str], ...]:
        """Return the headers of an injected 429, and remember it."""
        self.force_wait(token_name, self.clock.now() + timedelta(seconds=seconds))
        return (
            ("ratelimit-limit", str(self.per_window)),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", str(seconds)),
        )

    def _notice_violation(self, token_name: str, now: datetime) -> None:
        wait = self._told_to_wait.get(token_name)
        if wait is None:
            return
        until, told_at = wait
        if now >= until:
            del self._told_to_wait[token_name]
        elif time.monotonic() - told_at > self.grace_seconds:
            self.violations[token_name] = self.violations.get(token_name, 0) + 1

    def _window(self, token_name: str, what: str, now: datetime, length: timedelta) -> _Window:
        window = self._windows.get((token_name, what))
        if window is None or window.ends_at <= now:
            window = self._windows[token_name, what] = _Window(now + length)
        return window


def _headers(prefix: str, limit: int, window: _Window, now: datetime) -> tuple[tuple[str, str], ...]:
    return (
        (f"{prefix}-limit", str(limit)),
        (f"{prefix}-remaining", str(max(0, limit - window.used))),
        (f"{prefix}-reset", str(math.ceil((window.ends_at - now).total_seconds()))),
    )
