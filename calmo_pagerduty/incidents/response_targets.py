"""How soon incidents are to be acknowledged and resolved, by severity, and how each one stands to that.

The clock runs from when the incident was opened, or opened again. Who resolves has acknowledged.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from calmo_pagerduty.connections.response_targets import Goal, ResponseTargets
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.pagerduty.event_types import RESPONSE_TARGET_MISSED, RESPONSE_TARGET_NEAR, IncidentStatus

#: The part of a target's time after which it is near.
NEAR_SHARE = 0.8
#: How the timeline knows what is said about targets.
TARGET_PREFIX = "target:"


class TargetState(StrEnum):
    RUNNING = "running"
    NEAR = "near"
    MET = "met"
    #: Reached too late, or not yet and late already.
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class ResponseClock:
    """One incident since it was opened last. Times are UTC."""

    opened_at: datetime
    status: IncidentStatus
    severity: Severity
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None

    def reached_at(self, goal: Goal) -> datetime | None:
        if goal is Goal.RESOLVE:
            return self.resolved_at
        return self.acknowledged_at or self.resolved_at


@dataclass(frozen=True, slots=True)
class ResponseTarget:
    """One goal of one incident. Times are UTC."""

    goal: Goal
    time: timedelta
    near_at: datetime
    due_at: datetime
    reached_at: datetime | None

    def state(self, now: datetime) -> TargetState:
        if self.reached_at is not None:
            return TargetState.MET if self.reached_at <= self.due_at else TargetState.MISSED
        if now >= self.due_at:
            return TargetState.MISSED
        return TargetState.NEAR if now >= self.near_at else TargetState.RUNNING


@dataclass(frozen=True, slots=True)
class TargetNotice:
    """What is to be said on the timeline about a target, from `at` on."""

    event_id: str
    event_type: str
    goal: Goal
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """How an issue stands to its targets. Times since the last opening."""

    acknowledged_in: timedelta | None = None
    resolved_in: timedelta | None = None
    targets: Mapping[Goal, ResponseTarget] | None = None


def response_clock_of(issue: Issue, acknowledged_since: datetime | None = None) -> ResponseClock:
    """Return how far an issue is. `acknowledged_since` is when it was first acknowledged after its last
    reopening, of which the issue itself only knows the very first.
    """
    opened_at = max(issue.created_at, issue.reopened_at or issue.created_at)
    first = issue.acknowledged_at
    acknowledged_at = first if first is not None and first >= opened_at else acknowledged_since
    is_over = issue.status is IncidentStatus.RESOLVED
    return ResponseClock(
        opened_at=opened_at,
        status=issue.status,
        severity=issue.severity,
        acknowledged_at=acknowledged_at,
        resolved_at=(issue.resolved_at or issue.as_of) if is_over else None,
    )


def response_times_of(progress: ResponseClock, targets: ResponseTargets | None) -> ResponseTimes:
    """Return how long it took so far, and the targets there are."""
    acknowledged, resolved = progress.acknowledged_at, progress.resolved_at
    return ResponseTimes(
        acknowledged_in=acknowledged - progress.opened_at if acknowledged else None,
        resolved_in=resolved - progress.opened_at if resolved else None,
        targets={target.goal: target for target in targets_of(progress, targets)},
    )


def targets_of(progress: ResponseClock, targets: ResponseTargets | None) -> Iterator[ResponseTarget]:
    """Yield the targets for an incident of this severity."""
    own = targets.by_severity.get(progress.severity) if targets else None
    for goal in Goal:
        time = own.duration_of(goal) if own else None
        if time is not None:
            opened_at = progress.opened_at
            yield ResponseTarget(
                goal, time, opened_at + time * NEAR_SHARE, opened_at + time, progress.reached_at(goal)
            )


def pending_notices(
    progress: ResponseClock, targets: ResponseTargets | None, said: Collection[str]
) -> tuple[TargetNotice, ...]:
    """Return what is or will be to be said, and wasn't, earliest first. Nothing is near that is missed."""
    found: list[TargetNotice] = []
    for target in targets_of(progress, targets):
        missed = _notice(progress, target, RESPONSE_TARGET_MISSED, target.due_at)
        if missed.event_id in said:
            continue
        if target.reached_at is not None:
            found += [missed] if target.reached_at > target.due_at else []
            continue
        near = _notice(progress, target, RESPONSE_TARGET_NEAR, target.near_at)
        found += [missed] if near.event_id in said else [near, missed]
    return tuple(sorted(found, key=lambda notice: notice.at))


def due_notices(pending: Collection[TargetNotice], now: datetime) -> tuple[TargetNotice, ...]:
    """Return what is to be said now: of one goal only the last word."""
    latest = {notice.goal: notice for notice in pending if notice.at <= now}
    return tuple(latest.values())


def escalation_goal(progress: ResponseClock, targets: ResponseTargets | None, now: datetime) -> Goal | None:
    """Return the goal whose target is missed while nobody has reached it, if that is to be escalated."""
    if targets is None or not targets.escalates_on_miss:
        return None
    late = [
        target.goal
        for target in targets_of(progress, targets)
        if target.reached_at is None and target.due_at <= now
    ]
    return late[-1] if late else None


def notice_key(progress: ResponseClock, goal: Goal) -> str:
    """Return what names a goal of this opening: the same however often it is looked at."""
    return f"{goal}:{progress.opened_at.isoformat()}"


def _notice(progress: ResponseClock, target: ResponseTarget, event_type: str, at: datetime) -> TargetNotice:
    level = "missed" if event_type == RESPONSE_TARGET_MISSED else "near"
    minutes = f"{target.time.total_seconds() / 60:g} min"
    return TargetNotice(
        event_id=f"{TARGET_PREFIX}{level}:{notice_key(progress, target.goal)}",
        event_type=event_type,
        goal=target.goal,
        at=at,
        words=f"{target.goal} target of {minutes} ({progress.severity})",
    )
