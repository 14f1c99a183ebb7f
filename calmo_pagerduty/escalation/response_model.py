"""When somebody acknowledges, as a function of the levels' delays: P(missed), E[time], level-2 pages. Pure.

Source: for delays d_l, n further passes and survival curves S_l of the time from assignment to
acknowledgement on level l, independent between assignments: P(missed) = ∏ S_l(d_l)^(n+1), and
E[min(T, end)] = Σ over passes and levels of (the product of all earlier S) · ∫₀^{d_l} S_l(u) du.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Survival(Protocol):
    """S(u): the probability that an assignment is not acknowledged within `time` minutes."""

    def at(self, time: float) -> float: ...

    def restricted_mean(self, until: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Exponential:
    """Acknowledgements at a constant rate per minute: the textbook case."""

    rate: float

    def at(self, time: float) -> float:
        return math.exp(-self.rate * time)

    def restricted_mean(self, until: float) -> float:
        return -math.expm1(-self.rate * until) / self.rate


@dataclass(frozen=True, slots=True)
class ExpectedResponse:
    """What a policy leads to, for an incident of high urgency.

    `mean_minutes` is E[min(T, end)]: an incident that nobody acknowledges counts with the whole path.
    `level_pages` is how often each level is assigned per incident, `second_level_pages` that of level 2.
    """

    missed: float
    mean_minutes: float
    second_level_pages: float
    level_pages: tuple[float, ...] = ()


def expected_response(
    curves: Sequence[Survival], delays: Sequence[float], num_loops: int
) -> ExpectedResponse:
    """Return what levels with these curves and delays (minutes) lead to, over `num_loops` + 1 passes."""
    waiting, mean, pages = 1.0, 0.0, [0.0] * len(curves)
    for _ in range(num_loops + 1):
        for number, (curve, delay) in enumerate(zip(curves, delays, strict=True)):
            pages[number] += waiting
            mean += waiting * curve.restricted_mean(delay)
            waiting *= curve.at(delay)
    return ExpectedResponse(waiting, mean, pages[1] if len(pages) > 1 else 0.0, tuple(pages))
