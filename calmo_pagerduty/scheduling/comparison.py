"""Compare the account before and after a scenario: who is on call, gaps, loads and pages. Pure.

All figures come from the reports of coverage, workload and escalation, computed for both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from calmo_pagerduty.coverage.dropped_incidents import IncidentRates, total_risk
from calmo_pagerduty.coverage.model import CoverageReport, PolicyCoverage
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.escalation.response import PolicyResponse, account_response
from calmo_pagerduty.escalation.response_model import Survival, expected_response
from calmo_pagerduty.kernel.intervals import Span, clip, subtract, total_seconds
from calmo_pagerduty.scheduling.applying import Applied
from calmo_pagerduty.snapshots.model import AccountSnapshot, Policy, Service
from calmo_pagerduty.snapshots.on_call import Shift, paged_entries, shifts_of
from calmo_pagerduty.workload.calendars import calendar_of
from calmo_pagerduty.workload.hours import PersonHours, person_hours
from calmo_pagerduty.workload.pay import pay_report
from calmo_pagerduty.workload.people import OnCallTimes, Person, people_of
from calmo_pagerduty.workload.rules import WorkloadSettings

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Handover:
    """A time in which other people are on call than before: their ids, none for nobody."""

    start: int
    end: int
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    schedule_id: str
    name: str
    time_zone: str
    handovers: tuple[Handover, ...]


@dataclass(frozen=True, slots=True)
class PolicySide:
    """A policy's figures on one side. Incidents and pages are expected numbers; None is unknown."""

    gap_seconds: int
    gaps: tuple[Span, ...]
    first_level_gap_seconds: int
    expected_dropped_incidents: float | None
    expected_second_level_pages: float | None


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    policy: Policy
    changed_policy: Policy
    before: PolicySide
    after: PolicySide


@dataclass(frozen=True, slots=True)
class PersonEffect:
    """A person's hours on both sides; someone who is never on call has hours of zero."""

    before: PersonHours
    after: PersonHours
    #: Indicative pay by the connection's published rules; None without rules.
    pay: tuple[Decimal, Decimal] | None = None

    @property
    def person(self) -> Person:
        return self.after.person


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a scenario changes. Policies and people without a change are counted, not listed."""

    applied: Applied
    schedules: tuple[ScheduleChange, ...]
    policies: tuple[PolicyEffect, ...]
    #: Everybody on call on either side, in the order of ids.
    people: tuple[PersonEffect, ...]
    expected_dropped: tuple[float | None, float | None]
    gap_seconds: tuple[int, int]
    limits: tuple[str, ...]
    currency: str | None = None


def compare(applied: Applied, settings: WorkloadSettings | None = None) -> Comparison:
    """Return the effects of a scenario over its window, the same for the same input.

    `settings` say what an hour is paid, and which public holidays count.
    """
    before, after = applied.before, applied.after
    window = applied.window
    reports = tuple(_coverage(side, window) for side in (before, after))
    policies = _policy_effects(applied, reports[0], reports[1])
    return Comparison(
        applied,
        _schedule_changes(applied),
        policies,
        _people(applied, settings or WorkloadSettings()),
        (_dropped(reports[0]), _dropped(reports[1])),
        (_gap_seconds(reports[0], window), _gap_seconds(reports[1], window)),
        tuple(dict.fromkeys((*reports[0].limits, *reports[1].limits))),
        settings.pay.currency if settings and settings.pay else None,
    )


def _coverage(snapshot: AccountSnapshot, window: Span) -> CoverageReport:
    days = max(1, -(-window.seconds // _DAY))
    return coverage_report(snapshot, window.start, ReportOptions(days=min(days, 90)))


def _schedule_changes(applied: Applied) -> tuple[ScheduleChange, ...]:
    before = {schedule.id: schedule for schedule in applied.before.schedules}
    changes = []
    for schedule in applied.after.schedules:
        old = before.get(schedule.id)
        if schedule.id not in applied.changed_schedules or old is None:
            continue
        sides = [shifts_of(paged_entries(side) or (), applied.window) for side in (old, schedule)]
        handovers = tuple(handovers_between(sides[0], sides[1]))
        if handovers:
            changes.append(ScheduleChange(schedule.id, schedule.name, schedule.time_zone, handovers))
    return tuple(changes)


def handovers_between(before: Sequence[Shift], after: Sequence[Shift]) -> list[Handover]:
    """Return the times in which the two differ; both cover the same window without holes."""
    found: list[Handover] = []
    left = right = 0
    while left < len(before) and right < len(after):
        old, new = before[left], after[right]
        start, end = max(old.start, new.start), min(old.end, new.end)
        if old.user_ids != new.user_ids:
            last = found[-1] if found else None
            if last and (last.end, last.before, last.after) == (start, old.user_ids, new.user_ids):
                found[-1] = Handover(last.start, end, last.before, last.after)
            else:
                found.append(Handover(start, end, old.user_ids, new.user_ids))
        left, right = left + (old.end <= new.end), right + (new.end <= old.end)
    return found


def _people(applied: Applied, settings: WorkloadSettings) -> tuple[PersonEffect, ...]:
    times = [OnCallTimes(side, applied.window) for side in (applied.before, applied.after)]
    people = people_of(applied.after, {user_id for side in times for user_id in side.by_person})
    plain = calendar_of(settings.holidays)
    added = {date.fromisoformat(day): name for day, name in applied.holidays.items()}

    def with_added(person: Person, first_year: int, last_year: int) -> Mapping[date, str]:
        return {**plain(person, first_year, last_year), **added}

    calendars = (plain, with_added)
    pay: tuple[dict[str, Decimal], ...] | None = None
    if settings.pay is not None:
        reports = [
            pay_report(side, people, settings.pay, calendar)
            for side, calendar in zip(times, calendars, strict=True)
        ]
        pay = tuple({paid.person.user_id: paid.amount for paid in report.people} for report in reports)
    return tuple(
        PersonEffect(
            person_hours(person, times[0], None, plain),
            person_hours(person, times[1], None, with_added),
            None if pay is None else (pay[0].get(user_id, Decimal(0)), pay[1].get(user_id, Decimal(0))),
        )
        for user_id, person in people.items()
    )


def _policy_effects(
    applied: Applied, before: CoverageReport, after: CoverageReport
) -> tuple[PolicyEffect, ...]:
    """Return the policies whose rules, gaps or pages change."""
    old = {policy.id: policy for policy in applied.before.policies}
    covered = [{policy.policy_id: policy for policy in report.policies} for report in (before, after)]
    pages = _SecondLevelPages(applied)
    effects = []
    for policy in applied.after.policies:
        sides = tuple(
            _side(side[policy.id], applied.window, pages.expected(version, side[policy.id]))
            for side, version in zip(covered, (old[policy.id], policy), strict=True)
        )
        if old[policy.id] != policy or sides[0] != sides[1]:
            effects.append(PolicyEffect(old[policy.id], policy, sides[0], sides[1]))
    return tuple(effects)


def _side(coverage: PolicyCoverage, window: Span, second_level_pages: float | None) -> PolicySide:
    gaps = tuple(clip((gap.span for gap in coverage.gaps), window))
    return PolicySide(
        total_seconds(gaps),
        gaps,
        _seconds_within(coverage.first_level_gaps, window),
        coverage.expected_dropped_incidents,
        second_level_pages,
    )


class _SecondLevelPages:
    """How often level 2 is expected to be paged in the window.

    An incident comes to level 2 if nobody acknowledges it on level 1 in time, or if level 1 has nobody.
    Source: the policy's own survival curves; expected incidents by hour of the week.
    """

    def __init__(self, applied: Applied) -> None:
        self._applied = applied
        self._rates = IncidentRates(applied.before)
        response = account_response(applied.before, applied.window.start)
        self._responses = {policy.policy.id: policy for policy in response.policies}

    def expected(self, policy: Policy, coverage: PolicyCoverage) -> float | None:
        """Return the expected pages of level 2; None with insufficient data."""
        if len(policy.rules) < 2:
            return 0.0
        response = self._responses.get(policy.id)
        curves = None if response is None else _curves(response, len(policy.rules))
        services = [
            service for service in self._applied.before.services if service.id in coverage.service_ids
        ]
        empty = clip(coverage.first_level_gaps, self._applied.window)
        staffed = subtract([self._applied.window], (*empty, *(gap.span for gap in coverage.gaps)))
        to_first, to_second = self._incidents(services, staffed), self._incidents(services, empty)
        if curves is None or to_first is None or to_second is None:
            return None
        delays = [rule.delay_minutes for rule in policy.rules]
        share = expected_response(curves, delays, policy.num_loops).second_level_pages
        return round(to_first * share + to_second * (policy.num_loops + 1), 4)

    def _incidents(self, services: Sequence[Service], spans: Sequence[Span]) -> float | None:
        risks = [self._rates.risk(service, spans) for service in services]
        return total_risk(risks) if risks else 0.0


def _curves(response: PolicyResponse, levels: int) -> list[Survival] | None:
    """Return a curve for each level; a level that is new gets the last known one."""
    known: list[Survival] = [level.curve for level in response.levels if level.curve is not None]
    if not known or len(known) < len(response.levels):
        return None
    return [known[min(level, len(known) - 1)] for level in range(levels)]


def _dropped(report: CoverageReport) -> float | None:
    values = [policy.expected_dropped_incidents for policy in report.policies if policy.service_ids]
    return None if None in values else round(sum(value or 0.0 for value in values), 6)


def _gap_seconds(report: CoverageReport, window: Span) -> int:
    return sum(_seconds_within([gap.span for gap in policy.gaps], window) for policy in report.policies)


def _seconds_within(spans: Sequence[Span], window: Span) -> int:
    return total_seconds(clip(spans, window))
