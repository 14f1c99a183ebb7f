"""Patterns: how many shifts of each load a person has. They tell the solver how even a roster can be. Pure.

A linear relaxation shares shifts in fractions, so it believes that every roster can be perfectly even, and a
search from there proves little. A pattern is whole: its deviation from the share is known beforehand.
Choosing one pattern for each person is a small set-partitioning problem, and its optimum is a strong bound. A
roster in which somebody's deviation is above `most` costs more than `floor_above`, so larger ones may be left
out. The people's equality, which multiplies a search, is gone in patterns: they say how many, not which.
Source: column enumeration for rostering (set partitioning), as in Ernst et al., Staff scheduling (2004).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from calmo_pagerduty.scheduling.roster import RosterPerson, RosterProblem, RosterShift
from calmo_pagerduty.scheduling.roster_model import INFINITY, Model, Terms
from calmo_pagerduty.scheduling.roster_rules import why_not

#: More patterns would cost more time than they save.
MAX_PATTERNS = 2_000
_DIGITS = 6


class Pattern(NamedTuple):
    """How many shifts of each load, loads ascending; and history plus load minus share, in hours."""

    counts: tuple[int, ...]
    deviation: float


#: Person id → pattern → column.
PatternColumns = Mapping[str, Mapping[Pattern, int]]


@dataclass(frozen=True, slots=True)
class PatternSet:
    """All patterns of each person whose deviation is at most `most` hours. Loads ascend."""

    most: float
    shifts_by_load: Mapping[float, tuple[RosterShift, ...]]
    patterns: Mapping[str, tuple[Pattern, ...]]


def has_patterns(problem: RosterProblem) -> bool:
    """Tell whether patterns say all of fairness: every shift has exactly the people whom it needs."""
    return problem.fairness is not None and all(
        shift.under_price is None and shift.over_price is None for shift in problem.shifts
    )


def patterns_within(problem: RosterProblem, most: float) -> PatternSet | None:
    """Return all patterns with a deviation of at most `most` hours; None if there are too many."""
    by_load: dict[float, list[RosterShift]] = {}
    for shift in problem.shifts:
        by_load.setdefault(shift.load, []).append(shift)
    shifts_by_load = {load: tuple(by_load[load]) for load in sorted(by_load)}
    shares, count = problem.shares(), 0
    patterns: dict[str, tuple[Pattern, ...]] = {}
    for person in problem.people:
        found = []
        for pattern in _patterns(person, shifts_by_load, shares[person.id] - person.history, most):
            found.append(pattern)
            if count + len(found) > MAX_PATTERNS:
                return None
        count += len(found)
        patterns[person.id] = tuple(found)
    return PatternSet(most, shifts_by_load, patterns)


def _patterns(
    person: RosterPerson, shifts_by_load: Mapping[float, tuple[RosterShift, ...]], target: float, most: float
) -> Iterator[Pattern]:
    """Yield patterns whose load is within `most` of the target, those of the smallest loads last."""
    loads = sorted(shifts_by_load, reverse=True)
    limits = [sum(why_not(person, shift) is None for shift in shifts_by_load[load]) for load in loads]
    #: What the loads from each one on can add at most.
    rest = [
        sum(load * limit for load, limit in zip(loads[at:], limits[at:], strict=True))
        for at in range(len(loads) + 1)
    ]

    def extend(at: int, counts: tuple[int, ...], total: float) -> Iterator[Pattern]:
        if total > target + most + 1e-9 or total + rest[at] < target - most - 1e-9:
            return
        if at == len(loads):
            yield Pattern(counts[::-1], round(total - target, _DIGITS))
            return
        for count in range(limits[at] + 1):
            yield from extend(at + 1, (*counts, count), total + count * loads[at])

    return extend(0, (), 0.0)


def aggregated_model(problem: RosterProblem, patterns: PatternSet) -> tuple[Model, PatternColumns]:
    """Return the model of patterns alone: who has how many shifts of each load, whichever they are.

    Its optimum is a lower bound of rosters within the patterns: it knows no rest, limits or wishes.
    """
    model = Model()
    counts: dict[tuple[str, float], Terms] = {}
    for load, shifts in patterns.shifts_by_load.items():
        for person in problem.people:
            has = model.column(0.0, float(len(shifts)), is_whole=False)
            counts[person.id, load] = [(has, 1.0)]
            kept = sum(person.id in problem.present.get(shift.id, ()) for shift in shifts)
            more = model.column(problem.change_price, INFINITY, is_whole=False)
            model.row([(has, 1.0), (more, -1.0)], -INFINITY, float(kept))
        need = float(sum(shift.need for shift in shifts))
        model.row([term for person in problem.people for term in counts[person.id, load]], need, need)
    return model, add_patterns(model, problem, patterns, counts)


def add_patterns(
    model: Model, problem: RosterProblem, patterns: PatternSet, counts: Mapping[tuple[str, float], Terms]
) -> PatternColumns:
    """Give each person exactly one pattern, at its price. `counts` are the terms of (person id, load)."""
    assert problem.fairness is not None
    prices, columns = problem.fairness, {}
    largest = model.column(prices.max_price, patterns.most, is_whole=False)
    for person in problem.people:
        own = {
            pattern: model.column(prices.sum_price * abs(pattern.deviation))
            for pattern in patterns.patterns[person.id]
        }
        model.row([(column, 1.0) for column in own.values()], 1.0, 1.0)
        for at, load in enumerate(patterns.shifts_by_load):
            has = [(column, -float(pattern.counts[at])) for pattern, column in own.items()]
            model.row([*counts[person.id, load], *(term for term in has if term[1])], 0.0, 0.0)
        sizes = [(column, abs(pattern.deviation)) for pattern, column in own.items()]
        model.row([*sizes, (largest, -1.0)], -INFINITY, 0.0)
        columns[person.id] = own
    return columns


def floor_above(problem: RosterProblem, most: float) -> float:
    """Return what every roster costs at least in which somebody's deviation is above `most` hours.

    Deviations add up to nothing, so the others' are as far on the other side.
    """
    assert problem.fairness is not None
    return most * (problem.fairness.max_price + 2 * problem.fairness.sum_price)
