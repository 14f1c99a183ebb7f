"""Judge a roster: which constraints it breaks, at what price, and how fair it is. Pure, exact, plain Python.

The solver works on a linear model of the same rules; tests compare the two.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from calmo_pagerduty.scheduling.roster import (
    Assignment,
    Pairing,
    RosterPerson,
    RosterProblem,
    RosterShift,
    Unavailable,
    Violation,
)

_DIGITS = 6


def shifts_of_person(problem: RosterProblem, assignment: Assignment, person_id: str) -> list[RosterShift]:
    return [shift for shift in problem.shifts if person_id in assignment.get(shift.id, ())]


def deviations(problem: RosterProblem, assignment: Assignment) -> dict[str, float]:
    """Return history plus load minus share of each person, in hours."""
    shares = problem.shares()
    return {
        person.id: round(
            person.history
            + sum(shift.load for shift in shifts_of_person(problem, assignment, person.id))
            - shares[person.id],
            _DIGITS,
        )
        for person in problem.people
    }


def unfairness_of(problem: RosterProblem, deviation: Iterable[float]) -> float:
    """Return 10 · max |dev| + Σ |dev|, or 0 if the problem doesn't ask for fairness."""
    if problem.fairness is None:
        return 0.0
    sizes = [abs(value) for value in deviation]
    fairness = problem.fairness
    return round(fairness.max_price * max(sizes, default=0.0) + fairness.sum_price * sum(sizes), _DIGITS)


def objective_of(problem: RosterProblem, assignment: Assignment) -> float | None:
    """Return fairness plus the price of all soft violations and changes; None if a hard rule is broken."""
    violations = list(violations_of(problem, assignment))
    if any(violation.price is None for violation in violations):
        return None
    priced = sum(violation.price or 0.0 for violation in violations)
    unfair = unfairness_of(problem, deviations(problem, assignment).values())
    changed = problem.change_price * changes_of(problem, assignment)
    return round(priced + unfair + changed, _DIGITS)


def changes_of(problem: RosterProblem, assignment: Assignment) -> int:
    """Return how many people have a shift that isn't theirs at present."""
    return sum(
        len(assignment.get(shift.id, frozenset()) - problem.present.get(shift.id, frozenset()))
        for shift in problem.shifts
    )


def violations_of(problem: RosterProblem, assignment: Assignment) -> Iterator[Violation]:
    """Yield every broken constraint, hard ones without a price."""
    for shift in problem.shifts:
        yield from _cover(shift, len(assignment.get(shift.id, ())))
    for person in problem.people:
        yield from person_violations(problem, person, shifts_of_person(problem, assignment, person.id))
    for request in problem.requests:
        if (request.person_id in assignment.get(request.shift_id, ())) != request.wants:
            names = _names(problem)
            wish = "wants" if request.wants else "does not want"
            text = f"{names[request.person_id]} {wish} {names[request.shift_id]}"
            yield Violation("request", text, request.price, request.person_id, request.shift_id)
    for pairing in problem.pairings:
        yield from _paired(problem, assignment, pairing)
    for person_id, shift_id in sorted(problem.fixed):
        if person_id not in assignment.get(shift_id, ()):
            names = _names(problem)
            yield Violation(
                "fixed", f"{names[shift_id]} is fixed for {names[person_id]}", None, person_id, shift_id
            )


def person_violations(
    problem: RosterProblem, person: RosterPerson, shifts: Sequence[RosterShift]
) -> Iterator[Violation]:
    """Yield the hard limits that one person's shifts break. The shifts are in order of start."""
    for shift in shifts:
        why = why_not(person, shift)
        if why is not None:
            yield Violation(
                "availability", f"{person.name} is {why} on {shift.name}", None, person.id, shift.id
            )
    for position, shift in enumerate(shifts):
        for later in shifts[position + 1 :]:
            if in_conflict(shift, later, problem.min_rest_seconds):
                text = f"{person.name} has too little rest between {shift.name} and {later.name}"
                yield Violation("rest", text, None, person.id, later.id)
    for rule, text in _broken_limits(problem, person, shifts):
        yield Violation(rule, f"{person.name} {text}", None, person.id)


def why_not(person: RosterPerson, shift: RosterShift) -> Unavailable | None:
    """Return why the person can never take the shift."""
    if shift.id in person.unavailable:
        return person.unavailable[shift.id]
    return None if shift.skills <= person.skills else Unavailable.SKILL


def in_conflict(first: RosterShift, second: RosterShift, min_rest_seconds: int) -> bool:
    """Tell whether nobody can have both: they overlap, or too little rest lies between."""
    earlier, later = (first, second) if first.start <= second.start else (second, first)
    if later.start >= earlier.end + min_rest_seconds:
        return False
    return any(
        left.start < right.end + min_rest_seconds and right.start < left.end + min_rest_seconds
        for left in earlier.spans
        for right in later.spans
    )


def _cover(shift: RosterShift, people: int) -> Iterator[Violation]:
    missing, price = (
        (shift.need - people, shift.under_price)
        if people < shift.need
        else (people - shift.need, shift.over_price)
    )
    if missing:
        text = f"{shift.name} has {people} of {shift.need} people"
        total = None if price is None else price * missing
        yield Violation("under" if people < shift.need else "over", text, total, None, shift.id)


def _broken_limits(
    problem: RosterProblem, person: RosterPerson, shifts: Sequence[RosterShift]
) -> Iterator[tuple[str, str]]:
    limits, minutes = person.limits, sum(shift.minutes for shift in shifts)
    if limits.max_minutes is not None and minutes > limits.max_minutes:
        yield "max_minutes", f"has {minutes} minutes, {limits.max_minutes} at most are allowed"
    if limits.min_minutes is not None and minutes < limits.min_minutes:
        yield "min_minutes", f"has {minutes} minutes, {limits.min_minutes} at least are needed"
    for kind, most in sorted(limits.max_shifts.items()):
        count = sum(shift.kind == kind for shift in shifts)
        if count > most:
            yield "max_shifts", f"has {count} shifts of {kind}, {most} at most are allowed"
    weekends = len({shift.weekend for shift in shifts if shift.weekend is not None})
    if limits.max_weekends is not None and weekends > limits.max_weekends:
        yield "max_weekends", f"has {weekends} weekends, {limits.max_weekends} at most are allowed"
    yield from _broken_runs(problem, person, {shift.day for shift in shifts})


def _broken_runs(problem: RosterProblem, person: RosterPerson, worked: set[int]) -> Iterator[tuple[str, str]]:
    limits = person.limits
    first, last = day_range(problem)
    for is_on, run in groupby(range(first, last + 1), key=lambda day: day in worked):
        days = list(run)
        at_border = days[0] == first or days[-1] == last
        length = len(days)
        if is_on and limits.max_consecutive_days is not None and length > limits.max_consecutive_days:
            yield "max_consecutive", f"works {length} days in a row, {limits.max_consecutive_days} at most"
        if at_border:
            continue
        if is_on and limits.min_consecutive_days is not None and length < limits.min_consecutive_days:
            yield (
                "min_consecutive",
                f"works only {length} days in a row, {limits.min_consecutive_days} at least",
            )
        if not is_on and limits.min_days_off is not None and length < limits.min_days_off:
            yield "min_days_off", f"has only {length} days off in a row, {limits.min_days_off} at least"


def day_range(problem: RosterProblem) -> tuple[int, int]:
    days = [shift.day for shift in problem.shifts]
    return min(days, default=0), max(days, default=-1)


def times_of(problem: RosterProblem) -> dict[int, list[RosterShift]]:
    """Return the shifts by their start: who has one of them works at that time."""
    times: dict[int, list[RosterShift]] = {}
    for shift in problem.shifts:
        times.setdefault(shift.start, []).append(shift)
    return times


def _paired(problem: RosterProblem, assignment: Assignment, pairing: Pairing) -> Iterator[Violation]:
    names = _names(problem)
    for shifts in times_of(problem).values():
        first, second = (
            any(person_id in assignment.get(shift.id, ()) for shift in shifts)
            for person_id in (pairing.first_id, pairing.second_id)
        )
        broken = first != second if pairing.is_together else first and second
        if broken:
            both = f"{names[pairing.first_id]} and {names[pairing.second_id]}"
            text = f"{both} {'should' if pairing.is_together else 'should not'} share {shifts[0].name}"
            yield Violation("pairing", text, pairing.price, None, shifts[0].id)


def _names(problem: RosterProblem) -> dict[str, str]:
    people = {person.id: person.name for person in problem.people}
    return people | {shift.id: shift.name for shift in problem.shifts}
