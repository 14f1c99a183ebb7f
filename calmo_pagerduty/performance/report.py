"""The performance of an account in a window, by service, team or escalation policy. Pure.

Times are epoch seconds (UTC). An incident belongs to the window in which it was created.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.performance.definitions import pagerduty_metrics
from calmo_pagerduty.performance.measured import Measured, measured_incidents
from calmo_pagerduty.performance.speed import Milestone, Speed, judge, speed_of
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName, SectionState, Urgency

DAY = 86_400
DEFAULT_DAYS = 28
MAX_DAYS = 366


class InvalidPeriod(ValueError):
    """The window ends before it begins, or is too long."""


class Grouping(StrEnum):
    ACCOUNT = "account"
    SERVICE = "service"
    TEAM = "team"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which incidents count: those that fit every filter that is not empty."""

    urgency: Urgency | None = None
    service_ids: tuple[str, ...] = ()
    team_ids: tuple[str, ...] = ()
    policy_ids: tuple[str, ...] = ()

    def holds(self, row: Measured) -> bool:
        incident = row.incident
        return (
            self.urgency in {None, incident.urgency}
            and (not self.service_ids or incident.service_id in self.service_ids)
            and (not self.team_ids or not set(self.team_ids).isdisjoint(incident.team_ids))
            and (not self.policy_ids or incident.policy_id in self.policy_ids)
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: incidents created within `window`, those of `scope`, in groups."""

    window: Span
    grouping: Grouping = Grouping.SERVICE
    scope: Scope = field(default_factory=Scope)

    @property
    def before(self) -> Span:
        """The window of the same length that ends where this one begins."""
        return Span(self.window.start - self.window.seconds, self.window.start)


@dataclass(frozen=True, slots=True)
class Group:
    """One service, team or policy; `id` is None for incidents that have none."""

    id: str | None
    name: str
    incidents: int
    incidents_before: int
    #: Whose measures are unknown.
    unmeasured: int
    by_log: int
    pagerduty: JsonObject
    speeds: Mapping[Milestone, Speed]


@dataclass(frozen=True, slots=True)
class Performance:
    """`problem` says what is missing. Incidents are known until `known_until`."""

    question: Question
    known_until: int
    problem: str
    groups: tuple[Group, ...]


def default_window(snapshot: AccountSnapshot, now: int) -> Span:
    """Return the last four weeks of what is known."""
    until = min(now, snapshot.taken_at)
    return Span(until - DEFAULT_DAYS * DAY, until)


def period(since: int | None, until: int | None, usual: Span) -> Span:
    """Return the window that is asked for; what is None is as usual. Raises InvalidPeriod."""
    end = usual.end if until is None else until
    start = end - usual.seconds if since is None else since
    if not 0 < end - start <= MAX_DAYS * DAY:
        raise InvalidPeriod(f"since, until: a window of at most {MAX_DAYS} days that begins before it ends")
    return Span(start, end)


def performance_of(snapshot: AccountSnapshot, now: int, question: Question) -> Performance:
    """Return the groups with the most incidents first. The same snapshot and `now` give the same answer."""
    rows = [row for row in measured_incidents(snapshot, now) if question.scope.holds(row)]
    inside = _grouped(rows, question.window, question.grouping)
    earlier = _grouped(rows, question.before, question.grouping)
    names = names_of(snapshot, question.grouping)
    wanted = [*names, *(id for id in inside if id not in names)]
    chosen = [id for id in wanted if id in inside or id in earlier or question.grouping is Grouping.ACCOUNT]
    speeds = {
        milestone: judge([speed_of(inside.get(id, ()), earlier.get(id, ()), milestone) for id in chosen])
        for milestone in Milestone
    }
    groups = [
        _group(
            id,
            names,
            inside.get(id, ()),
            len(earlier.get(id, ())),
            question.window,
            {milestone: found[index] for milestone, found in speeds.items()},
        )
        for index, id in enumerate(chosen)
    ]
    groups.sort(key=lambda group: (-group.incidents, -group.incidents_before, group.id or "~"))
    until = min(now, snapshot.taken_at)
    return Performance(question, until, "; ".join(_problems(snapshot, question, until)), tuple(groups))


def names_of(snapshot: AccountSnapshot, grouping: Grouping) -> dict[str | None, str]:
    """Return the names of what the incidents are grouped by."""
    match grouping:
        case Grouping.SERVICE:
            return {service.id: service.name for service in snapshot.services}
        case Grouping.TEAM:
            return {team.id: team.name for team in snapshot.teams}
        case Grouping.POLICY:
            return {policy.id: policy.name for policy in snapshot.policies}
        case Grouping.ACCOUNT:
            return {None: "All incidents"}


def _grouped(rows: Iterable[Measured], window: Span, grouping: Grouping) -> dict[str | None, list[Measured]]:
    found: dict[str | None, list[Measured]] = defaultdict(list)
    for row in rows:
        if window.start <= row.incident.created_at < window.end:
            for id in _ids(row, grouping):
                found[id].append(row)
    return found


def _ids(row: Measured, grouping: Grouping) -> Sequence[str | None]:
    match grouping:
        case Grouping.SERVICE:
            return (row.incident.service_id,)
        case Grouping.TEAM:
            return row.incident.team_ids or (None,)
        case Grouping.POLICY:
            return (row.incident.policy_id,)
        case Grouping.ACCOUNT:
            return (None,)


def _group(
    id: str | None,
    names: Mapping[str | None, str],
    rows: Sequence[Measured],
    before: int,
    window: Span,
    speeds: Mapping[Milestone, Speed],
) -> Group:
    return Group(
        id=id,
        name=names.get(id) or ("none" if id is None else id),
        incidents=len(rows),
        incidents_before=before,
        unmeasured=sum(row.measures is None for row in rows),
        by_log=sum(row.measures is not None and row.incident.measures is None for row in rows),
        pagerduty=pagerduty_metrics(rows, window),
        speeds=speeds,
    )


def _problems(snapshot: AccountSnapshot, question: Question, until: int) -> Iterable[str]:
    section = snapshot.section(SectionName.INCIDENTS)
    if section.state is not SectionState.COMPLETE:
        yield f"the past incidents are {str(section.state).replace('_', ' ')}: figures are of a part of them"
    elif section.since is not None and section.since > question.before.start:
        yield "incidents are not known for the whole time, or not for that before"
    if question.window.end > until:
        yield "the window ends after the newest snapshot"
