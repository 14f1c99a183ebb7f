"""Sees whether a request is let through although PagerDuty was heard to want none.

Looked at where it is decided, so that it doesn't matter how long an answer or a request is on its way.
"""

from collections import defaultdict
from datetime import datetime

import pytest

from calmo_pagerduty.connections.service import LONG_AGO, RateLimitState, SharedPermits
from calmo_pagerduty.pagerduty.errors import RateLimited
from calmo_pagerduty.pagerduty.rate_limits import RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest


class WatchedPauses:
    """`heard` counts the 429s; `pressed` the requests that were let through while they were to wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.heard = self.pressed = 0
        #: Until when a process is to wait: the one that heard it at once, others as soon as it is kept.
        self._known: dict[int, datetime] = defaultdict(lambda: LONG_AGO)
        self._kept: dict[str, datetime] = defaultdict(lambda: LONG_AGO)
        take, told, watched = SharedPermits.acquire, SharedPermits.record_limits, self

        async def watched_take(permits: SharedPermits, request: ApiRequest) -> None:
            begun = watched._kept[permits._connection_id]
            await take(permits, request)
            until = max(watched._known[id(permits._limits)], begun)
            watched.pressed += datetime.now(until.tzinfo) < until

        async def watched_told(
            permits: SharedPermits, headers: RateHeaders, limited: RateLimited | None
        ) -> None:
            if limited is not None:
                watched._hears(permits._limits, limited)
            await told(permits, headers, limited)
            if limited is not None:
                kept = watched._kept[permits._connection_id]
                watched._kept[permits._connection_id] = max(kept, watched._known[id(permits._limits)])

        monkeypatch.setattr(SharedPermits, "acquire", watched_take)
        monkeypatch.setattr(SharedPermits, "record_limits", watched_told)

    def _hears(self, noted: RateLimitState, limited: RateLimited) -> None:
        self.heard += 1
        until = datetime.now(LONG_AGO.tzinfo) + limited.retry_after
        self._known[id(noted)] = max(self._known[id(noted)], until)
