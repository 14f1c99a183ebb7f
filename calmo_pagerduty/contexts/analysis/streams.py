"""Event streams with their rates, and the p-value of an event that comes close to an incident by chance.

A stream is the changes on one service, or the incidents of one service. An event counts in the rate of its
own stream: given their number, the events are spread evenly over the observed time. So a stream with a
single event in 30 days has a rate too, and its p-value holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from calmo_pagerduty.contexts.analysis.title_index import Floats
from calmo_pagerduty.statistics.estimators import poisson_at_least_one

DAY = 86_400.0
HOUR = 3_600.0
MINUTE = 60.0
# All in seconds.
#: Below this, wrong clocks and slow detection hide which came first.
MIN_LEAD = MINUTE
#: An event at most this long after the incident may have preceded it: late reports, wrong clocks.
CLOCK_SKEW = 5 * MINUTE
#: Events after the incident are scored as if they came this long before it.
LEAD_OF_LATER = 30 * MINUTE
#: The lift needs at least so many past incidents.
MIN_PAST_EVENTS = 5
#: So many events within a day, and none before, show that the data begins there.
MIN_TELLING_EVENTS = 5
#: Pseudo-count that draws the hourly rate ratio towards 1.
_PRIOR_COUNT = 12.0
_HOUR_BANDWIDTH = 1.5 * HOUR


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event that came near the incident. `lead` is in seconds before it, negative after it."""

    id: str
    at: datetime
    lead: float


@dataclass(frozen=True, slots=True, eq=False)
class EventStream:
    """The events of one kind on one service. `times` (sorted epoch seconds) are all events of the last
    `seconds`; `near` are those close to the incident.
    """

    kind: Literal["change", "incident"]
    #: None for the whole account.
    service_id: str | None
    hops: int
    times: Floats
    seconds: float
    near: tuple[StreamEvent, ...]
    #: See the function `hourly_rate_ratio`; at least 1.
    hourly_rate_ratio: float = 1.0

    @property
    def rate_per_day(self) -> float:
        return max(1, len(self.times), len(self.near)) / self.seconds * DAY * self.hourly_rate_ratio

    def chance_of(self, lead: float) -> float:
        """Return the p-value of an event with this lead (seconds)."""
        return poisson_chance(self.rate_per_day, lead)

    def min_chance(self) -> float:
        """Return the smallest p-value of the near events; 1 without any."""
        return min((self.chance_of(event.lead) for event in self.near), default=1.0)

    def lift(self, incidents: Floats, within: float, since: float) -> float | None:
        """Return the lift: (hits + 1) / (expected hits + 1). None with fewer than MIN_PAST_EVENTS incidents.

        A hit is an incident with an event of this stream in the `within` seconds before it. `incidents` are
        the service's past ones in epoch seconds; those of the first `within` seconds after `since` don't
        count. The two additions draw the lift towards 1.
        """
        counted = incidents[incidents >= since + within]
        if len(counted) < MIN_PAST_EVENTS:
            return None
        first = np.searchsorted(self.times, counted - within, side="left")
        last = np.searchsorted(self.times, counted, side="right")
        hits = int((last > first).sum())
        expected = len(counted) * poisson_at_least_one(self.rate_per_day / DAY, within)
        return (hits + 1) / (expected + 1)


def poisson_chance(rate_per_day: float, lead: float) -> float:
    """Return 1 − exp(−rate × effective lead): the p-value of an event with this lead (seconds).

    Source: the exponential distribution of the time to the nearest event of a Poisson process.
    """
    return poisson_at_least_one(rate_per_day / DAY, effective_lead(lead))


def effective_lead(lead: float) -> float:
    """Return the lead that counts, in seconds: at least MIN_LEAD, and LEAD_OF_LATER for a negative lead."""
    return LEAD_OF_LATER if lead < 0 else max(lead, MIN_LEAD)


def hourly_rate_ratio(times: Floats, at: float, seconds: float) -> float:
    """Return the rate at this hour of the day (UTC, ± _HOUR_BANDWIDTH) divided by the average rate.

    Work and failures keep the same hours: without this, a morning's deployments all look guilty. The
    ratio is at least 1. A pseudo-count draws it towards 1; it is 1 for less than two days.
    """
    if seconds < 2 * DAY:
        return 1.0
    distance = np.abs((times - at + DAY / 2) % DAY - DAY / 2)
    expected = len(times) * 2 * _HOUR_BANDWIDTH / DAY
    return max(1.0, (int((distance <= _HOUR_BANDWIDTH).sum()) + _PRIOR_COUNT) / (expected + _PRIOR_COUNT))


def observed_seconds(times: Floats, at: float, now: float) -> float:
    """Return for how many seconds there is data, by the account's events of one kind (sorted, epoch seconds).

    A young account has data since it began, not since the time that was asked for. Events of the last day
    before the incident `at` don't tell, since they may belong to it, unless they are many and all there is.
    If none tells, the result is infinite.
    Source: n uniform events of the last T seconds begin T × n / (n + 1) seconds ago, on average.
    """
    earlier = int(np.searchsorted(times, at - DAY))
    telling = earlier or (len(times) if len(times) >= MIN_TELLING_EVENTS else 0)
    return (now - float(times[0])) * (telling + 1) / telling if telling else math.inf


def epoch_seconds(moments: Iterable[datetime]) -> Floats:
    """Return moments as sorted epoch seconds."""
    return np.sort(np.fromiter((moment.timestamp() for moment in moments), np.float64))
