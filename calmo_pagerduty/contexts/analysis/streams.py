"""Sources of things that happen, each with its own rate: what comes close to an incident by chance.

A stream is the changes on one service, or the incidents of one. A thing's own coming counts in its
stream's rate: given how many came in the time looked at, each could have come at any moment of it, so a
stream with one thing in 30 days has a rate too, and a chance made of it is honest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from calmo_pagerduty.contexts.analysis.estimators import poisson_at_least_one
from calmo_pagerduty.contexts.analysis.title_index import Floats

DAY = 86_400.0
HOUR = 3_600.0
MINUTE = 60.0
#: Nearer than this, clocks and detection don't tell what came first.
MIN_LEAD = MINUTE
#: Later than the incident by at most this, a thing may still be told late, or by a clock that is wrong.
CLOCK_SKEW = 5 * MINUTE
#: What is told after the incident counts as if it had come so long before.
LEAD_OF_LATER = 30 * MINUTE
#: Fewer past incidents tell nothing of what precedes them.
MIN_PAST_EVENTS = 5
#: What happens mostly at this hour of the day is pooled with as many things as come at any hour.
_PRIOR_COUNT = 12.0
_HOUR_BANDWIDTH = 1.5 * HOUR


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One thing of a stream that came near the incident. `lead` is in seconds; negative is after it."""

    id: str
    at: datetime
    lead: float


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """`times` (epoch seconds, sorted) are all of its past, `seconds` of it; `near` are the candidates."""

    kind: Literal["change", "incident"]
    #: None: the whole account.
    service_id: str | None
    hops: int
    times: Floats
    seconds: float
    near: tuple[StreamEvent, ...]
    #: How many times more comes at this hour of the day than on average; at least 1.
    hourly_rate_ratio: float = 1.0

    @property
    def rate_per_day(self) -> float:
        return max(1, len(self.times), len(self.near)) / self.seconds * DAY * self.hourly_rate_ratio

    def chance_of(self, lead: float) -> float:
        """Return how likely something of the stream would have come so close by chance."""
        return poisson_chance(self.rate_per_day, lead)

    def min_chance(self) -> float:
        """Return that of the nearest; 1 if nothing came near."""
        return min((self.chance_of(event.lead) for event in self.near), default=1.0)

    def lift(self, incidents: Floats, within: float, since: float) -> float | None:
        """Return how many times more often than by chance something of it came within so many seconds
        before the service's past incidents; drawn towards 1; None if too few are known.
        """
        asked = incidents[incidents >= since + within]
        if len(asked) < MIN_PAST_EVENTS:
            return None
        first = np.searchsorted(self.times, asked - within, side="left")
        last = np.searchsorted(self.times, asked, side="right")
        hits = int((last > first).sum())
        expected = len(asked) * poisson_at_least_one(self.rate_per_day / DAY, within)
        return (hits + 1) / (expected + 1)


def poisson_chance(rate_per_day: float, lead: float) -> float:
    """Return 1 − exp(−rate × lead): how likely a stream of this rate brings something so close."""
    return poisson_at_least_one(rate_per_day / DAY, effective_lead(lead))


def effective_lead(lead: float) -> float:
    """Return as how many seconds before the incident a thing counts: at least LEAST_LEAD; what is told
    after it, as LEAD_OF_LATER.
    """
    return LEAD_OF_LATER if lead < 0 else max(lead, MIN_LEAD)


def hourly_rate_ratio(times: Floats, at: float, seconds: float) -> float:
    """Return how many times more of these come at this hour of the day (UTC) than on average.

    Work and failures keep the same hours: without this, a morning's deployments all look guilty. At
    least 1, drawn towards 1 where few are known, or less than two days.
    """
    if seconds < 2 * DAY:
        return 1.0
    apart = np.abs((times - at + DAY / 2) % DAY - DAY / 2)
    expected = len(times) * 2 * _HOUR_BANDWIDTH / DAY
    return max(1.0, (int((apart <= _HOUR_BANDWIDTH).sum()) + _PRIOR_COUNT) / (expected + _PRIOR_COUNT))


def epoch_seconds(moments: Iterable[datetime]) -> Floats:
    """Return moments as sorted epoch seconds."""
    return np.sort(np.fromiter((moment.timestamp() for moment in moments), np.float64))
