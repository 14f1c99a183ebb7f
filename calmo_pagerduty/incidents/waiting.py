"""Why an issue is waiting: for a person, for an approval, for PagerDuty, or past a target.

Pure. Times are UTC.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from calmo_pagerduty.connections.response_targets import Goal
from calmo_pagerduty.incidents.action_progress import UNFINISHED, Progress
from calmo_pagerduty.incidents.actions import Operation
from calmo_pagerduty.incidents.model import Issue, IssueOrigin
from calmo_pagerduty.incidents.response_targets import ResponseTarget, ResponseTimes, TargetState
from calmo_pagerduty.pagerduty.event_types import IncidentStatus


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an issue waits for, and until when if that is known. `is_late`: that time has passed."""

    words: str
    until: datetime | None = None
    is_late: bool = False


_FOR_PAGERDUTY = {
    Progress.WAITING: "for a person's approval: {action}, asked by {author}",
    Progress.FILED: "to be sent to PagerDuty: {action} by {author}",
    Progress.SENT: "for PagerDuty's answer: {action} by {author}",
    Progress.ANSWERED: "for PagerDuty's own event, which confirms: {action} by {author}",
}


def waiting_for(
    issue: Issue,
    times: ResponseTimes,
    operations: Iterable[tuple[Operation, Progress]],
    now: datetime,
) -> tuple[Waiting, ...]:
    """Return what the issue waits for, the nearest first; nothing if nobody and nothing has to come."""
    return (*_for_writes(operations), *_for_people(issue, times, now))


def _for_writes(operations: Iterable[tuple[Operation, Progress]]) -> Iterator[Waiting]:
    for operation, progress in operations:
        if progress in UNFINISHED:
            action = operation.action.replace("_", " ")
            yield Waiting(_FOR_PAGERDUTY[progress].format(action=action, author=operation.author))


def _for_people(issue: Issue, times: ResponseTimes, now: datetime) -> Iterator[Waiting]:
    if issue.status is IncidentStatus.RESOLVED:
        return
    if issue.origin is IssueOrigin.FINDING:
        yield Waiting("for what its finding says to be mended")
        return
    people = ", ".join(person.name or person.id for person in issue.assignees) or "somebody"
    if issue.status is IncidentStatus.TRIGGERED:
        yield _with_target(f"for {people} to acknowledge it", times, Goal.ACKNOWLEDGE, now)
    else:
        yield _with_target(f"for {people} to resolve it", times, Goal.RESOLVE, now)
    if issue.needs_reconcile:
        yield Waiting("for a comparison with PagerDuty: an event may be missing")


def _with_target(words: str, times: ResponseTimes, goal: Goal, now: datetime) -> Waiting:
    target: ResponseTarget | None = (times.targets or {}).get(goal)
    if target is None:
        return Waiting(words)
    return Waiting(words, target.due_at, target.state(now) is TargetState.MISSED)
