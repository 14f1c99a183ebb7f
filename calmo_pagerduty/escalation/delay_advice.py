"""Advice on the delay of each level, back-tested on the account's own later incidents. Pure.

Source: the model of `response_model`. A shorter delay brings the next level in earlier, and takes the time of
those who would still have answered: so at most 10 % more pages of the next level, and of missed incidents,
are accepted. The next level after the last one is the first, if the policy repeats.
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
#: How many more pages of the next level are accepted.
MAX_MORE_PAGES = 1.10
#: A gain of less than this isn't worth a change, in minutes.
MIN_GAIN_MINUTES = 0.25
#: The earlier part of the past, from which the advice is drawn; the rest tests it.
TRAINING_SHARE = 0.6
ROUNDS = 200
SEED = 20_260_814


class Assignment(NamedTuple):
    """An assignment of a level: when it began (epoch seconds), and the minutes until it was acknowledged."""

    start: int
    duration: Duration


@dataclass(frozen=True, slots=True)
class Path:
    """What the advice leaves as it is: the other levels' curves in order, all delays in minutes, loops."""

    others: tuple[Survival, ...]
    delays: tuple[int, ...]
    num_loops: int
    #: The level whose delay may change, from 1.
    level: int = 1

    @property
    def delay(self) -> int:
        """The level's present delay."""
        return self.delays[self.level - 1]

    @property
    def goes_on(self) -> bool:
        """Whether somebody else is paged after the level: on the next one, or on the first again."""
        return len(self.delays) > 1 and (self.level < len(self.delays) or self.num_loops > 0)

    def expected(self, curve: Survival, delay: int) -> ExpectedResponse:
        """Return what the policy leads to if the level has this curve and this delay."""
        at = self.level - 1
        return expected_response(
            (*self.others[:at], curve, *self.others[at:]),
            (*self.delays[:at], delay, *self.delays[at + 1 :]),
            self.num_loops,
        )

    def next_pages(self, response: ExpectedResponse) -> float:
        """Return how often the level after this one is assigned."""
        return response.level_pages[self.level % len(self.delays)]


@dataclass(frozen=True, slots=True)
class DelayAdvice:
    """A better delay for a level. `tested` and `tested_current` are from the later incidents alone."""

    level: int
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
    if not path.goes_on:
        return NoAdvice(
            "a policy of one level has nobody to go on to"
            if len(path.delays) == 1
            else "after the last level nobody is paged: the policy doesn't repeat"
        )
    ordered = sorted(assignments)
    split = int(len(ordered) * TRAINING_SHARE)
    earlier, later = _curve(ordered[:split]), _curve(ordered[split:])
    for part, curve in (("earlier", earlier), ("later", later)):
        if not is_enough(curve):
            return NoAdvice(
                f"insufficient data: the {part} part of level {path.level} has {curve.count} assignments"
                f" and {curve.events} acknowledgements; {MIN_ASSIGNMENTS} and {MIN_ACKNOWLEDGED} are needed"
            )
    delay = _best_delay(earlier, path)
    if delay is None:
        return NoAdvice("no delay on the grid of 5 to 60 minutes is better than the present one")
    present = path.delay
    tested, tested_current = path.expected(later, delay), path.expected(later, present)
    if not _is_better(path, tested, tested_current):
        return NoAdvice(f"{delay} min looked better on earlier incidents, and was not on later ones")
    everything = _curve(ordered)
    interval = bootstrap_interval(
        ordered, lambda sample: _gain(_curve(sample), path, delay, present), ROUNDS, SEED
    )
    assert interval is not None
    if interval.low <= 0:
        return NoAdvice(f"{delay} min may be no better: the interval of the gain includes 0")
    return DelayAdvice(
        path.level,
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
    present = path.expected(curve, path.delay)
    candidates = [
        (path.expected(curve, delay).mean_minutes, delay)
        for delay in GRID
        if delay != path.delay
        and curve.is_known_at(delay)
        and _is_better(path, path.expected(curve, delay), present)
    ]
    return min(candidates)[1] if candidates else None


def _is_better(path: Path, changed: ExpectedResponse, present: ExpectedResponse) -> bool:
    return (
        present.mean_minutes - changed.mean_minutes >= MIN_GAIN_MINUTES
        and path.next_pages(changed) <= MAX_MORE_PAGES * path.next_pages(present)
        and changed.missed <= MAX_MORE_PAGES * present.missed
    )


def _gain(curve: SurvivalCurve, path: Path, delay: int, present: int) -> float:
    return path.expected(curve, present).mean_minutes - path.expected(curve, delay).mean_minutes


def _curve(assignments: Sequence[Assignment]) -> SurvivalCurve:
    return kaplan_meier(assignment.duration for assignment in assignments)
