"""Detect a burst: many more events than usual, all over the account, when the incident began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from calmo_pagerduty.contexts.analysis.streams import CLOCK_SKEW, DAY, MINUTE
from calmo_pagerduty.contexts.analysis.title_index import Floats
from calmo_pagerduty.statistics.estimators import poisson_tail

#: Fewer events are no burst.
MIN_BURST_SIZE = 3
BURST_LEAD = 30 * MINUTE
_WINDOW = BURST_LEAD + CLOCK_SKEW
_MAX_WINDOWS = 100_000


@dataclass(frozen=True, slots=True)
class Burst:
    """`chance` is the larger of two p-values: of a Poisson stream, and the share of equally long windows in
    the past with as many events. Incidents come in clusters, so often only the second is realistic.
    """

    count: int
    first_at: datetime
    rate_per_day: float
    chance: float


def find_burst(times: Floats, at: float, since: float) -> Burst | None:
    """Return the burst around `at`; None if fewer than MIN_BURST_SIZE events came.

    All arguments are epoch seconds; `times` are sorted and complete from `since` on.
    """
    window = times[(times >= at - BURST_LEAD) & (times <= at + CLOCK_SKEW)]
    seconds = at + CLOCK_SKEW - since
    windows = min(_MAX_WINDOWS, int((at - BURST_LEAD - since) // _WINDOW))
    if len(window) < MIN_BURST_SIZE or windows < 1:
        return None
    begins = at - BURST_LEAD - _WINDOW * np.arange(windows, -1, -1)
    counts = np.diff(np.searchsorted(times, begins, side="left"))
    usual = (1 + int((counts >= len(window)).sum())) / (1 + windows)
    rate = len(times[times >= since]) / seconds
    return Burst(
        count=len(window),
        first_at=datetime.fromtimestamp(float(window[0]), UTC),
        rate_per_day=rate * DAY,
        chance=max(usual, poisson_tail(len(window), rate * _WINDOW)),
    )
