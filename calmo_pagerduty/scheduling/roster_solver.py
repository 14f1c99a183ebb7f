"""Solve a rostering problem: a mixed-integer linear model, by HiGHS. Pure, but slow: run it in a thread.

The same problem gives the same roster: HiGHS is deterministic, and a node limit stops it at the same point
everywhere. The limit of time is for emergencies, and the result says that a limit was reached.
Source: scipy.optimize.milp (HiGHS); the sequence constraints are those of schedulingbenchmarks.org.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from calmo_pagerduty.scheduling.roster import (
    Assignment,
    Limits,
    Pairing,
    Roster,
    RosterPerson,
    RosterProblem,
    Stop,
)
from calmo_pagerduty.scheduling.roster_rules import (
    day_range,
    in_conflict,
    objective_of,
    person_violations,
    shifts_of_person,
    times_of,
    violations_of,
    why_not,
)

NODE_LIMIT = 20_000
TIME_LIMIT_SECONDS = 60.0
_INFINITY = float("inf")
Terms = list[tuple[int, float]]


@dataclass(slots=True)
class _Model:
    """Columns with cost and bounds, and rows lower <= terms <= upper."""

    cost: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    is_whole: list[int] = field(default_factory=list)
    rows: list[tuple[Terms, float, float]] = field(default_factory=list)
    constant: float = 0.0
    #: (person id, shift id) → column.
    has: dict[tuple[str, str], int] = field(default_factory=dict)

    def column(self, cost: float = 0.0, upper: float = 1.0, *, is_whole: bool = True) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        self.is_whole.append(int(is_whole))
        return len(self.cost) - 1

    def row(self, terms: Iterable[tuple[int, float]], lower: float, upper: float) -> None:
        self.rows.append((list(terms), lower, upper))


def solve(
    problem: RosterProblem, node_limit: int = NODE_LIMIT, time_limit: float = TIME_LIMIT_SECONDS
) -> Roster:
    """Return the best roster that was found, its bound, and every soft constraint that it breaks.

    If there is none, the roster says why: see `calmo_pagerduty/scheduling/roster.py`.
    """
    model = _build(problem, is_elastic=False)
    found = _run(model, node_limit, time_limit)
    if found.assignment is None:
        if found.stop is not Stop.INFEASIBLE:
            return Roster(found.stop, {}, None, None, explanation=("no roster was found within the limit",))
        return Roster(Stop.INFEASIBLE, {}, None, None, explanation=explain(problem, node_limit, time_limit))
    violations = tuple(violations_of(problem, found.assignment))
    objective = objective_of(problem, found.assignment)
    return Roster(found.stop, found.assignment, objective, found.bound, violations)


def explain(problem: RosterProblem, node_limit: int, time_limit: float) -> tuple[str, ...]:
    """Return why no roster is possible: the fewest shifts that must stay empty, and why for each person."""
    found = _run(_build(problem, is_elastic=True), node_limit, time_limit)
    if found.assignment is None:
        return _impossible_people(problem, node_limit, time_limit)
    assignment = found.assignment
    sentences = []
    for shift in problem.shifts:
        if len(assignment.get(shift.id, ())) >= shift.need:
            continue
        reasons = [
            f"{person.name} {_reason(problem, assignment, person, shift.id)}"
            for person in problem.people
            if shift.id not in {held.id for held in shifts_of_person(problem, assignment, person.id)}
        ]
        sentences.append(f"no one can take {shift.name}: {', '.join(reasons) or 'nobody is there'}")
    return tuple(sentences) or ("the fixed shifts and the limits contradict each other",)


def _reason(problem: RosterProblem, assignment: Assignment, person: RosterPerson, shift_id: str) -> str:
    shift = next(shift for shift in problem.shifts if shift.id == shift_id)
    why = why_not(person, shift)
    if why is not None:
        return str(why)
    held = shifts_of_person(problem, assignment, person.id)
    with_it = sorted([*held, shift], key=lambda shift: (shift.start, shift.id))
    broken = [violation.rule for violation in person_violations(problem, person, with_it)]
    return _RULE_TEXTS.get(broken[0], broken[0]) if broken else "has other shifts"


#: Rules of `roster_rules` → what they say of a person who can't take a shift.
_RULE_TEXTS = {
    "rest": "needs rest",
    "max_minutes": "has the most hours allowed",
    "min_minutes": "has too few hours",
    "max_shifts": "has the most shifts allowed",
    "max_weekends": "has the most weekends allowed",
    "max_consecutive": "has the most days in a row allowed",
    "min_consecutive": "can't work so few days in a row",
    "min_days_off": "needs more days off in a row",
}


def _impossible_people(problem: RosterProblem, node_limit: int, time_limit: float) -> tuple[str, ...]:
    sentences = []
    for person in problem.people:
        alone = RosterProblem(
            problem.shifts,
            (person,),
            problem.min_rest_seconds,
            frozenset(pair for pair in problem.fixed if pair[0] == person.id),
        )
        if _run(_build(alone, is_elastic=True), node_limit, time_limit).assignment is None:
            sentences.append(f"the limits of {person.name} can't be met by the shifts that they may take")
    return tuple(sentences) or ("the fixed shifts and the pairings contradict each other",)


@dataclass(frozen=True, slots=True)
class _Found:
    stop: Stop
    assignment: Assignment | None
    bound: float | None


def _run(model: _Model, node_limit: int, time_limit: float) -> _Found:
    import numpy as np  # noqa: PLC0415 (a command starts without them)
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 (as above)
    from scipy.sparse import csr_array  # noqa: PLC0415 (as above)

    if not model.cost:
        fits = all(lower <= 0 <= upper for _, lower, upper in model.rows)
        return _Found(Stop.OPTIMAL if fits else Stop.INFEASIBLE, {} if fits else None, model.constant)
    values = [value for terms, _, _ in model.rows for _, value in terms]
    columns = [column for terms, _, _ in model.rows for column, _ in terms]
    offsets = np.cumsum([0, *(len(terms) for terms, _, _ in model.rows)])
    matrix = csr_array((values, columns, offsets), shape=(len(model.rows), len(model.cost)))
    lower, upper = ([row[side] for row in model.rows] for side in (1, 2))
    result: Any = milp(
        np.array(model.cost),
        integrality=np.array(model.is_whole),
        bounds=Bounds(0, np.array(model.upper)),
        constraints=LinearConstraint(matrix, lower, upper) if model.rows else (),
        options={"node_limit": node_limit, "time_limit": time_limit, "mip_rel_gap": 0.0},
    )
    stop = {0: Stop.OPTIMAL, 2: Stop.INFEASIBLE}.get(int(result.status), Stop.LIMIT)
    if result.x is None:
        return _Found(stop, None, None)
    chosen: dict[str, set[str]] = {}
    for (person_id, shift_id), column in model.has.items():
        if result.x[column] > 0.5:
            chosen.setdefault(shift_id, set()).add(person_id)
    bound = getattr(result, "mip_dual_bound", None)
    return _Found(
        stop,
        {shift_id: frozenset(people) for shift_id, people in sorted(chosen.items())},
        None if bound is None else round(float(bound) + model.constant, 6),
    )


def _build(problem: RosterProblem, *, is_elastic: bool) -> _Model:
    """Return the linear model. An elastic one may leave shifts empty at a price of 1, its only price."""
    model = _Model()
    for person in problem.people:
        for shift in problem.shifts:
            if why_not(person, shift) is None:
                model.has[person.id, shift.id] = model.column()
    _add_cover(model, problem, is_elastic=is_elastic)
    for person in problem.people:
        _add_rest(model, problem, person)
        _add_limits(model, problem, person)
    for person_id, shift_id in sorted(problem.fixed):
        column = model.has.get((person_id, shift_id))
        model.row([(column, 1.0)] if column is not None else [], 1.0, 1.0)
    for pairing in problem.pairings:
        _add_pairing(model, problem, pairing, is_elastic=is_elastic)
    if not is_elastic:
        _add_prices(model, problem)
    return model


def _add_cover(model: _Model, problem: RosterProblem, *, is_elastic: bool) -> None:
    for shift in problem.shifts:
        terms: Terms = [
            (column, 1.0)
            for person in problem.people
            if (column := model.has.get((person.id, shift.id))) is not None
        ]
        under, over = (1.0, None) if is_elastic else (shift.under_price, shift.over_price)
        if under is not None:
            terms.append((model.column(under, shift.need, is_whole=False), 1.0))
        if over is not None or (is_elastic and shift.over_price is not None):
            terms.append((model.column(over or 0.0, len(problem.people), is_whole=False), -1.0))
        model.row(terms, shift.need, shift.need)


def _add_rest(model: _Model, problem: RosterProblem, person: RosterPerson) -> None:
    shifts = [shift for shift in problem.shifts if (person.id, shift.id) in model.has]
    for position, shift in enumerate(shifts):
        for later in shifts[position + 1 :]:
            if later.start >= shift.end + problem.min_rest_seconds:
                break
            if in_conflict(shift, later, problem.min_rest_seconds):
                pair = (model.has[person.id, shift.id], model.has[person.id, later.id])
                model.row([(column, 1.0) for column in pair], 0.0, 1.0)


def _add_limits(model: _Model, problem: RosterProblem, person: RosterPerson) -> None:
    limits = person.limits
    held = [
        (shift, column)
        for shift in problem.shifts
        if (column := model.has.get((person.id, shift.id))) is not None
    ]
    if limits.max_minutes is not None or limits.min_minutes is not None:
        most = _INFINITY if limits.max_minutes is None else limits.max_minutes
        model.row([(column, float(shift.minutes)) for shift, column in held], limits.min_minutes or 0.0, most)
    for kind, count in sorted(limits.max_shifts.items()):
        model.row([(column, 1.0) for shift, column in held if shift.kind == kind], 0.0, count)
    if limits.max_weekends is not None:
        weekends: dict[int, int] = {}
        for shift, column in held:
            if shift.weekend is not None:
                worked = weekends.setdefault(shift.weekend, -1)
                if worked < 0:
                    worked = weekends[shift.weekend] = model.column()
                model.row([(column, 1.0), (worked, -1.0)], -1.0, 0.0)
        model.row([(column, 1.0) for column in weekends.values()], 0.0, limits.max_weekends)
    _add_runs(model, problem, limits, [(shift.day, column) for shift, column in held])


def _add_runs(model: _Model, problem: RosterProblem, limits: Limits, held: list[tuple[int, int]]) -> None:
    """Forbid runs that are too long, and patterns such as off-on-off that are too short."""
    if (limits.max_consecutive_days, limits.min_consecutive_days, limits.min_days_off) == (None, None, None):
        return
    first, last = day_range(problem)
    columns: dict[int, list[int]] = {}
    for day, column in held:
        columns.setdefault(day, []).append(column)
    worked: dict[int, int] = {}
    for day in range(first, last + 1):
        worked[day] = model.column(upper=1.0 if day in columns else 0.0)
        model.row([(worked[day], 1.0), *((column, -1.0) for column in columns.get(day, ()))], -_INFINITY, 0.0)
        for column in columns.get(day, ()):
            model.row([(column, 1.0), (worked[day], -1.0)], -1.0, 0.0)
    if (most := limits.max_consecutive_days) is not None:
        for day in range(first, last + 1 - most):
            model.row([(worked[day + step], 1.0) for step in range(most + 1)], 0.0, most)
    for least, sign in ((limits.min_consecutive_days, 1.0), (limits.min_days_off, -1.0)):
        for length in range(1, least or 0):
            upper = length - 1.0 if sign > 0 else 1.0
            for day in range(first + 1, last + 1 - length):
                inside = [(worked[day + step], sign) for step in range(length)]
                around = [(worked[day - 1], -sign), (worked[day + length], -sign)]
                model.row([*inside, *around], -_INFINITY, upper)


def _add_pairing(model: _Model, problem: RosterProblem, pairing: Pairing, *, is_elastic: bool) -> None:
    if is_elastic and pairing.price is not None:
        return
    for shifts in times_of(problem).values():
        first, second = (
            [column for shift in shifts if (column := model.has.get((person_id, shift.id))) is not None]
            for person_id in (pairing.first_id, pairing.second_id)
        )
        slack: Terms = [] if pairing.price is None else [(model.column(pairing.price), -1.0)]
        plus, minus = ([(column, 1.0) for column in side] for side in (first, second))
        if pairing.is_together:
            opposite = [(column, -1.0) for column in second]
            model.row([*plus, *opposite, *slack], -_INFINITY, 0.0)
            model.row([*minus, *((column, -1.0) for column in first), *slack], -_INFINITY, 0.0)
        else:
            model.row([*plus, *minus, *slack], -_INFINITY, 1.0)


def _add_prices(model: _Model, problem: RosterProblem) -> None:
    for request in problem.requests:
        column = model.has.get((request.person_id, request.shift_id))
        if request.wants:
            model.constant += request.price
        if column is not None:
            model.cost[column] += -request.price if request.wants else request.price
    for (person_id, shift_id), column in model.has.items():
        if person_id not in problem.present.get(shift_id, frozenset()):
            model.cost[column] += problem.change_price
    if problem.fairness is not None:
        _add_fairness(model, problem, problem.shares())


def _add_fairness(model: _Model, problem: RosterProblem, shares: Mapping[str, float]) -> None:
    assert problem.fairness is not None
    largest = model.column(problem.fairness.max_price, _INFINITY, is_whole=False)
    for person in problem.people:
        above, below = (model.column(problem.fairness.sum_price, _INFINITY, is_whole=False) for _ in range(2))
        loads = [
            (column, shift.load)
            for shift in problem.shifts
            if (column := model.has.get((person.id, shift.id))) is not None
        ]
        rest = shares[person.id] - person.history
        model.row([*loads, (above, -1.0), (below, 1.0)], rest, rest)
        model.row([(above, 1.0), (below, 1.0), (largest, -1.0)], -_INFINITY, 0.0)
