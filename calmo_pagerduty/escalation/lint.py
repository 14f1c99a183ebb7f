"""The analysis of escalation policies: what would keep a page from reaching somebody. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from calmo_pagerduty.escalation.entities import percent, share
from calmo_pagerduty.escalation.log_lint import lint_log, past_incidents, path_minutes
from calmo_pagerduty.escalation.path_lint import (
    Ladder,
    ladder_of,
    lint_ladder,
    shared_seconds,
    single_person_seconds,
)
from calmo_pagerduty.escalation.person_lint import TooLate, late_rules, lint_people, rules_by_user
from calmo_pagerduty.escalation.service_lint import lint_services, window_of
from calmo_pagerduty.escalation.standards import compare_standards
from calmo_pagerduty.findings.model import AnalysisInputs, AnalysisResult, Finding, in_order
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import AccountSnapshot, SectionName
from calmo_pagerduty.snapshots.on_call import OnCallIndex

ANALYSIS = "escalation"
VERSION = 1
DAYS = 30
#: The sections that the analyses of this feature rest on.
SECTIONS = (
    SectionName.SCHEDULES,
    SectionName.POLICIES,
    SectionName.SERVICES,
    SectionName.USERS,
    SectionName.INCIDENTS,
    SectionName.LOG_ENTRIES,
    SectionName.STANDARDS,
)
_PATH = (SectionName.SCHEDULES, SectionName.POLICIES)
_LOG = (SectionName.POLICIES, SectionName.INCIDENTS, SectionName.LOG_ENTRIES)
#: What must be complete before a finding that is not found any more counts as resolved.
SECTIONS_OF_CODE: Mapping[str, tuple[SectionName, ...]] = MappingProxyType(
    {
        "same_person_on_successive_levels": _PATH,
        "level_always_empty": _PATH,
        "single_level": _PATH,
        "single_person_overall": _PATH,
        "never_paged_rule": (*_PATH, SectionName.USERS),
        "escalation_path_exhausted": _LOG,
        "delegation_ping_pong": _LOG,
        "policy_without_service": (SectionName.SERVICES, SectionName.POLICIES),
        "acknowledged_and_left": (SectionName.SERVICES, *_LOG),
        "auto_resolve_too_early": (SectionName.SERVICES, SectionName.INCIDENTS),
        "better_escalation_delay": _LOG,
    }
)


def analyse(snapshot: AccountSnapshot, now: int, days: int = DAYS) -> AnalysisResult:
    """Return what is wrong with the policies in the next `days` days. Times are epoch seconds (UTC).

    The metrics hold a ladder for each policy: levels with people, delays, loops and shares of time.
    """
    index, window = OnCallIndex(snapshot), window_of(snapshot, now, days)
    past = past_incidents(snapshot, now)
    ladders = [
        ladder_of(index, policy, window) for policy in sorted(snapshot.policies, key=lambda policy: policy.id)
    ]
    rules = rules_by_user(index)
    late = [late_rules(rules, ladder) for ladder in ladders]
    findings: list[Finding] = []
    for ladder, of_ladder in zip(ladders, late, strict=True):
        findings += [*lint_ladder(index, ladder), *lint_people(index, ladder, of_ladder)]
    findings += [*lint_log(index, past), *lint_services(index, past, now)]
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=window,
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=replace(
            inputs_of(snapshot),
            unjudged_ids=tuple(
                ladder.policy.id for ladder in ladders if not ladder.is_known or window.seconds <= 0
            ),
        ),
        metrics={
            "policies": list(map(_ladder_metrics, ladders, late)),
            "standards": _standards(index),
        },
        findings=in_order(findings),
    )


def inputs_of(snapshot: AccountSnapshot) -> AnalysisInputs:
    """Return what a result rests on, and which sections were cut short or hidden."""
    read = snapshot.completeness(SECTIONS)
    return AnalysisInputs(
        counts={
            "policies": len(snapshot.policies),
            "services": len(snapshot.services),
            "users": len(snapshot.users),
            "incidents": len(snapshot.incidents),
            "log_records": len(snapshot.log_records),
        },
        fetched_at=snapshot.taken_at,
        truncated=read.truncated,
        missing_permissions=read.missing_permissions,
        conclusive_codes=tuple(
            code for code, needed in sorted(SECTIONS_OF_CODE.items()) if read.complete.issuperset(needed)
        ),
    )


def _ladder_metrics(ladder: Ladder, late: tuple[TooLate, ...]) -> JsonObject:
    policy, window = ladder.policy, ladder.window
    alone = share(single_person_seconds(ladder)[0], window) if ladder.is_known else None
    levels: list[JsonObject] = []
    for number, (rule, shifts) in enumerate(zip(policy.rules, ladder.levels, strict=True), 1):
        after = ladder.levels[number] if number < len(ladder.levels) else None
        empty = None if shifts is None else sum(s.end - s.start for s in shifts if not s.user_ids)
        twice = None if shifts is None or after is None else shared_seconds(shifts, after)
        levels.append(
            {
                "level": number,
                "rule_id": rule.id,
                "delay_minutes": rule.delay_minutes,
                "is_round_robin": rule.is_round_robin,
                "targets": [{"kind": str(target.kind), "id": target.id} for target in rule.targets],
                "user_ids": None if shifts is None else sorted({key for s in shifts for key in s.user_ids}),
                "empty_share": None if empty is None else share(empty, window),
                "same_person_as_next_share": None
                if twice is None
                else share(max(twice.values(), default=0), window),
                "never_paged_user_ids": [
                    item.user_id for item in late if item.level == number and item.is_never_paged
                ],
                "late_rules": [
                    {"user_id": item.user_id, "rule_minutes": list(item.rule_minutes)}
                    for item in late
                    if item.level == number and item.rule_ids
                ],
            }
        )
    return {
        "policy_id": policy.id,
        "name": policy.name,
        "team_ids": list(policy.team_ids),
        "num_loops": policy.num_loops,
        "path_minutes": path_minutes(policy),
        "single_person_share": alone,
        "summary": "unknown: a schedule can't be read"
        if alone is None
        else f"{len(levels)} levels; a single person for {percent(alone)} of the time",
        "levels": levels,
    }


def _standards(index: OnCallIndex) -> list[JsonObject]:
    return [
        {
            "service_id": comparison.service_id,
            "standard_id": comparison.score.standard_id,
            "name": comparison.score.name,
            "passed": comparison.score.passed,
            "ours": comparison.ours,
            "differs": comparison.differs,
            "explanation": comparison.explanation,
        }
        for comparison in compare_standards(index)
    ]
