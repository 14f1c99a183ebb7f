"""One and two moves are the best that trying everything finds, and more moves are never worse."""

import itertools
import math
from dataclasses import replace

import pytest

from calmo_pagerduty.scheduling.roster import Fairness, RosterPerson, RosterProblem
from calmo_pagerduty.scheduling.roster_rules import objective_of
from calmo_pagerduty.scheduling.roster_solver import solve
from calmo_pagerduty.scheduling.swaps import Move, best_swaps
from tests.support.roster_instances import daily_shifts, random_problem

Owners = tuple[str, ...]


def neighbours(owners: Owners, people: list[str]) -> set[Owners]:
    """Return every roster that a swap or a handover makes of this one, and itself."""
    found = {owners}
    for first, second in itertools.combinations(range(len(owners)), 2):
        changed = list(owners)
        changed[first], changed[second] = changed[second], changed[first]
        found.add(tuple(changed))
    for shift, person in itertools.product(range(len(owners)), people):
        found.add((*owners[:shift], person, *owners[shift + 1 :]))
    return found


def value_of(problem: RosterProblem, owners: Owners) -> float:
    roster = {shift.id: frozenset({owner}) for shift, owner in zip(problem.shifts, owners, strict=True)}
    value = objective_of(problem, roster)
    return math.inf if value is None else value


@pytest.mark.parametrize("seed", range(5))
def test_the_best_one_and_two_moves_are_those_of_brute_force(seed: int) -> None:
    problem = random_problem(seed)
    problem = replace(problem, shifts=problem.shifts[:5])
    problem = replace(
        problem,
        requests=tuple(r for r in problem.requests if r.shift_id in {s.id for s in problem.shifts}),
    )
    people = [person.id for person in problem.people]
    present = tuple(next(iter(problem.present[shift.id])) for shift in problem.shifts)
    once = neighbours(present, people)
    twice = {further for owners in once for further in neighbours(owners, people)}
    plans = best_swaps(problem)
    assert [plan.objective for plan in plans] == [
        pytest.approx(value_of(problem, present)),
        pytest.approx(min(value_of(problem, owners) for owners in once)),
        pytest.approx(min(value_of(problem, owners) for owners in twice)),
    ]
    assert all(plan.is_exact for plan in plans)


@pytest.mark.parametrize("seed", range(5))
def test_more_moves_are_never_worse_and_never_beat_the_optimum(seed: int) -> None:
    problem = random_problem(seed + 20)
    objectives = [plan.objective for plan in best_swaps(problem)]
    assert objectives == sorted(objectives, reverse=True)
    optimum = solve(problem).objective
    assert optimum is None or optimum <= objectives[-1] + 1e-4


def test_a_swap_of_a_long_and_a_short_shift_evens_out() -> None:
    shifts = daily_shifts(4, [30.0, 30.0, 10.0, 10.0])
    people = (RosterPerson("A", "Ann"), RosterPerson("B", "Ben"))
    present = {"S00": frozenset("A"), "S01": frozenset("A"), "S02": frozenset("B"), "S03": frozenset("B")}
    problem = RosterProblem(shifts, people, fairness=Fairness(), present=present)
    none, single, double = best_swaps(problem)
    assert (none.moves, none.unfairness) == ((), 10 * 20 + 40)
    assert set(single.moves) == {Move("S00", "A", "B"), Move("S02", "B", "A")}
    assert (single.unfairness, double.moves) == (0.0, single.moves)


def test_a_present_that_breaks_a_rule_is_worse_than_any_that_breaks_none() -> None:
    shifts = daily_shifts(2)
    people = (RosterPerson("A", "Ann"), RosterPerson("B", "Ben"))
    present = {shift.id: frozenset("A") for shift in shifts}
    problem = RosterProblem(shifts, people, 3600, fairness=Fairness(), present=present)
    none, single, _ = best_swaps(problem)
    assert none.objective == math.inf
    assert single.unfairness == 0.0
