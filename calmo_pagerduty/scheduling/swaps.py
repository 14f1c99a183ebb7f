"""The exact best one and two moves of a roster: swaps and handovers, by trying all of them. Pure.

A swap exchanges the people of two shifts; a handover gives a shift to somebody else. Two moves may share a
shift. Every candidate is ranked by fairness, changes and wishes, which add up; in this order each is judged
exactly, until no later one can be better.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from calmo_pagerduty.scheduling.roster import RosterProblem
from calmo_pagerduty.scheduling.roster_rules import (
    changes_of,
    deviations,
    objective_of,
    unfairness_of,
    why_not,
)

#: Candidates whose hard rules are checked one by one, at most.
MAX_JUDGED = 4_000
#: Single moves up to which all pairs of them are tried.
MAX_PAIRED = 5_000
_BETTER_BY = 1e-6


class Move(NamedTuple):
    """A shift changes hands. Two moves of one swap stand next to each other."""

    shift_id: str
    from_id: str
    to_id: str


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """The best roster that at most `steps` swaps or handovers reach. `is_exact`: all were tried."""

    steps: int
    moves: tuple[Move, ...]
    owners: Mapping[str, str]
    objective: float
    unfairness: float
    is_exact: bool


class _Change(NamedTuple):
    """New owners by number of shift: {shift: person}."""

    owners: tuple[tuple[int, int], ...]


def best_swaps(problem: RosterProblem, max_steps: int = 2) -> tuple[SwapPlan, ...]:
    """Return the best plan for 0, 1 and 2 steps; a plan is never worse than one with fewer steps.

    Every shift must have exactly one person at present. Shifts with another need are left alone.
    """
    search = _Search(problem)
    plans = [search.plan(0)]
    if max_steps >= 1:
        search.try_singles()
        plans.append(search.plan(1))
    if max_steps >= 2:
        search.try_pairs()
        plans.append(search.plan(2))
    return tuple(plans)


class _Search:
    """The best roster so far, and how its candidates are ranked."""

    def __init__(self, problem: RosterProblem) -> None:
        import numpy as np  # noqa: PLC0415 (a command starts without it)

        self._np: Any = np
        self._problem = problem
        self._people = [person.id for person in problem.people]
        number = {person_id: index for index, person_id in enumerate(self._people)}
        self._shifts = [
            shift
            for shift in problem.shifts
            if shift.need == 1 and len(problem.present.get(shift.id, ())) == 1
        ]
        self._owner = [number[next(iter(problem.present[shift.id]))] for shift in self._shifts]
        deviation = deviations(problem, problem.present)
        self._deviation = np.array([deviation[person_id] for person_id in self._people])
        self._may = self._allowed()
        self._wishes = self._wish_prices()
        objective = objective_of(problem, problem.present)
        #: A present that breaks a hard rule is worse than any roster that breaks none.
        self._best = float("inf") if objective is None else objective
        self._best_change = _Change(())
        self._judged = 0
        self.is_exact = True

    def plan(self, steps: int) -> SwapPlan:
        owners = self._owners_after(self._best_change)
        roster = {shift_id: frozenset({person_id}) for shift_id, person_id in owners.items()}
        whole = {**self._problem.present, **roster}
        moves = tuple(
            Move(self._shifts[shift].id, self._people[self._owner[shift]], self._people[person])
            for shift, person in self._best_change.owners
        )
        unfair = unfairness_of(self._problem, deviations(self._problem, whole).values())
        return SwapPlan(steps, moves, owners, self._best, unfair, self.is_exact)

    def try_singles(self) -> None:
        changes = list(self._singles())
        deltas = self._deltas(changes)
        self._judge_all(changes, self._rank(deltas, changes))

    def try_pairs(self) -> None:
        np, singles = self._np, list(self._singles())
        self._judge_in_chunks(self._chains())
        if len(singles) > MAX_PAIRED:
            self.is_exact = False
            return
        deltas = self._deltas(singles)
        extra = np.array([self._extra(change) for change in singles])
        concerned = [frozenset(shift for shift, _ in change.owners) for change in singles]
        for first, change in enumerate(singles):
            if self._has_judged_enough:
                return
            ranks = self._ranks_of(deltas[first] + deltas[first + 1 :], extra[first] + extra[first + 1 :])
            promising = np.flatnonzero(ranks < self._best - _BETTER_BY)
            for index in promising[np.argsort(ranks[promising], kind="stable")]:
                second = first + 1 + int(index)
                if ranks[index] >= self._best - _BETTER_BY or self._has_judged_enough:
                    break
                if not concerned[first] & concerned[second]:
                    self._judge(_Change(tuple(sorted((*change.owners, *singles[second].owners)))))

    def _allowed(self) -> list[list[bool]]:
        fixed = {shift_id: person_id for person_id, shift_id in sorted(self._problem.fixed)}
        return [
            [
                why_not(person, shift) is None and fixed.get(shift.id, person.id) == person.id
                for person in self._problem.people
            ]
            for shift in self._shifts
        ]

    def _wish_prices(self) -> dict[tuple[int, int], float]:
        """Return what each person with each shift costs, by the requests alone."""
        people = {person_id: index for index, person_id in enumerate(self._people)}
        shifts = {shift.id: index for index, shift in enumerate(self._shifts)}
        prices: dict[tuple[int, int], float] = {}
        for request in self._problem.requests:
            if request.shift_id in shifts and request.person_id in people:
                key = shifts[request.shift_id], people[request.person_id]
                prices[key] = prices.get(key, 0.0) + (-request.price if request.wants else request.price)
        return prices

    def _singles(self) -> Iterator[_Change]:
        """Yield all swaps of two shifts, then all handovers."""
        owner, may = self._owner, self._may
        for first in range(len(owner)):
            for second in range(first + 1, len(owner)):
                if owner[first] != owner[second] and may[first][owner[second]] and may[second][owner[first]]:
                    yield _Change(((first, owner[second]), (second, owner[first])))
        for shift in range(len(owner)):
            for person in range(len(self._people)):
                if person != owner[shift] and may[shift][person]:
                    yield _Change(((shift, person),))

    def _chains(self) -> Iterator[list[_Change]]:
        """Yield pairs of moves that share a shift: a takes b's shift, b takes c's, and c a's or nothing."""
        owner, may, people = self._owner, self._may, range(len(self._people))
        for first in range(len(owner)):
            changes = []
            for second in range(len(owner)):
                if owner[first] == owner[second] or not may[first][owner[second]]:
                    continue
                for person in people:
                    if person not in (owner[first], owner[second]) and may[second][person]:
                        changes.append(_Change(((first, owner[second]), (second, person))))
                for third in range(first + 1, len(owner)):
                    distinct = len({owner[first], owner[second], owner[third]}) == 3
                    if distinct and second > first and may[second][owner[third]] and may[third][owner[first]]:
                        changes.append(
                            _Change(((first, owner[second]), (second, owner[third]), (third, owner[first])))
                        )
            yield changes

    def _judge_in_chunks(self, chunks: Iterator[list[_Change]]) -> None:
        for changes in chunks:
            if self._has_judged_enough:
                return
            if changes:
                self._judge_all(changes, self._rank(self._deltas(changes), changes))

    def _deltas(self, changes: list[_Change]) -> Any:
        deltas = self._np.zeros((len(changes), len(self._people)))
        for row, change in enumerate(changes):
            for shift, person in change.owners:
                deltas[row, person] += self._shifts[shift].load
                deltas[row, self._owner[shift]] -= self._shifts[shift].load
        return deltas

    def _extra(self, change: _Change) -> float:
        """Return what wishes and changes add to the present price."""
        wishes = sum(
            self._wishes.get((shift, person), 0.0) - self._wishes.get((shift, self._owner[shift]), 0.0)
            for shift, person in change.owners
        )
        return wishes + self._problem.change_price * len(change.owners)

    def _rank(self, deltas: Any, changes: list[_Change]) -> Any:
        return self._ranks_of(deltas, self._np.array([self._extra(change) for change in changes]))

    def _ranks_of(self, deltas: Any, extra: Any) -> Any:
        """Return a value that no candidate's objective falls below: soft pairings can only add to it."""
        fairness = self._problem.fairness
        base = extra + self._base
        if fairness is None or not len(deltas):
            return base
        sizes = self._np.abs(self._deviation + deltas)
        return base + fairness.max_price * sizes.max(axis=1) + fairness.sum_price * sizes.sum(axis=1)

    @property
    def _base(self) -> float:
        """The price of wishes and changes at present."""
        problem = self._problem
        broken = sum(
            request.price
            for request in problem.requests
            if (request.person_id in problem.present.get(request.shift_id, ())) != request.wants
        )
        return broken + problem.change_price * changes_of(problem, problem.present)

    def _judge_all(self, changes: list[_Change], ranks: Any) -> None:
        np = self._np
        promising = np.flatnonzero(ranks < self._best - _BETTER_BY)
        for index in promising[np.argsort(ranks[promising], kind="stable")]:
            if ranks[index] >= self._best - _BETTER_BY or self._has_judged_enough:
                return
            self._judge(changes[int(index)])

    @property
    def _has_judged_enough(self) -> bool:
        """True once no more are judged: if the present breaks a hard rule, no candidate is ruled out."""
        if self._judged >= MAX_JUDGED:
            self.is_exact = False
        return self._judged >= MAX_JUDGED

    def _judge(self, change: _Change) -> None:
        self._judged += 1
        owners = self._owners_after(change)
        roster = {shift_id: frozenset({person_id}) for shift_id, person_id in owners.items()}
        objective = objective_of(self._problem, {**self._problem.present, **roster})
        if objective is not None and objective < self._best - _BETTER_BY:
            self._best, self._best_change = objective, change

    def _owners_after(self, change: _Change) -> dict[str, str]:
        owners = {
            shift.id: self._people[owner] for shift, owner in zip(self._shifts, self._owner, strict=True)
        }
        return owners | {self._shifts[shift].id: self._people[person] for shift, person in change.owners}
