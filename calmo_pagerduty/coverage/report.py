"""Put coverage together: schedules, levels, policies and services of an account over a window. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.coverage.causes import cause_of, schedule_gaps
from calmo_pagerduty.coverage.cliffs import find_cliffs
from calmo_pagerduty.coverage.conflicts import MIN_REST_HOURS, find_conflicts
from calmo_pagerduty.coverage.dropped_incidents import IncidentRates, total_risk
from calmo_pagerduty.coverage.model import (
    Cliff,
    CoverageReport,
    GapCause,
    LevelCoverage,
    OrphanedOverride,
    PolicyCoverage,
    PolicyGap,
    ScheduleCoverage,
    ServiceCoverage,
    ServiceRisk,
    percentage,
)
from calmo_pagerduty.coverage.orphaned_overrides import find_orphans
from calmo_pagerduty.coverage.rendered_comparison import compare
from calmo_pagerduty.coverage.support_time import support_spans
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span, intersect, subtract, total_seconds, union
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Policy,
    SectionName,
    SectionState,
    Service,
    TargetKind,
)
from calmo_pagerduty.snapshots.on_call import OnCallIndex

MAX_DAYS = 90
DISABLED = "disabled"
_USED_SECTIONS = (
    SectionName.SCHEDULES,
    SectionName.POLICIES,
    SectionName.SERVICES,
    SectionName.USERS,
    SectionName.MAINTENANCE,
    SectionName.INCIDENTS,
)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """`days`: 1 to 90. `away`: times by user id, from imported calendars."""

    days: int = MAX_DAYS
    min_rest_hours: float = MIN_REST_HOURS
    away: Mapping[str, Sequence[Span]] | None = None


def coverage_report(
    snapshot: AccountSnapshot, now: int, options: ReportOptions | None = None
) -> CoverageReport:
    """Return an account's coverage from `now` on. Raises ValueError if the days are out of range."""
    chosen = options or ReportOptions()
    if not 1 <= chosen.days <= MAX_DAYS:
        raise ValueError(f"coverage looks 1 to {MAX_DAYS} days ahead, not {chosen.days}")
    return _Builder(snapshot, Span(now, now + chosen.days * DAY)).report(chosen)


class _Builder:
    def __init__(self, snapshot: AccountSnapshot, window: Span) -> None:
        self.snapshot = snapshot
        self.window = window
        self.index = OnCallIndex(snapshot)
        self.timelines = Timelines(self.index, window)
        self.rates = IncidentRates(snapshot)
        self.services_of: dict[str, list[Service]] = {}
        for service in snapshot.services:
            if service.policy_id is not None:
                self.services_of.setdefault(service.policy_id, []).append(service)
        self.policies_of: dict[str, list[str]] = {}
        for policy in snapshot.policies:
            for schedule_id in schedule_ids_of(policy):
                self.policies_of.setdefault(schedule_id, []).append(policy.id)
        self._required: dict[str, list[Span]] = {}

    def report(self, options: ReportOptions) -> CoverageReport:
        schedules = tuple(self._schedule(schedule.id) for schedule in self.snapshot.schedules)
        policies = {policy.id: self._policy(policy) for policy in self.snapshot.policies}
        cliffs: list[Cliff] = []
        orphans: list[OrphanedOverride] = []
        for schedule, result in zip(self.snapshot.schedules, schedules, strict=True):
            cliffs += find_cliffs(schedule.id, result.gaps, self.timelines.known)
            orphans += find_orphans(self.timelines, schedule)
        known_policies = self.index.policies
        return CoverageReport(
            window=self.window,
            rendered=self.index.rendered,
            schedules=schedules,
            policies=tuple(policies.values()),
            services=tuple(self._service(service, policies) for service in self.snapshot.services),
            cliffs=tuple(cliffs),
            orphans=tuple(orphans),
            conflicts=find_conflicts(
                self.timelines, self.snapshot.policies, _away(self.snapshot, options), options.min_rest_hours
            ),
            unused_schedule_ids=tuple(s.id for s in self.snapshot.schedules if s.id not in self.policies_of),
            unused_policy_ids=tuple(p.id for p in self.snapshot.policies if p.id not in self.services_of),
            service_ids_without_policy=tuple(
                service.id for service in self.snapshot.services if service.policy_id not in known_policies
            ),
            limits=tuple(self._limits()),
        )

    def required(self, service: Service) -> list[Span]:
        """Return when the service needs somebody: its support hours, or always."""
        if service.id not in self._required:
            hours = service.support_hours
            spans = None if hours is None else support_spans(hours, self.window)
            self._required[service.id] = [self.window] if spans is None else spans
        return self._required[service.id]

    def _schedule(self, schedule_id: str) -> ScheduleCoverage:
        schedule = self.index.schedules[schedule_id]
        coverage = self.timelines.schedule(schedule_id)
        return ScheduleCoverage(
            schedule_id,
            None if schedule.entries is None else coverage,
            schedule_gaps(self.timelines, schedule),
            self.timelines.intended_holes(schedule_id),
            compare(schedule, self.index.rendered),
            tuple(self.policies_of.get(schedule_id, ())),
        )

    def _policy(self, policy: Policy) -> PolicyCoverage:
        levels = [self.timelines.level(rule) for rule in policy.rules]
        coverage = self.timelines.policy(levels)
        services = [service for service in self.services_of.get(policy.id, ()) if service.status != DISABLED]
        required = union(span for service in services for span in self.required(service))
        if not services:
            required = [self.window]
        needed = subtract(required, self.timelines.intended_gaps(policy))
        gaps = intersect(coverage.gaps, needed)
        risks = tuple(self.rates.risk(service, self._lost(service, gaps)) for service in services)
        later = union(span for level in levels[1:] for span in level.covered)
        first = intersect(levels[0].gaps, later) if len(levels) > 1 else []
        return PolicyCoverage(
            policy_id=policy.id,
            coverage=coverage,
            levels=tuple(
                LevelCoverage(number, rule.id, level, not level.covered and not level.unknown)
                for number, (rule, level) in enumerate(zip(policy.rules, levels, strict=True), 1)
            ),
            gaps=tuple(self._gap(policy, gap, services) for gap in gaps),
            intended=tuple(subtract(coverage.gaps, gaps)),
            first_level_gaps=tuple(intersect(first, needed)),
            service_ids=tuple(service.id for service in services),
            risks=risks,
            expected_dropped_incidents=total_risk(risks),
        )

    def _lost(self, service: Service, gaps: Sequence[Span]) -> list[Span]:
        return intersect(gaps, self.required(service))

    def _gap(self, policy: Policy, gap: Span, services: Sequence[Service]) -> PolicyGap:
        risks = [self.rates.risk(service, self._lost(service, [gap])) for service in services]
        return PolicyGap(gap, self._causes(policy, gap), total_risk(risks))

    def _causes(self, policy: Policy, gap: Span) -> tuple[GapCause, ...]:
        """Return why each schedule of the policy is empty when the gap begins."""
        known = [self.index.schedules[id] for id in schedule_ids_of(policy) if id in self.index.schedules]
        causes = []
        for schedule in known:
            own = next(
                (
                    span
                    for span in self.timelines.schedule(schedule.id).gaps
                    if span.start <= gap.start < span.end
                ),
                gap,
            )
            causes.append(cause_of(self.timelines, schedule, own))
        return tuple(causes)

    def _service(self, service: Service, policies: Mapping[str, PolicyCoverage]) -> ServiceCoverage:
        required = self.required(service)
        policy = policies.get(service.policy_id or "")
        if policy is None:
            nothing = ServiceRisk(service.id, None, 0, 0.0)
            return ServiceCoverage(
                service.id, service.policy_id, tuple(required), (), (), (self.window,), None, nothing,
                ("its escalation policy is unknown",),
            )  # fmt: skip
        intended_holes = self.timelines.intended_gaps(self.index.policies[policy.policy_id])
        needed = subtract(required, intended_holes)
        gaps = intersect(policy.coverage.gaps, needed)
        covered = total_seconds(intersect(policy.coverage.covered, needed))
        return ServiceCoverage(
            service_id=service.id,
            policy_id=policy.policy_id,
            required=tuple(required),
            gaps=tuple(gaps),
            intended=tuple(subtract(policy.coverage.gaps, gaps)),
            unknown=tuple(intersect(policy.coverage.unknown, needed)),
            percentage=percentage(covered, covered + total_seconds(gaps)),
            risk=self.rates.risk(service, gaps),
            notes=tuple(self._notes(service)),
        )

    def _notes(self, service: Service) -> Iterable[str]:
        if service.status == DISABLED:
            yield "the service is disabled: it opens no incident"
        if service.support_hours is not None and time_zone(service.support_hours.time_zone) is None:
            yield "the zone of its support hours is unknown: it counts as needing somebody always"

    def _limits(self) -> Iterable[str]:
        for section in self.snapshot.sections:
            if section.name in _USED_SECTIONS and section.state is not SectionState.COMPLETE:
                reason = f": {section.reason}" if section.reason else ""
                yield f"{section.name.value} are {section.state.value}{reason}"
        if self.timelines.known != self.window:
            yield "the snapshot does not reach to the window's end: take a new snapshot"
        for schedule in self.snapshot.schedules:
            if schedule.entries is None:
                yield f"schedule {schedule.name} could not be rendered"
            if time_zone(schedule.time_zone) is None:
                yield f"schedule {schedule.name} has an unknown time zone: times are shown in UTC"


def schedule_ids_of(policy: Policy) -> list[str]:
    """Return the schedules of a policy's levels, each once, in the order of the levels."""
    ids = [t.id for rule in policy.rules for t in rule.targets if t.kind is TargetKind.SCHEDULE]
    return list(dict.fromkeys(ids))


def _away(snapshot: AccountSnapshot, options: ReportOptions) -> Mapping[str, Sequence[Span]]:
    """Return when people are away, by stored calendars and by those of the options."""
    away = snapshot.away()
    for user_id, spans in (options.away or {}).items():
        away[user_id] = union((*away.get(user_id, ()), *spans))
    return away
