"""The solver finds known optima, agrees with brute force, and says why a roster is impossible."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calmo_pagerduty.scheduling.roster import (
    Fairness,
    Limits,
    Pairing,
    Request,
    RosterPerson,
    RosterProblem,
    RosterShift,
    Stop,
    Unavailable,
)
from calmo_pagerduty.scheduling.roster_rules import deviations, objective_of, violations_of
from calmo_pagerduty.scheduling.roster_solver import solve
from tests.support.roster_instances import (
    DAY,
    daily_rota,
    daily_shifts,
    every_assignment,
    random_problem,
    read_instance,
)

INSTANCE = Path(__file__).parents[2].parent / "shared" / "rostering" / "Instance1.txt"

#: OR-tools' schedule_requests_sat: nurse → day → wanted shift (0 to 2).
NURSE_REQUESTS = (
    {0: 2, 4: 2, 5: 1, 6: 2},
    {2: 1, 3: 1, 4: 0, 6: 2},
    {0: 1, 1: 1, 3: 0, 5: 1},
    {0: 2, 2: 0, 3: 1, 5: 0},
    {1: 2, 2: 1, 4: 0, 5: 1},
)


def people(*names: str, **parts: Any) -> tuple[RosterPerson, ...]:
    return tuple(RosterPerson(name, name, **parts) for name in names)


def nurse_shifts(days: int) -> tuple[RosterShift, ...]:
    return tuple(
        RosterShift(
            f"{day}-{shift}",
            f"{day}-{shift}",
            day * DAY + shift * 28_800,
            day * DAY + (shift + 1) * 28_800,
            day,
            8.0,
        )
        for day in range(days)
        for shift in range(3)
    )


def test_the_public_benchmarks_first_instance_has_its_proven_optimum() -> None:
    if not INSTANCE.exists():
        pytest.skip("the benchmark's data are not here")
    roster = solve(read_instance(INSTANCE))
    assert (roster.stop, roster.objective, roster.gap) == (Stop.OPTIMAL, 607.0, 0.0)
    assert sum(violation.price or 0 for violation in roster.violations) == 607.0


def test_thirteen_of_twenty_requests_can_be_fulfilled() -> None:
    shifts = nurse_shifts(7)
    requests = tuple(
        Request(f"N{nurse}", f"{day}-{shift}", True, 1.0)
        for nurse, wishes in enumerate(NURSE_REQUESTS)
        for day, shift in wishes.items()
    )
    nurses = people(*(f"N{nurse}" for nurse in range(5)), limits=Limits(5 * 480, 4 * 480, {}, None))
    problem = RosterProblem(shifts, nurses, 0, frozenset(), requests)
    # A nurse has at most one shift a day.
    problem = replace(
        problem, people=tuple(replace(nurse, limits=Limits(5 * 480, 4 * 480)) for nurse in nurses)
    )
    problem = replace(
        problem,
        shifts=tuple(replace(shift, start=shift.day * DAY, end=shift.day * DAY + 28_800) for shift in shifts),
    )
    roster = solve(problem)
    assert roster.stop is Stop.OPTIMAL
    assert 20 - sum(violation.rule == "request" for violation in roster.violations) == 13


def test_four_nurses_have_5184_rosters() -> None:
    shifts = tuple(
        replace(shift, start=shift.day * DAY, end=shift.day * DAY + 28_800) for shift in nurse_shifts(3)
    )
    problem = RosterProblem(shifts, people("A", "B", "C", "D", limits=Limits(3 * 480, 2 * 480)))
    days = [[shift.id for shift in shifts if shift.day == day] for day in range(3)]
    feasible = 0
    for chosen in itertools.product(itertools.permutations("ABCD", 3), repeat=3):
        pairs = zip(itertools.chain(*days), itertools.chain(*chosen), strict=True)
        roster = {shift_id: frozenset({person}) for shift_id, person in pairs}
        feasible += not any(violations_of(problem, roster))
    assert feasible == 5184


@pytest.mark.parametrize("seed", range(6))
def test_the_optimum_is_that_of_brute_force(seed: int) -> None:
    problem = random_problem(seed)
    values = [
        value for roster in every_assignment(problem) if (value := objective_of(problem, roster)) is not None
    ]
    roster = solve(problem)
    if not values:
        assert roster.stop is Stop.INFEASIBLE
        return
    assert roster.objective == pytest.approx(min(values), abs=1e-4)
    assert roster.bound == pytest.approx(min(values), abs=1e-3)
    assert objective_of(problem, roster.assignment) == roster.objective


@pytest.mark.parametrize(("people_count", "days", "seed"), [(8, 28, 1), (6, 56, 1)])
def test_the_optimum_of_a_daily_rota_is_proved(people_count: int, days: int, seed: int) -> None:
    problem = daily_rota(people_count, days, seed)
    roster = solve(problem, node_limit=1_000)
    assert (roster.stop, roster.gap) == (Stop.OPTIMAL, 0.0)
    assert roster.objective == objective_of(problem, roster.assignment)


@pytest.mark.parametrize("seed", range(3))
def test_a_known_roster_is_bettered_or_proved(seed: int) -> None:
    problem = random_problem(seed)
    first = solve(problem)
    again = solve(problem, known=first.assignment)
    assert (again.stop, again.objective, again.bound) == (first.stop, first.objective, first.objective)
    at_once = solve(problem, node_limit=0, known=problem.present)
    present = objective_of(problem, problem.present)
    if present is not None and at_once.objective is not None:
        assert at_once.objective <= present
    assert at_once.bound is None or first.objective is None or at_once.bound <= first.objective + 1e-4


def test_two_people_who_rest_for_two_shifts_cannot_do_it() -> None:
    problem = RosterProblem(daily_shifts(7), people("Ann", "Ben"), min_rest_seconds=2 * DAY)
    roster = solve(problem)
    assert roster.stop is Stop.INFEASIBLE
    assert len(roster.explanation) == 2
    assert all("Ann needs rest, Ben needs rest" in sentence for sentence in roster.explanation)


def test_an_impossible_shift_is_explained_by_names() -> None:
    christmas = replace(daily_shifts(1)[0], id="X", name="2026-12-24 night", start=DAY, end=2 * DAY, day=1)
    before = daily_shifts(1)[0]
    problem = RosterProblem(
        (before, christmas),
        (
            RosterPerson("A", "Ann", {"X": Unavailable.LEAVE, before.id: Unavailable.LEAVE}),
            RosterPerson("B", "Ben"),
            RosterPerson("C", "Cat", {"X": Unavailable.NOT_IN_POOL, before.id: Unavailable.NOT_IN_POOL}),
        ),
        min_rest_seconds=DAY,
        fixed=frozenset({("B", before.id)}),
    )
    assert solve(problem).explanation == (
        "no one can take 2026-12-24 night: Ann on leave, Ben needs rest, Cat not in the pool",
    )


def test_limits_that_nobody_can_meet_are_explained_by_name() -> None:
    problem = RosterProblem(daily_shifts(2), (RosterPerson("A", "Ann", {}, Limits(min_minutes=10_000)),))
    assert solve(problem).explanation == ("the limits of Ann can't be met by the shifts that they may take",)


def test_debt_is_paid_back() -> None:
    shifts = daily_shifts(4)
    owing = (RosterPerson("A", "Ann", history=48.0), RosterPerson("B", "Ben"))
    roster = solve(RosterProblem(shifts, owing, fairness=Fairness()))
    assert [sorted(roster.assignment[shift.id]) for shift in shifts].count(["B"]) == 3
    assert deviations(RosterProblem(shifts, owing, fairness=Fairness()), roster.assignment) == {
        "A": 0.0,
        "B": 0.0,
    }


def test_renaming_people_changes_no_value() -> None:
    problem = random_problem(1)
    names = {"Ann": "Zoe", "Ben": "Yan", "Cat": "Xia"}
    renamed = replace(
        problem,
        people=tuple(
            sorted(
                (replace(person, id=names[person.id]) for person in problem.people),
                key=lambda person: person.id,
            )
        ),
        requests=tuple(replace(request, person_id=names[request.person_id]) for request in problem.requests),
        present={
            shift: frozenset(names[owner] for owner in owners) for shift, owners in problem.present.items()
        },
    )
    assert solve(renamed).objective == pytest.approx(solve(problem).objective, abs=1e-4)


def test_people_may_be_kept_together_or_apart() -> None:
    shifts = tuple(
        replace(shift, id=f"{shift.id}{role}", name=f"{shift.name} {role}")
        for shift in daily_shifts(4)
        for role in ("primary", "secondary")
    )
    pool = people("Ann", "Ben", "Cat", "Dan")
    apart = RosterProblem(shifts, pool, 0, pairings=(Pairing("Ann", "Ben", False),), fairness=Fairness())
    roster = solve(apart)
    for day in range(4):
        working = frozenset().union(*(roster.assignment[s.id] for s in shifts if s.day == day))
        assert not {"Ann", "Ben"} <= working
    together = replace(apart, pairings=(Pairing("Ann", "Ben", True),))
    roster = solve(together)
    for day in range(4):
        working = frozenset().union(*(roster.assignment[s.id] for s in shifts if s.day == day))
        assert len({"Ann", "Ben"} & working) != 1


def test_a_skill_is_needed_and_a_broken_wish_has_its_price() -> None:
    shifts = tuple(replace(shift, skills=frozenset({"database"})) for shift in daily_shifts(2))
    pool = (RosterPerson("A", "Ann", skills=frozenset({"database"})), RosterPerson("B", "Ben"))
    wishes = (Request("A", "S01", False, 7.0),)
    roster = solve(RosterProblem(shifts, pool, requests=wishes))
    assert roster.assignment == {"S00": frozenset("A"), "S01": frozenset("A")}
    assert [(violation.text, violation.price) for violation in roster.violations] == [
        ("Ann does not want day 1", 7.0)
    ]


def test_the_same_problem_gives_the_same_roster() -> None:
    assert solve(random_problem(2)) == solve(random_problem(2))
