"""Solve a rostering problem: a mixed-integer linear model, by HiGHS. Pure, but slow: run it in a thread.

The same problem gives the same roster: HiGHS is deterministic, and a node limit stops it at the same point
everywhere. The limit of time is for emergencies, and the result says that a limit was reached.
Source: scipy.optimize.milp (HiGHS); the sequence constraints are those of schedulingbenchmarks.org.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from calmo_pagerduty.scheduling.roster import (
    Assignment,
    Fairness,
    Limits,
    Pairing,
    Roster,
    RosterPerson,
    RosterProblem,
    Stop,
)
from calmo_pagerduty.scheduling.roster_model import INFINITY, Model, Solution, Terms, run
from calmo_pagerduty.scheduling.roster_patterns import (
    Pattern,
    PatternSet,
    add_patterns,
    aggregated_model,
    floor_above,
    has_patterns,
    patterns_within,
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
_SMALL = 1e-6
#: How much more uneven a roster may be than patterns alone, when one is looked for.
_WIDER = 1.5


def solve(
    problem: RosterProblem,
    node_limit: int = NODE_LIMIT,
    time_limit: float = TIME_LIMIT_SECONDS,
    known: Assignment | None = None,
) -> Roster:
    """Return the best roster that was found, its bound, and every soft constraint that it breaks.

    The search begins at a `known` roster and never ends worse. If there is none, the roster says why: see
    `calmo_pagerduty/scheduling/roster.py`.
    """
    found = _Search(problem, node_limit, time_limit).best(known)
    if found.assignment is None:
        if found.stop is not Stop.INFEASIBLE:
            return Roster(found.stop, {}, None, None, explanation=("no roster was found within the limit",))
        return Roster(Stop.INFEASIBLE, {}, None, None, explanation=explain(problem, node_limit, time_limit))
    violations = tuple(violations_of(problem, found.assignment))
    objective = objective_of(problem, found.assignment)
    return Roster(found.stop, found.assignment, objective, found.bound, violations)


class _Relaxed(NamedTuple):
    """The optimum of patterns alone: no roster's objective is below `bound`."""

    bound: float
    objective: float
    patterns: PatternSet
    chosen: Mapping[str, Pattern]


@dataclass(frozen=True, slots=True)
class _Search:
    """Bound first, then rosters, then a proof that there is none better."""

    problem: RosterProblem
    node_limit: int
    time_limit: float

    def best(self, known: Assignment | None) -> Solution:
        if not has_patterns(self.problem):
            return self._run(_build(self.problem, is_elastic=False))
        found = self._judged(known)
        relaxed = self._relaxed()
        if relaxed is not None:
            found = self._better(found, self._with_patterns(relaxed.patterns, relaxed.chosen))
            if found.bound is not None and found.bound <= relaxed.bound + _SMALL:
                return found
            if found.assignment is None:
                wider = patterns_within(self.problem, _WIDER * relaxed.patterns.most)
                found = found if wider is None else self._judged(self._with_patterns(wider).assignment)
        if found.assignment is None:
            found = self._run(_build(replace(self.problem, fairness=None), is_elastic=False))
            if found.assignment is None:
                return found
            found = self._judged(found.assignment)
        return self._proved(found, relaxed)

    def _run(self, model: Model) -> Solution:
        return run(model, self.node_limit, self.time_limit)

    def _judged(self, assignment: Assignment | None) -> Solution:
        """Return a roster with its objective as the bound, or nothing if it breaks a hard rule."""
        objective = None if assignment is None else objective_of(self.problem, assignment)
        return Solution(Stop.OPTIMAL, None if objective is None else assignment, objective)

    def _better(self, first: Solution, second: Solution) -> Solution:
        judged = [self._judged(found.assignment) for found in (first, second)]
        with_roster = [found for found in judged if found.bound is not None]
        return min(with_roster, key=lambda found: found.bound or 0.0, default=judged[0])

    def _relaxed(self) -> _Relaxed | None:
        """Widen the patterns until none that is left out could cost less; None if they are too many."""
        most = max((shift.load for shift in self.problem.shifts), default=0.0) / 8
        while (patterns := patterns_within(self.problem, most)) is not None and most > 0:
            model, columns = aggregated_model(self.problem, patterns)
            found = self._run(model)
            if found.stop is Stop.INFEASIBLE:
                most *= 2
                continue
            if not found.values or found.bound is None:
                return None
            objective = sum(price * value for price, value in zip(model.cost, found.values, strict=True))
            floor = floor_above(self.problem, most)
            if objective <= floor + _SMALL:
                chosen = {
                    person_id: max(own, key=lambda pattern: found.values[own[pattern]])
                    for person_id, own in columns.items()
                }
                return _Relaxed(found.bound, objective, patterns, chosen)
            most *= max(objective / floor, 1.001)
        return None

    def _with_patterns(self, patterns: PatternSet, chosen: Mapping[str, Pattern] | None = None) -> Solution:
        """Return the best roster within patterns, or with exactly the chosen ones."""
        if chosen is not None:
            own = {person_id: (pattern,) for person_id, pattern in chosen.items()}
            patterns = replace(patterns, patterns=own)
        return self._run(_build(self.problem, is_elastic=False, patterns=patterns))

    def _proved(self, found: Solution, relaxed: _Relaxed | None) -> Solution:
        """Look for a roster that is better than the one found, among the patterns that one could have."""
        assert found.bound is not None
        objective = found.bound
        widest = objective / floor_above(self.problem, 1.0)
        patterns = patterns_within(self.problem, widest)
        if patterns is None and relaxed is not None:
            widest = min(widest, _WIDER * relaxed.patterns.most)
            patterns = patterns_within(self.problem, widest)
        if patterns is None:
            last = self._run(_build(self.problem, is_elastic=False))
        else:
            last = self._with_patterns(patterns)
        best = self._better(found, last)
        bounds = [objective if best.bound is None else best.bound, objective]
        if patterns is not None:
            bounds.append(floor_above(self.problem, widest))
        if last.stop is not Stop.INFEASIBLE:
            bounds.append(0.0 if last.bound is None else last.bound)
        bound = max(min(bounds), 0.0 if relaxed is None else min(relaxed.bound, bounds[0]))
        is_proved = bounds[0] - bound <= _SMALL * max(1.0, bounds[0])
        return Solution(Stop.OPTIMAL if is_proved else Stop.LIMIT, best.assignment, bound)


def explain(problem: RosterProblem, node_limit: int, time_limit: float) -> tuple[str, ...]:
    """Return why no roster is possible: the fewest shifts that must stay empty, and why for each person."""
    found = run(_build(problem, is_elastic=True), node_limit, time_limit)
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
        if run(_build(alone, is_elastic=True), node_limit, time_limit).assignment is None:
            sentences.append(f"the limits of {person.name} can't be met by the shifts that they may take")
    return tuple(sentences) or ("the fixed shifts and the pairings contradict each other",)


def _build(problem: RosterProblem, *, is_elastic: bool, patterns: PatternSet | None = None) -> Model:
    """Return the linear model. An elastic one may leave shifts empty at a price of 1, its only price."""
    model = Model()
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
        _add_fairness(model, problem, patterns)
    return model


def _add_cover(model: Model, problem: RosterProblem, *, is_elastic: bool) -> None:
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


def _add_rest(model: Model, problem: RosterProblem, person: RosterPerson) -> None:
    shifts = [shift for shift in problem.shifts if (person.id, shift.id) in model.has]
    for position, shift in enumerate(shifts):
        for later in shifts[position + 1 :]:
            if later.start >= shift.end + problem.min_rest_seconds:
                break
            if in_conflict(shift, later, problem.min_rest_seconds):
                pair = (model.has[person.id, shift.id], model.has[person.id, later.id])
                model.row([(column, 1.0) for column in pair], 0.0, 1.0)


def _add_limits(model: Model, problem: RosterProblem, person: RosterPerson) -> None:
    limits = person.limits
    held = [
        (shift, column)
        for shift in problem.shifts
        if (column := model.has.get((person.id, shift.id))) is not None
    ]
    if limits.max_minutes is not None or limits.min_minutes is not None:
        most = INFINITY if limits.max_minutes is None else limits.max_minutes
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


def _add_runs(model: Model, problem: RosterProblem, limits: Limits, held: list[tuple[int, int]]) -> None:
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
        model.row([(worked[day], 1.0), *((column, -1.0) for column in columns.get(day, ()))], -INFINITY, 0.0)
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
                model.row([*inside, *around], -INFINITY, upper)


def _add_pairing(model: Model, problem: RosterProblem, pairing: Pairing, *, is_elastic: bool) -> None:
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
            model.row([*plus, *opposite, *slack], -INFINITY, 0.0)
            model.row([*minus, *((column, -1.0) for column in first), *slack], -INFINITY, 0.0)
        else:
            model.row([*plus, *minus, *slack], -INFINITY, 1.0)


def _add_prices(model: Model, problem: RosterProblem) -> None:
    for request in problem.requests:
        column = model.has.get((request.person_id, request.shift_id))
        if request.wants:
            model.constant += request.price
        if column is not None:
            model.cost[column] += -request.price if request.wants else request.price
    for (person_id, shift_id), column in model.has.items():
        if person_id not in problem.present.get(shift_id, frozenset()):
            model.cost[column] += problem.change_price


def _add_fairness(model: Model, problem: RosterProblem, patterns: PatternSet | None) -> None:
    if problem.fairness is None:
        return
    if patterns is None:
        _add_deviations(model, problem, problem.fairness)
        return
    counts = {
        (person.id, load): [
            (column, 1.0) for shift in shifts if (column := model.has.get((person.id, shift.id))) is not None
        ]
        for person in problem.people
        for load, shifts in patterns.shifts_by_load.items()
    }
    add_patterns(model, problem, patterns, counts)


def _add_deviations(model: Model, problem: RosterProblem, fairness: Fairness) -> None:
    shares = problem.shares()
    largest = model.column(fairness.max_price, INFINITY, is_whole=False)
    for person in problem.people:
        above, below = (model.column(fairness.sum_price, INFINITY, is_whole=False) for _ in range(2))
        loads = [
            (column, shift.load)
            for shift in problem.shifts
            if (column := model.has.get((person.id, shift.id))) is not None
        ]
        rest = shares[person.id] - person.history
        model.row([*loads, (above, -1.0), (below, 1.0)], rest, rest)
        model.row([(above, 1.0), (below, 1.0), (largest, -1.0)], -INFINITY, 0.0)
