"""Whether much more than usual happened all over the account when the incident began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from calmo_pagerduty.contexts.analysis.estimators import chance_of_many
from calmo_pagerduty.contexts.analysis.streams import DAY, MINUTE, SKEW
from calmo_pagerduty.contexts.analysis.title_index import Floats

#: Fewer at once are no burst.
LEAST_AT_ONCE = 3
BEFORE = 30 * MINUTE
_WINDOW = BEFORE + SKEW
_MOST_WINDOWS = 100_000


@dataclass(frozen=True, slots=True)
class Burst:
    """`chance` is the larger of two: that of a Poisson stream, and the share of equally long times in the
    past that had as many. Incidents come in clusters, so the second is often the honest one.
    """

    count: int
    first_at: datetime
    rate_per_day: float
    chance: float


def burst_at(times: Floats, at: float, since: float) -> Burst | None:
    """Return what came at once around `at`, if at least LEAST_AT_ONCE did. All in sorted epoch seconds."""
    near = times[(times >= at - BEFORE) & (times <= at + SKEW)]
    seconds = at + SKEW - since
    windows = min(_MOST_WINDOWS, int((at - BEFORE - since) // _WINDOW))
    if len(near) < LEAST_AT_ONCE or windows < 1:
        return None
    begins = at - BEFORE - _WINDOW * np.arange(windows, -1, -1)
    counts = np.diff(np.searchsorted(times, begins, side="left"))
    usual = (1 + int((counts >= len(near)).sum())) / (1 + windows)
    rate = len(times[times >= since]) / seconds
    return Burst(
        count=len(near),
        first_at=datetime.fromtimestamp(float(near[0]), UTC),
        rate_per_day=rate * DAY,
        chance=max(usual, chance_of_many(len(near), rate * _WINDOW)),
    )
