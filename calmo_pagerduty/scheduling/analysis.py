"""The analysis of schedules: where one to three moves make coming shifts fairer. Pure.

It speaks of schedules only that are uneven by design: somebody has over 1.25 times the share, and a shift or
more above it. And only if the best moves beat the obvious one: the most loaded person gives the next shift to
the least loaded, or they swap. The same advice must have beaten it in the past of the account
(`back_test.py`), as far as that is known.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from calmo_pagerduty.findings.model import (
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.scheduling.back_test import Adviser, BackTest, Choice, back_test
from calmo_pagerduty.scheduling.drafts import draft_digest, draft_of
from calmo_pagerduty.scheduling.on_call_roster import OptimiseRequest, on_call_roster
from calmo_pagerduty.scheduling.optimisation import Optimisation, best_owners, optimise
from calmo_pagerduty.scheduling.roster import RosterProblem
from calmo_pagerduty.scheduling.roster_rules import deviations, objective_of
from calmo_pagerduty.scheduling.scenarios import ScenarioInvalid
from calmo_pagerduty.scheduling.swaps import best_swaps
from calmo_pagerduty.snapshots.model import AccountSnapshot, Schedule
from calmo_pagerduty.workload.analysis import inputs_of

ANALYSIS = "scheduling"
VERSION = 2
DAYS = 56
#: Over the share by this much is uneven, as in `calmo_pagerduty/workload/pools.py`.
MAX_SHARE_RATIO = 1.25
#: Schedules that are optimised in one analysis; the most uneven first.
MAX_SCHEDULES = 3
#: A plan is shown if it gains so much of the present unfairness.
MIN_GAIN = 0.2
BEST = "best"
NODE_LIMIT = 50
_DAY = 86_400


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return swaps that make schedules fairer over the next eight weeks, as findings."""
    uneven = sorted(_uneven(snapshot, now), key=lambda pair: (-pair[0], pair[1].id))
    findings: list[Finding] = []
    rows: list[JsonObject] = []
    for _, schedule in uneven[:MAX_SCHEDULES]:
        found = optimise(snapshot, _request(schedule), now, NODE_LIMIT)
        plan = _advised(found)
        tested = (
            None if plan is None else back_test(snapshot, schedule, now, _adviser(schedule.id, plan.name))
        )
        rows.append(_row(found, tested))
        if plan is not None and tested is not None and tested.may_be_shown:
            findings.append(_finding(found, plan, tested))
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=Span(now, now + DAYS * _DAY),
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=inputs_of(snapshot),
        metrics={
            "schedules": len(snapshot.schedules),
            "uneven": len(uneven),
            "optimised": sorted(rows, key=lambda row: str(row["schedule_id"])),
        },
        findings=tuple(sorted(findings, key=lambda finding: finding.key)),
    )


def _request(schedule: Schedule, days: int = DAYS) -> OptimiseRequest:
    # By hours alone: weights of nights are opinions that a finding must not depend on.
    return OptimiseRequest(
        schedule=schedule.id,
        days=days,
        business_weight=1.0,
        off_weight=1.0,
        sleep_weight=1.0,
        min_rest_hours=0,
    )


def _uneven(snapshot: AccountSnapshot, now: int) -> Iterator[tuple[float, Schedule]]:
    """Yield schedules with somebody far above the share, and by how many hours."""
    for schedule in snapshot.schedules:
        try:
            problem = on_call_roster(snapshot, _request(schedule), now).problem
        except ScenarioInvalid:
            continue
        above = _most_above(problem)
        if above is not None:
            yield above, schedule


def _most_above(problem: RosterProblem) -> float | None:
    """Return how far the most loaded person is above the share; None if that is no more than a turn."""
    if len(problem.people) < 2:
        return None
    deviation, shares = deviations(problem, problem.present), problem.shares()
    longest = max(shift.load for shift in problem.shifts)
    above = [
        value
        for user_id, value in deviation.items()
        if value > (MAX_SHARE_RATIO - 1) * shares[user_id] and value >= longest
    ]
    return max(above, default=None)


class _Plan(NamedTuple):
    """What is advised: who has which shift, and how it is said."""

    name: str
    text: str
    owners: Mapping[str, str]
    objective: float
    is_exact: bool


def _advised(found: Optimisation) -> _Plan | None:
    """Return the plan of fewest changes that gains enough and beats the obvious moves; None without."""
    problem, present = found.roster.problem, found.plans[0]
    if not math.isfinite(present.objective):
        return None
    plans = [
        _Plan(
            str(plan.steps),
            "One move" if plan.steps == 1 else f"{plan.steps} moves",
            plan.owners,
            plan.objective,
            plan.is_exact,
        )
        for plan in found.plans[1:]
        if plan.moves
    ]
    owners = best_owners(found)
    count = len(_changed(problem, owners))
    plans.append(
        _Plan(BEST, f"{count} shifts in other hands", owners, found.best_objective, found.best.gap == 0.0)
    )
    obvious, _ = _obvious(problem)
    for plan in plans:
        gain = (present.objective - plan.objective) / max(present.objective, 1e-9)
        if gain >= MIN_GAIN and plan.objective < obvious - 1e-6:
            return plan
    return None


def _adviser(schedule_id: str, name: str) -> Adviser:
    """Return who gives this advice (one move, two, or the best roster) to a schedule, by today's rules."""

    def advise(snapshot: AccountSnapshot, now: int, days: int) -> Choice | None:
        schedule = next(found for found in snapshot.schedules if found.id == schedule_id)
        request = _request(schedule, days)
        roster = on_call_roster(snapshot, request, now)
        if _most_above(roster.problem) is None:
            return None
        chosen = [plan.owners for plan in best_swaps(roster.problem)[1:] if str(plan.steps) == name]
        # The best roster takes seconds to find: only where it is the advice.
        owners = chosen[0] if chosen else best_owners(optimise(snapshot, request, now, NODE_LIMIT))
        _, obvious = _obvious(roster.problem)
        return Choice(roster, owners, obvious) if _changed(roster.problem, owners) else None

    return advise


def _finding(found: Optimisation, plan: _Plan, tested: BackTest) -> Finding:
    problem, present = found.roster.problem, found.plans[0]
    changes = len(_changed(problem, plan.owners))
    share, two = (found.share_of_possible(value) for value in (plan.objective, found.plans[-1].objective))
    schedule, draft = found.roster.schedule, draft_of(found.roster, plan.owners)
    gain = (present.objective - plan.objective) / present.objective
    obvious, _ = _obvious(problem)
    return Finding(
        code="fairer_swaps",
        key=f"fairer_swaps:{schedule.id}",
        severity=FindingSeverity.LOW,
        confidence=Confidence.HIGH if plan.is_exact else Confidence.MEDIUM,
        title=f"{plan.text} would make {schedule.name} fairer: {_percent(share)} of what is possible",
        entities=(Entity("schedule", schedule.id, schedule.name, schedule.html_url),),
        evidence=(
            Evidence(
                f"Over {DAYS} days, the largest deviation from an equal share falls from"
                f" {_largest(found, present.owners)} h to {_largest(found, plan.owners)} h;"
                f" the best two moves reach {_percent(two)} of what is possible.",
                {
                    "objective_before": present.objective,
                    "objective": plan.objective,
                    "obvious_objective": obvious if math.isfinite(obvious) else None,
                    "share_of_possible": share,
                    "shifts_changed": changes,
                    "draft_sha256": None if draft is None else draft_digest(draft),
                },
            ),
            Evidence(tested.sentence(), tested.as_json()),
        ),
        recommendation=f"Compute the draft with `what-if optimise {schedule.id}`; apply it by an approval.",
        expected_effect=f"Unfairness falls by {round(100 * gain)} %; {changes} shifts change hands.",
        how_to_verify="Run what-if optimise again: the best plan has no moves, or gains less.",
        how_to_undo="Delete the overrides that the draft created; they are listed in the tool call's result.",
    )


def _changed(problem: RosterProblem, owners: Mapping[str, str]) -> list[str]:
    return [
        shift.id
        for shift in problem.shifts
        if shift.id in owners and owners[shift.id] not in problem.present[shift.id]
    ]


def _percent(share: float | None) -> str:
    return "an unknown share" if share is None else f"{round(100 * share)} %"


def _obvious(problem: RosterProblem) -> tuple[float, Mapping[str, str]]:
    """Return the objective and the new owners of the better obvious move, of the two that people see.

    The most loaded person gives the next shift to the least loaded, or swaps it for that one's next.
    """
    deviation = deviations(problem, problem.present)
    most = max(deviation, key=lambda user_id: (deviation[user_id], user_id))
    least = min(deviation, key=lambda user_id: (deviation[user_id], user_id))
    gives, takes = (
        next((shift for shift in problem.shifts if user_id in problem.present[shift.id]), None)
        for user_id in (most, least)
    )
    if gives is None:
        return math.inf, {}
    moves = [{gives.id: least}] if takes is None else [{gives.id: least}, {gives.id: least, takes.id: most}]
    return min(((_objective(problem, owners), owners) for owners in moves), key=lambda pair: pair[0])


def _objective(problem: RosterProblem, owners: Mapping[str, str]) -> float:
    changed = {shift_id: frozenset({user_id}) for shift_id, user_id in owners.items()}
    value = objective_of(problem, {**problem.present, **changed})
    return math.inf if value is None else value


def _largest(found: Optimisation, owners: Mapping[str, str]) -> float:
    problem = found.roster.problem
    changed = {shift_id: frozenset({user_id}) for shift_id, user_id in owners.items()}
    return round(max(map(abs, deviations(problem, {**problem.present, **changed}).values())), 1)


def _row(found: Optimisation, tested: BackTest | None) -> JsonObject:
    return {
        "schedule_id": found.roster.schedule.id,
        "unfairness": [plan.unfairness for plan in found.plans],
        "best_objective": found.best_objective if math.isfinite(found.best_objective) else None,
        "gap": None if found.best.gap is None else round(found.best.gap, 4),
        "stop": found.best.stop,
        "back_test": None if tested is None else tested.as_json(),
    }
