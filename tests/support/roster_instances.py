"""Rostering problems with known optima: the public benchmark's text format, and small ones made by hand."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from calmo_pagerduty.scheduling.roster import (
    Assignment,
    Fairness,
    Limits,
    Request,
    RosterPerson,
    RosterProblem,
    RosterShift,
    Unavailable,
)
from tests.support.chance import repeatable

DAY = 86_400


def read_instance(path: Path) -> RosterProblem:
    """Return a problem of schedulingbenchmarks.org with a single shift type: days begin on a Monday."""
    sections = _sections(path.read_text())
    minutes = {row[0]: int(row[1]) for row in sections["SHIFTS"]}
    off = {row[0]: {int(day) for day in row[1:]} for row in sections["DAYS_OFF"]}
    shifts = tuple(
        RosterShift(
            f"{row[0]}:{row[1]}",
            f"day {row[0]} shift {row[1]}",
            int(row[0]) * DAY,
            int(row[0]) * DAY + minutes[row[1]] * 60,
            int(row[0]),
            minutes[row[1]] / 60,
            row[1],
            int(row[0]) // 7 if int(row[0]) % 7 >= 5 else None,
            int(row[2]),
            float(row[3]),
            float(row[4]),
        )
        for row in sections["COVER"]
    )
    people = []
    for person_id, most, *rest in sections["STAFF"]:
        kind, _, count = most.partition("=")
        maximum, minimum, longest, shortest, days_off, weekends = (int(value) for value in rest)
        limits = Limits(maximum, minimum, {kind: int(count)}, longest, shortest, days_off, weekends)
        unavailable = {shift.id: Unavailable.LEAVE for shift in shifts if shift.day in off.get(person_id, ())}
        people.append(RosterPerson(person_id, person_id, unavailable, limits))
    requests = [
        Request(row[0], f"{row[1]}:{row[2]}", name == "SHIFT_ON_REQUESTS", float(row[3]))
        for name in ("SHIFT_ON_REQUESTS", "SHIFT_OFF_REQUESTS")
        for row in sections[name]
    ]
    return RosterProblem(shifts, tuple(people), requests=tuple(requests))


def _sections(text: str) -> dict[str, list[list[str]]]:
    sections: dict[str, list[list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("SECTION_"):
            name = line.removeprefix("SECTION_")
            sections[name] = []
        elif line.strip() and not line.startswith("#"):
            sections[name].append([part.strip() for part in line.split(",") if part.strip()])
    return sections


def daily_shifts(days: int, loads: list[float] | None = None, need: int = 1) -> tuple[RosterShift, ...]:
    return tuple(
        RosterShift(
            f"S{day:02}",
            f"day {day}",
            day * DAY,
            (day + 1) * DAY,
            day,
            loads[day] if loads else 24.0,
            need=need,
            weekend=day // 7 if day % 7 >= 5 else None,
        )
        for day in range(days)
    )


def random_problem(seed: int) -> RosterProblem:
    """Return three people and seven shifts with random loads, leave, wishes and a random present."""
    rng = repeatable(seed)
    shifts = daily_shifts(7, [float(rng.choice((8, 12, 24, 36))) for _ in range(7)])
    people = tuple(
        RosterPerson(
            name,
            name,
            {shift.id: Unavailable.LEAVE for shift in shifts if rng.random() < 0.1},
            Limits(max_consecutive_days=rng.choice((None, 3))),
            float(rng.randint(-10, 10)),
        )
        for name in ("Ann", "Ben", "Cat")
    )
    requests = tuple(
        Request(rng.choice(people).id, rng.choice(shifts).id, rng.random() < 0.5, float(rng.randint(1, 5)))
        for _ in range(3)
    )
    present = {shift.id: frozenset({rng.choice(people).id}) for shift in shifts}
    return RosterProblem(
        shifts, people, rng.choice((0, DAY)), frozenset(), requests, (), Fairness(), present, 0.5
    )


def daily_rota(people_count: int, days: int, seed: int) -> RosterProblem:
    """Return a daily rota with loads by band, debts, leave, wishes and eleven hours of rest.

    A quarter of the shifts went to somebody else than whose turn it was.
    """
    rng = repeatable(seed)
    loads = [36.0, 36.0, 36.0, 36.0, 36.5, 41.0, 40.5]
    shifts = daily_shifts(days, [loads[day % 7] for day in range(days)])
    ids = [f"U{index}" for index in range(people_count)]
    people = []
    for user_id in ids:
        first = rng.randrange(2 * days)
        leave = {shift.id: Unavailable.LEAVE for shift in shifts if first <= shift.day < first + 7}
        people.append(RosterPerson(user_id, user_id, leave, history=round(rng.uniform(200, 400), 1)))
    present = {
        shift.id: frozenset({ids[shift.day % people_count] if rng.random() < 0.75 else rng.choice(ids)})
        for shift in shifts
    }
    wishes = tuple(Request(rng.choice(ids), rng.choice(shifts).id, False, 5.0) for _ in range(4))
    return RosterProblem(shifts, tuple(people), 11 * 3600, frozenset(), wishes, (), Fairness(), present, 0.5)


def every_assignment(problem: RosterProblem) -> Iterator[Assignment]:
    """Yield each way to give every shift to one person."""
    ids = [person.id for person in problem.people]
    for chosen in itertools.product(ids, repeat=len(problem.shifts)):
        yield {shift.id: frozenset({owner}) for shift, owner in zip(problem.shifts, chosen, strict=True)}
