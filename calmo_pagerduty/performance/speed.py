"""How fast incidents are acknowledged or resolved: curves with open ones censored, and a tested comparison.

Pure. Times are in seconds from the incident's creation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from calmo_pagerduty.performance.measured import Measured
from calmo_pagerduty.statistics.estimators import benjamini_hochberg_adjusted
from calmo_pagerduty.statistics.survival import Duration, SurvivalCurve, compare_survival, kaplan_meier

#: A comparison needs so many acknowledgements or resolutions on either side.
MIN_EVENTS = 10
FALSE_DISCOVERY_RATE = 0.05


class Milestone(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Verdict(StrEnum):
    """`NO_DIFFERENCE`: chance explains what differs. It does not mean that both are the same."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference shown"
    INSUFFICIENT = "insufficient data"


@dataclass(frozen=True, slots=True)
class Comparison:
    """This window against the one before. `adjusted` holds the false discovery rate over all groups."""

    verdict: Verdict
    p_value: float | None = None
    adjusted: float | None = None


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a group reached a milestone now and in the window before. `unknown` incidents have no measure
    and count for nothing.
    """

    milestone: Milestone
    curve: SurvivalCurve
    before: SurvivalCurve
    unknown: int
    comparison: Comparison

    @property
    def censored(self) -> int:
        return self.curve.count - self.curve.events


def durations(rows: Iterable[Measured], milestone: Milestone) -> list[Duration]:
    """Return the watched times. What has not come by the incident's end, or until now, is censored there.

    An incident that was resolved without an acknowledgement is censored at its resolution: PagerDuty says
    that a resolution implies none.
    """
    found = []
    for row in rows:
        reached = row.seconds_to_resolve
        if milestone is Milestone.ACKNOWLEDGE:
            if row.measures is None:
                continue
            reached = row.measures.seconds_to_first_ack
        found.append(Duration(row.watched_seconds if reached is None else reached, reached is not None))
    return found


def speed_of(now: Sequence[Measured], before: Sequence[Measured], milestone: Milestone) -> Speed:
    """Return the speed of a group. Its comparison says only a direction, until `judge` judges all groups."""
    watched, earlier = durations(now, milestone), durations(before, milestone)
    curve, past = kaplan_meier(watched), kaplan_meier(earlier)
    comparison = Comparison(Verdict.INSUFFICIENT)
    if min(curve.events, past.events) >= MIN_EVENTS:
        test = compare_survival(watched, earlier)
        # The test's own direction: medians may lie the other way, and means are ruled by the few open ones.
        comparison = (
            Comparison(Verdict.NO_DIFFERENCE, 1.0)
            if test is None
            else Comparison(Verdict.FASTER if test.difference > 0 else Verdict.SLOWER, test.p_value)
        )
    return Speed(milestone, curve, past, len(now) - len(watched), comparison)


def judge(speeds: Sequence[Speed]) -> list[Speed]:
    """Return the speeds with their verdicts: the tests of all groups are one family.

    Source: N. Mantel (1966), log-rank test; Y. Benjamini, Y. Hochberg (1995), false discovery rate.
    """
    tested = [index for index, speed in enumerate(speeds) if speed.comparison.p_value is not None]
    adjusted = benjamini_hochberg_adjusted([speeds[index].comparison.p_value or 0.0 for index in tested])
    judged = list(speeds)
    for index, value in zip(tested, adjusted, strict=True):
        speed = speeds[index]
        is_told = value <= FALSE_DISCOVERY_RATE
        verdict = speed.comparison.verdict if is_told else Verdict.NO_DIFFERENCE
        judged[index] = replace(speed, comparison=replace(speed.comparison, verdict=verdict, adjusted=value))
    return judged


def quantile_interval(curve: SurvivalCurve, share: float) -> tuple[float | None, float | None]:
    """Return the 95 % interval of the time by which `share` have had the event; None is beyond what is known.

    Source: R. Brookmeyer, J. Crowley, Biometrics 38 (1982) 29-41, on log-log intervals of the curve.
    """
    low = high = None
    for point in curve.points:
        interval = curve.interval_at(point.time)
        ends = (point.survival, point.survival) if interval is None else interval
        if low is None and ends[0] <= 1 - share:
            low = point.time
        if high is None and ends[1] <= 1 - share:
            high = point.time
    return low, high
