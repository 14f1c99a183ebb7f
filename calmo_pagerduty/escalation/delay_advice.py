"""Advice on the delay of level 1, back-tested on the account's own later incidents. Pure.

Source: the model of `response_model`. A shorter delay brings level 2 in earlier, and takes the time of those
who would still have answered: so at most 10 % more pages of level 2, and of missed incidents, are accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from calmo_pagerduty.escalation.response_model import ExpectedResponse, Survival, expected_response
from calmo_pagerduty.statistics.estimators import Interval
from calmo_pagerduty.statistics.resampling import bootstrap_interval
from calmo_pagerduty.statistics.survival import Duration, SurvivalCurve, kaplan_meier

GRID = tuple(range(5, 61, 5))
MIN_ASSIGNMENTS = 30
MIN_ACKNOWLEDGED = 10
#: How many more pages of level 2 are accepted.
MAX_MORE_PAGES = 1.10
#: A gain of less than this isn't worth a change, in minutes.
MIN_GAIN_MINUTES = 0.25
#: The earlier part of the past, from which the advice is drawn; the rest tests it.
TRAINING_SHARE = 0.6
ROUNDS = 200
SEED = 20_260_814


class Assignment(NamedTuple):
    """A level-1 assignment: when it began (epoch seconds), and the minutes until it was acknowledged."""

    start: int
    duration: Duration


@dataclass(frozen=True, slots=True)
class Path:
    """What the advice leaves as it is: later levels' curves, all delays in minutes, loops."""

    later: tuple[Survival, ...]
    delays: tuple[int, ...]
    num_loops: int

    def expected(self, first: Survival, first_delay: int) -> ExpectedResponse:
        return expected_response((first, *self.later), (first_delay, *self.delays[1:]), self.num_loops)


@dataclass(frozen=True, slots=True)
class DelayAdvice:
    """A better delay for level 1. `tested` and `tested_current` are from the later incidents alone."""

    delay_minutes: int
    current_minutes: int
    expected: ExpectedResponse
    current: ExpectedResponse
    gain_interval: Interval
    tested: ExpectedResponse
    tested_current: ExpectedResponse
    count: int
    acknowledged: int
    tested_count: int

    @property
    def gain_minutes(self) -> float:
        return self.current.mean_minutes - self.expected.mean_minutes

    @property
    def tested_gain_minutes(self) -> float:
        return self.tested_current.mean_minutes - self.tested.mean_minutes


class NoAdvice(NamedTuple):
    """Why there is no advice, in words."""

    reason: str


def advise_delay(assignments: Sequence[Assignment], path: Path) -> DelayAdvice | NoAdvice:
    """Return the delay that lowers the expected time most, or why there is none.

    Advice is drawn from the earlier 60 %, and shown only if the later 40 % confirm that it beats the
    present delay.
    """
    ordered = sorted(assignments)
    split = int(len(ordered) * TRAINING_SHARE)
    earlier, later = _curve(ordered[:split]), _curve(ordered[split:])
    for part, curve in (("earlier", earlier), ("later", later)):
        if not is_enough(curve):
            return NoAdvice(
                f"insufficient data: the {part} part has {curve.count} assignments and {curve.events}"
                f" acknowledgements; {MIN_ASSIGNMENTS} and {MIN_ACKNOWLEDGED} are needed"
            )
    delay = _best_delay(earlier, path)
    if delay is None:
        return NoAdvice("no delay on the grid of 5 to 60 minutes is better than the present one")
    present = path.delays[0]
    tested, tested_current = path.expected(later, delay), path.expected(later, present)
    if not _is_better(tested, tested_current):
        return NoAdvice(f"{delay} min looked better on earlier incidents, and was not on later ones")
    everything = _curve(ordered)
    interval = bootstrap_interval(
        ordered, lambda sample: _gain(_curve(sample), path, delay, present), ROUNDS, SEED
    )
    assert interval is not None
    if interval.low <= 0:
        return NoAdvice(f"{delay} min may be no better: the interval of the gain includes 0")
    return DelayAdvice(
        delay,
        present,
        path.expected(everything, delay),
        path.expected(everything, present),
        interval,
        tested,
        tested_current,
        everything.count,
        everything.events,
        later.count,
    )


def is_enough(curve: SurvivalCurve) -> bool:
    return curve.count >= MIN_ASSIGNMENTS and curve.events >= MIN_ACKNOWLEDGED


def _best_delay(curve: SurvivalCurve, path: Path) -> int | None:
    """Return the delay with the lowest expected time, of those that the curve reaches."""
    present = path.expected(curve, path.delays[0])
    candidates = [
        (path.expected(curve, delay).mean_minutes, delay)
        for delay in GRID
        if delay != path.delays[0]
        and curve.is_known_at(delay)
        and _is_better(path.expected(curve, delay), present)
    ]
    return min(candidates)[1] if candidates else None


def _is_better(changed: ExpectedResponse, present: ExpectedResponse) -> bool:
    return (
        present.mean_minutes - changed.mean_minutes >= MIN_GAIN_MINUTES
        and changed.second_level_pages <= MAX_MORE_PAGES * present.second_level_pages
        and changed.missed <= MAX_MORE_PAGES * present.missed
    )


def _gain(curve: SurvivalCurve, path: Path, delay: int, present: int) -> float:
    return path.expected(curve, present).mean_minutes - path.expected(curve, delay).mean_minutes


def _curve(assignments: Sequence[Assignment]) -> SurvivalCurve:
    return kaplan_meier(assignment.duration for assignment in assignments)
