"""How soon incidents of a severity must be acknowledged and resolved, and the state of each target.

The clock starts when the incident is opened or reopened. A resolution counts as an acknowledgement.
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
#: The prefix of the event ids of notices on the timeline.
TARGET_PREFIX = "target:"


class TargetState(StrEnum):
    """How a response target stands. NEAR: most of its time has passed."""

    RUNNING = "running"
    NEAR = "near"
    MET = "met"
    #: Reached too late, or overdue.
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class ResponseClock:
    """One incident since it was last opened. Times are UTC."""

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
    """A timeline entry about a target that is near or missed; it is due at `at`, in UTC."""

    event_id: str
    event_type: str
    goal: Goal
    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """An issue's response times since it was last opened, and its targets."""

    acknowledged_in: timedelta | None = None
    resolved_in: timedelta | None = None
    targets: Mapping[Goal, ResponseTarget] | None = None


def response_clock_of(issue: Issue, acknowledged_since: datetime | None = None) -> ResponseClock:
    """Return an issue's response clock. `acknowledged_since` is the first acknowledgement after the last
    reopening; the issue itself has only the very first.
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


def response_times_of(clock: ResponseClock, targets: ResponseTargets | None) -> ResponseTimes:
    """Return the times so far and the targets of this severity."""
    acknowledged, resolved = clock.acknowledged_at, clock.resolved_at
    return ResponseTimes(
        acknowledged_in=acknowledged - clock.opened_at if acknowledged else None,
        resolved_in=resolved - clock.opened_at if resolved else None,
        targets={target.goal: target for target in targets_of(clock, targets)},
    )


def targets_of(clock: ResponseClock, targets: ResponseTargets | None) -> Iterator[ResponseTarget]:
    """Yield the targets for an incident of this severity."""
    own = targets.by_severity.get(clock.severity) if targets else None
    for goal in Goal:
        time = own.duration_of(goal) if own else None
        if time is not None:
            opened_at = clock.opened_at
            yield ResponseTarget(
                goal, time, opened_at + time * NEAR_SHARE, opened_at + time, clock.reached_at(goal)
            )


def pending_notices(
    clock: ResponseClock, targets: ResponseTargets | None, inserted: Collection[str]
) -> tuple[TargetNotice, ...]:
    """Return the notices, due now or later, that are not `inserted` yet (event ids), earliest first.

    A missed target is no longer near.
    """
    pending: list[TargetNotice] = []
    for target in targets_of(clock, targets):
        missed = _notice(clock, target, RESPONSE_TARGET_MISSED, target.due_at)
        if missed.event_id in inserted:
            continue
        if target.reached_at is not None:
            pending += [missed] if target.reached_at > target.due_at else []
            continue
        near = _notice(clock, target, RESPONSE_TARGET_NEAR, target.near_at)
        pending += [missed] if near.event_id in inserted else [near, missed]
    return tuple(sorted(pending, key=lambda notice: notice.at))


def due_notices(pending: Collection[TargetNotice], now: datetime) -> tuple[TargetNotice, ...]:
    """Return the notices that are due: for each goal only the latest."""
    latest = {notice.goal: notice for notice in pending if notice.at <= now}
    return tuple(latest.values())


def escalation_goal(clock: ResponseClock, targets: ResponseTargets | None, now: datetime) -> Goal | None:
    """Return the goal that is overdue and not reached, if the connection escalates misses."""
    if targets is None or not targets.escalates_on_miss:
        return None
    late = [
        target.goal
        for target in targets_of(clock, targets)
        if target.reached_at is None and target.due_at <= now
    ]
    return late[-1] if late else None


def notice_key(clock: ResponseClock, goal: Goal) -> str:
    """Return a stable key of a goal since the last opening."""
    return f"{goal}:{clock.opened_at.isoformat()}"


def _notice(clock: ResponseClock, target: ResponseTarget, event_type: str, at: datetime) -> TargetNotice:
    level = "missed" if event_type == RESPONSE_TARGET_MISSED else "near"
    minutes = f"{target.time.total_seconds() / 60:g} min"
    return TargetNotice(
        event_id=f"{TARGET_PREFIX}{level}:{notice_key(clock, target.goal)}",
        event_type=event_type,
        goal=target.goal,
        at=at,
        words=f"{target.goal} target of {minutes} ({clock.severity})",
    )
