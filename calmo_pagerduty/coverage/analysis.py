"""The analysis of coverage: policy gaps with the incidents that they would drop, cliffs, orphans. Pure."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from calmo_pagerduty.coverage.finding_texts import FindingWriter
from calmo_pagerduty.coverage.model import CoverageReport
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, in_order
from calmo_pagerduty.kernel.intervals import total_seconds
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName
from calmo_pagerduty.snapshots.on_call import OnCallIndex

ANALYSIS = "coverage"
VERSION = 1
SECTIONS = (
    SectionName.SCHEDULES,
    SectionName.POLICIES,
    SectionName.SERVICES,
    SectionName.USERS,
    SectionName.MAINTENANCE,
    SectionName.INCIDENTS,
)
_COVER = (SectionName.SCHEDULES, SectionName.POLICIES, SectionName.SERVICES, SectionName.USERS)
#: The sections that must be complete before a finding that is no longer there counts as resolved.
NEEDS: Mapping[str, tuple[SectionName, ...]] = MappingProxyType(
    {
        "policy_gap": _COVER,
        "first_level_gap": _COVER,
        "coverage_cliff": _COVER,
        "orphaned_override": (SectionName.SCHEDULES, SectionName.USERS),
        "schedule_in_no_policy": (SectionName.SCHEDULES, SectionName.POLICIES),
        "unknown_time_zone": (SectionName.SCHEDULES,),
        "rendering_differs": (SectionName.SCHEDULES,),
        "little_rest": (SectionName.SCHEDULES, SectionName.POLICIES),
        "on_call_while_away": (SectionName.SCHEDULES, SectionName.POLICIES),
    }
)
#: How a section ended that this token may not read, or the plan does not have.


def analyse(snapshot: AccountSnapshot, now: int, options: ReportOptions | None = None) -> AnalysisResult:
    """Return the account's coverage over the next 90 days (or the options'), as figures and findings."""
    report = coverage_report(snapshot, now, options)
    timelines = Timelines(OnCallIndex(snapshot), report.window)
    findings = FindingWriter(timelines, report, account_zone(snapshot)).findings()
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=report.window,
        time_zone=account_zone(snapshot).key,
        inputs=inputs_of(snapshot, _judged(snapshot, options), _unjudged(report)),
        metrics=_metrics(report),
        findings=in_order(findings),
    )


def account_zone(snapshot: AccountSnapshot) -> ZoneInfo:
    """Return the account's zone, or UTC if it is unknown."""
    return time_zone(snapshot.time_zone) or ZoneInfo("Etc/UTC")


def inputs_of(
    snapshot: AccountSnapshot, needs: Mapping[str, Collection[SectionName]], unjudged: Iterable[str]
) -> AnalysisInputs:
    """Return what a result rests on, which sections are cut short or hidden, and which codes were judged.

    `needs` names the sections that must be complete for a code; `unjudged` are ids of objects left aside.
    """
    read = snapshot.completeness(SECTIONS)
    return AnalysisInputs(
        counts={
            "schedules": len(snapshot.schedules),
            "policies": len(snapshot.policies),
            "services": len(snapshot.services),
            "users": len(snapshot.users),
            "incidents": len(snapshot.incidents),
        },
        fetched_at=snapshot.taken_at,
        truncated=read.truncated,
        missing_permissions=read.missing_permissions,
        conclusive_codes=tuple(
            sorted(code for code, names in needs.items() if read.complete.issuperset(names))
        ),
        unjudged_ids=tuple(sorted(unjudged)),
    )


def _judged(
    snapshot: AccountSnapshot, options: ReportOptions | None
) -> Mapping[str, tuple[SectionName, ...]]:
    """Return what the run can judge: unless calendars were looked at, nobody is known to be away."""
    if snapshot.absences is not None or (options is not None and options.away is not None):
        return NEEDS
    return {code: names for code, names in NEEDS.items() if code != "on_call_while_away"}


def _unjudged(report: CoverageReport) -> set[str]:
    """Return the schedules that could not be rendered, and the policies that are unknown because of it."""
    schedules = {s.schedule_id for s in report.schedules if s.coverage is None}
    return schedules | {
        policy.policy_id
        for policy in report.policies
        if any(unknown.start < report.rendered.end for unknown in policy.coverage.unknown)
    }


def _metrics(report: CoverageReport) -> JsonObject:
    """Return the figures of each object, as JSON."""
    return {
        "schedules": [
            {
                "id": schedule.schedule_id,
                "percentage": schedule.coverage.percentage if schedule.coverage else None,
                "gap_count": len(schedule.gaps) if schedule.coverage else None,
                "pagerduty_percentage": schedule.comparison.pagerduty,
                "agreement": schedule.comparison.agreement.value,
            }
            for schedule in report.schedules
        ],
        "policies": [
            {
                "id": policy.policy_id,
                "percentage": policy.coverage.percentage,
                "gap_count": len(policy.gaps),
                "gap_seconds": total_seconds([gap.span for gap in policy.gaps]),
                "expected_dropped_incidents": policy.expected_dropped_incidents,
            }
            for policy in report.policies
        ],
        "services": [
            {
                "id": service.service_id,
                "percentage": service.percentage,
                "gap_seconds": total_seconds(service.gaps),
                "intended_seconds": total_seconds(service.intended),
                "expected_dropped_incidents": service.risk.expected,
            }
            for service in report.services
        ],
        "limits": list(report.limits),
    }
