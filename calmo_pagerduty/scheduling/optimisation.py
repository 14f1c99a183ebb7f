"""Optimise a schedule: the exact best one and two moves first, then the optimum, each with its draft. Pure.

A schedule of a dozen turns takes a second, one of a hundred shifts a few: run it in a thread.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.scheduling.drafts import draft_digest, draft_of
from calmo_pagerduty.scheduling.on_call_roster import OnCallRoster, OptimiseRequest, on_call_roster
from calmo_pagerduty.scheduling.roster import Assignment, Roster, Stop
from calmo_pagerduty.scheduling.roster_rules import (
    changes_of,
    deviations,
    shifts_of_person,
    unfairness_of,
    violations_of,
)
from calmo_pagerduty.scheduling.roster_solver import solve
from calmo_pagerduty.scheduling.swaps import SwapPlan, best_swaps
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.report import MaySee

VERSION = 1
NODE_LIMIT = 1_000
_SMALL = 1e-6

DEFINITIONS = {
    "load": "hours of shifts that begin in the window, weighted by band of the schedule's local time",
    "history": "weighted hours of the rendered past; who has none is taken for new, at the others' mean",
    "deviation": "history plus load, minus an equal share of both",
    "unfairness": "10 * the largest deviation + the sum of all, in weighted hours, whatever their sign",
    "objective": "unfairness, plus the price of broken wishes and of each shift that changes hands",
    "share_of_possible": "what a plan gains of the gain of the best roster found",
    "gap": "how far the best roster found may be from the optimum, relative to its objective",
}


@dataclass(frozen=True, slots=True)
class Optimisation:
    """The present, the best with one and two moves, and the best roster that the solver found."""

    roster: OnCallRoster
    plans: tuple[SwapPlan, ...]
    best: Roster

    @property
    def best_objective(self) -> float:
        """The smallest objective of all that was found: a cut-off solver may be worse than two moves."""
        found = [plan.objective for plan in self.plans]
        return min(found if self.best.objective is None else [*found, self.best.objective])

    def share_of_possible(self, objective: float) -> float | None:
        """Return the share of the possible gain, 0 to 1; None if it is unknown or nothing can be gained."""
        present = self.plans[0].objective
        possible = present - self.best_objective
        if not math.isfinite(present) or possible <= _SMALL:
            return None
        return round(max(0.0, present - objective) / possible, 4)


def optimise(
    snapshot: AccountSnapshot, request: OptimiseRequest, now: int, node_limit: int = NODE_LIMIT
) -> Optimisation:
    """Return the best rosters for a schedule's coming shifts. Raises ScenarioInvalid."""
    roster = on_call_roster(snapshot, request, now)
    plans = best_swaps(roster.problem)
    moved = {shift_id: frozenset({user_id}) for shift_id, user_id in plans[-1].owners.items()}
    known = {**roster.problem.present, **moved}
    return Optimisation(roster, plans, solve(roster.problem, node_limit, known=known))


def optimisation_document(
    snapshot: AccountSnapshot, request: OptimiseRequest, now: int, may_see: MaySee
) -> JsonObject:
    """Return the optimisation as JSON: the same bytes for the same snapshot, request and `now`."""
    return document_of(optimise(snapshot, request, now), snapshot, request, now, may_see)


def document_of(
    found: Optimisation, snapshot: AccountSnapshot, request: OptimiseRequest, now: int, may_see: MaySee
) -> JsonObject:
    """Return the optimisation as JSON. Loads of persons whom the reader may not see are left out."""
    roster, problem = found.roster, found.roster.problem
    return {
        "analysis": "optimise",
        "version": VERSION,
        "connection_id": snapshot.connection_id,
        "snapshot_id": snapshot.id,
        "now": _iso(now),
        "since": _iso(roster.window.start),
        "until": _iso(roster.window.end),
        "schedule": {"id": roster.schedule.id, "name": sanitize_text(roster.schedule.name, 120)},
        "time_zone": roster.schedule.time_zone,
        "request": request.model_dump(mode="json"),
        "shifts": len(problem.shifts),
        "present": _plan(found, found.plans[0].owners, None),
        "swaps": [
            {**_plan(found, plan.owners, plan.objective), "steps": plan.steps, "is_exact": plan.is_exact}
            for plan in found.plans[1:]
        ],
        "best": _best(found),
        "people": _people(found, may_see),
        "people_hidden": sum(not may_see(person.id) for person in problem.people),
        "notes": list(roster.notes),
        "definitions": DEFINITIONS,
    }


def deviation_rows(found: Optimisation, owners: Mapping[str, str], may_see: MaySee) -> list[PairRow]:
    """Return each visible person's load with history before and after, the most loaded first, for plots."""
    problem = found.roster.problem
    shares = problem.shares()
    before = deviations(problem, problem.present)
    after = deviations(problem, _assignment(found, owners))
    rows = [
        PairRow(
            sanitize_text(person.name, 60),
            round(before[person.id] + shares[person.id], 1),
            round(after[person.id] + shares[person.id], 1),
            round(shares[person.id], 1),
        )
        for person in problem.people
        if may_see(person.id)
    ]
    return sorted(rows, key=lambda row: (-(row.before or 0.0), row.name))


def best_owners(found: Optimisation) -> dict[str, str]:
    """Return who has which shift in the best roster found: the solver's, or that of two moves."""
    last = found.plans[-1]
    if found.best.objective is None or found.best.objective > last.objective + _SMALL:
        return dict(last.owners)
    return {shift_id: next(iter(people)) for shift_id, people in found.best.assignment.items()}


def _assignment(found: Optimisation, owners: Mapping[str, str]) -> Assignment:
    changed = {shift_id: frozenset({user_id}) for shift_id, user_id in owners.items()}
    return {**found.roster.problem.present, **changed}


def _plan(found: Optimisation, owners: Mapping[str, str], objective: float | None) -> JsonObject:
    problem = found.roster.problem
    assignment = _assignment(found, owners)
    value = found.plans[0].objective if objective is None else objective
    draft = draft_of(found.roster, owners)
    return {
        "objective": value if math.isfinite(value) else None,
        "unfairness": unfairness_of(problem, deviations(problem, assignment).values()),
        "share_of_possible": None if objective is None else found.share_of_possible(value),
        "shifts_changed": changes_of(problem, assignment),
        "moves": _moves(found, owners),
        "violations": [
            {"rule": violation.rule, "text": sanitize_text(violation.text, 300), "price": violation.price}
            for violation in violations_of(problem, assignment)
        ],
        "draft": draft,
        "draft_sha256": None if draft is None else draft_digest(draft),
    }


def _best(found: Optimisation) -> JsonObject:
    best = found.best
    if best.stop is Stop.INFEASIBLE:
        sentences = [sanitize_text(sentence, 1000) for sentence in best.explanation]
        return {"stop": best.stop, "explanation": sentences}
    return {
        **_plan(found, best_owners(found), found.best_objective),
        "stop": best.stop,
        "bound": best.bound,
        "gap": None if best.gap is None else round(best.gap, 4),
        "explanation": list(best.explanation),
    }


def _moves(found: Optimisation, owners: Mapping[str, str]) -> list[JsonObject]:
    problem = found.roster.problem
    names = {person.id: sanitize_text(person.name, 120) for person in problem.people}
    moves = []
    for shift in problem.shifts:
        present, user_id = next(iter(problem.present[shift.id])), owners.get(shift.id)
        if user_id is not None and user_id != present:
            moves.append(
                {
                    "shift": shift.name,
                    "start": _iso(shift.start),
                    "end": _iso(shift.end),
                    "from": names[present],
                    "to": names[user_id],
                }
            )
    return moves


def _people(found: Optimisation, may_see: MaySee) -> list[JsonObject]:
    problem = found.roster.problem
    shares = problem.shares()
    sides = {"present": problem.present, "best": _assignment(found, best_owners(found))}
    for plan in found.plans[1:]:
        sides[f"after_{plan.steps}"] = _assignment(found, plan.owners)
    rows = []
    for person in problem.people:
        if not may_see(person.id):
            continue
        loads = {
            name: round(sum(shift.load for shift in shifts_of_person(problem, side, person.id)), 2)
            for name, side in sides.items()
        }
        name = sanitize_text(person.name, 120)
        share = round(shares[person.id], 2)
        rows.append({"id": person.id, "name": name, "history": person.history, "share": share, "load": loads})
    return rows


def _iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))
