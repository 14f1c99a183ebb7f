"""Turn what coverage found into findings: title, evidence, what to do, how to verify and to undo. Pure.

Times in texts are in the zone that the caller gives, as a rule the account's.
"""

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from calmo_pagerduty.coverage.causes import REMEDIES, remedy
from calmo_pagerduty.coverage.model import (
    Agreement,
    Cause,
    Cliff,
    Conflict,
    ConflictKind,
    CoverageReport,
    GapCause,
    OrphanedOverride,
    OrphanKind,
    PolicyCoverage,
)
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.findings.model import Confidence, Entity, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.intervals import intersect, total_seconds
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.time_axis import moment_text, span_text

#: A policy gap is critical if this many incidents are expected in it, or if it begins this soon.
CRITICAL_INCIDENTS = 0.05
CRITICAL_WITHIN = 14 * DAY
#: A finding lists at most this many gaps and objects; `data` has the counts.
MAX_LISTED = 20
_ORPHAN_TEXTS: dict[OrphanKind, str] = {
    OrphanKind.USER_DELETED: "its person was deleted from PagerDuty, so nobody is on call",
    OrphanKind.LEFT_POOL: "its person is no longer among the schedule's people",
    OrphanKind.SHIFT_MOVED: "the shift that it replaces has moved, so it does nothing",
}


class FindingWriter:
    """Writes the findings of one report."""

    def __init__(self, timelines: Timelines, report: CoverageReport, zone: ZoneInfo) -> None:
        self._timelines = timelines
        self._index = timelines.index
        self._report = report
        self._zone = zone
        self._confidence = Confidence.MEDIUM if report.limits else Confidence.HIGH

    def findings(self) -> Iterator[Finding]:
        """Yield all findings of the report, in no particular order."""
        for policy in self._report.policies:
            if policy.gaps:
                yield self._policy_gap(policy)
            if policy.first_level_gaps:
                yield self._first_level_gap(policy)
        yield from map(self._cliff, self._report.cliffs)
        yield from map(self._orphan, self._report.orphans)
        yield from self._objects()
        for conflict in self._report.conflicts:
            if conflict.kind in (ConflictKind.AWAY, ConflictKind.LITTLE_REST):
                yield self._conflict(conflict)

    def _policy_gap(self, policy: PolicyCoverage) -> Finding:
        spans = [gap.span for gap in policy.gaps]
        expected, is_used = policy.expected_dropped_incidents, bool(policy.service_ids)
        severity = FindingSeverity.HIGH
        if not is_used:
            severity = FindingSeverity.LOW
        elif (expected or 0) >= CRITICAL_INCIDENTS or spans[
            0
        ].start < self._report.window.start + CRITICAL_WITHIN:
            severity = FindingSeverity.CRITICAL
        causes = _distinct(why for gap in policy.gaps for why in gap.causes)
        name = self._policy_name(policy.policy_id)
        total = format_duration(total_seconds(spans))
        effect = "Unknown: insufficient data on past incidents."
        if not is_used:
            effect = "None yet: no active service uses the policy."
        elif expected is not None:
            effect = f"{expected:.2g} incidents are expected in the gaps: they would be dropped, not created."
        return Finding(
            code="policy_gap",
            key=policy.policy_id,
            severity=severity,
            confidence=self._confidence,
            title=f"Nobody is on call on any level of {name} for {total},"
            f" first {moment_text(spans[0].start, self._zone)}",
            entities=(
                self._policy(policy.policy_id),
                *self._services(policy.service_ids),
                *self._schedules(causes),
            ),
            evidence=(*self._gap_evidence(policy), *self._risk_evidence(policy)),
            recommendation=remedy(self._timelines, causes)
            or "Give the policy a level with a schedule or a person who is on call then.",
            expected_effect=effect,
            how_to_verify=f"Run `calmo-pagerduty oncall run`, then `calmo-pagerduty coverage --policy"
            f" {policy.policy_id}`: the gap is gone, and the finding resolves by itself.",
            how_to_undo="Remove the override, layer or level that was added.",
            at=spans[0],
            expected_dropped_incidents=expected,
            opens_issue=is_used,
        )

    def _gap_evidence(self, policy: PolicyCoverage) -> Iterator[Evidence]:
        spans = [gap.span for gap in policy.gaps]
        data: JsonObject = {
            "gaps": [
                {"start": gap.span.start, "end": gap.span.end, "expected": gap.expected_dropped_incidents}
                for gap in policy.gaps[:MAX_LISTED]
            ],
            "count": len(spans),
            "seconds": total_seconds(spans),
        }
        listed = "; ".join(span_text(span, self._zone) for span in spans[:3])
        more = f" and {len(spans) - 3} more" if len(spans) > 3 else ""
        yield Evidence(f"Gaps ({self._zone.key}): {listed}{more}.", data)

    def _risk_evidence(self, policy: PolicyCoverage) -> Iterator[Evidence]:
        for risk in sorted(policy.risks, key=lambda risk: (-(risk.expected or 0), risk.service_id))[
            :MAX_LISTED
        ]:
            name = self._index.services[risk.service_id].name
            words = (
                f"Service {name}: insufficient data ({risk.exposure_days:g} days of incidents are known)."
                if risk.expected is None
                else f"Service {name}: {risk.expected:.2g} incidents expected in the gaps, from"
                f" {risk.incidents} in {risk.exposure_days:g} days, by hour of the week."
            )
            yield Evidence(
                words,
                {"service_id": risk.service_id, "expected": risk.expected, "incidents": risk.incidents,
                 "exposure_days": risk.exposure_days},
            )  # fmt: skip

    def _first_level_gap(self, policy: PolicyCoverage) -> Finding:
        spans = list(policy.first_level_gaps)
        rule = self._index.policies[policy.policy_id].rules[0]
        causes = [
            gap.why
            for schedule in self._report.schedules
            if any(target.id == schedule.schedule_id for target in rule.targets)
            for gap in schedule.gaps
            if intersect([gap.span], spans)
        ]
        why = _distinct(causes)
        intended = bool(why) and all(
            w.cause in (Cause.RESTRICTION, Cause.RECURRENCE, Cause.INTENDED) for w in why
        )
        name = self._policy_name(policy.policy_id)
        return Finding(
            code="first_level_gap",
            key=policy.policy_id,
            severity=FindingSeverity.INFO if intended or not policy.service_ids else FindingSeverity.MEDIUM,
            confidence=self._confidence,
            title=f"The first level of {name} is empty for {format_duration(total_seconds(spans))}:"
            " a later level is paged at once",
            entities=(self._policy(policy.policy_id), *self._schedules(why)),
            evidence=(
                Evidence(
                    f"First {span_text(spans[0], self._zone)} ({self._zone.key}),"
                    f" {count_text(len(spans), 'time')} in all.",
                    {"count": len(spans), "seconds": total_seconds(spans),
                     "gaps": [list(span) for span in spans[:MAX_LISTED]]},
                ),
            ),
            recommendation=remedy(self._timelines, why) or "Put somebody on the first level then.",
            expected_effect="The people of the later level are paged only if the first one does not answer.",
            how_to_verify=f"Run `calmo-pagerduty coverage --policy {policy.policy_id}` on a new snapshot.",
            how_to_undo="Remove the override or layer that was added.",
            at=spans[0],
        )  # fmt: skip

    def _cliff(self, cliff: Cliff) -> Finding:
        schedule = self._index.schedules[cliff.schedule_id]
        users = [p for p in self._report.policies if cliff.schedule_id in self._schedule_ids(p.policy_id)]
        is_used = any(policy.service_ids for policy in users)
        has_policy_gap = any(
            intersect([gap.span for gap in policy.gaps], cliff.gaps) for policy in users if policy.service_ids
        )
        zone = time_zone(schedule.time_zone) or self._zone
        what = {Cause.LAYER_ENDED: "A layer", Cause.ROTATION_ENDED: "A rotation"}.get(
            cliff.why.cause, "The last override"
        )
        return Finding(
            code="coverage_cliff",
            key=f"{cliff.schedule_id}:{cliff.why.part_id or ''}",
            severity=FindingSeverity.HIGH if is_used else FindingSeverity.INFO,
            confidence=self._confidence,
            title=f"{what} of schedule {schedule.name} ends"
            f" {moment_text(cliff.why.ended_at or cliff.at, zone)}:"
            f" nobody follows from {moment_text(cliff.at, zone)}",
            entities=(
                Entity("schedule", schedule.id, schedule.name, schedule.html_url),
                *(self._policy(policy.policy_id) for policy in users[:MAX_LISTED]),
            ),
            evidence=(
                Evidence(
                    f"{count_text(len(cliff.gaps), 'gap')},"
                    f" {format_duration(total_seconds(cliff.gaps))} in all,"
                    f" the first {span_text(cliff.gaps[0], zone)} ({zone.key}).",
                    {"ended_at": cliff.why.ended_at, "part_id": cliff.why.part_id, "cause": cliff.why.cause,
                     "count": len(cliff.gaps), "seconds": total_seconds(cliff.gaps)},
                ),
            ),
            recommendation=f"Schedule {schedule.name}: {REMEDIES[cliff.why.cause]}.",
            expected_effect="The schedule stays covered after that date.",
            how_to_verify=f"Run `calmo-pagerduty coverage --schedule {schedule.id}` on a new snapshot.",
            how_to_undo="Set the former end again.",
            at=cliff.gaps[0],
            # Where the policy has a gap too, the gap's issue is about the same thing.
            opens_issue=is_used and not has_policy_gap,
        )  # fmt: skip

    def _orphan(self, orphan: OrphanedOverride) -> Finding:
        schedule = self._index.schedules[orphan.schedule_id]
        zone = time_zone(schedule.time_zone) or self._zone
        return Finding(
            code="orphaned_override",
            key=f"{orphan.schedule_id}:{orphan.override_id}",
            severity=FindingSeverity.MEDIUM
            if orphan.kind is not OrphanKind.LEFT_POOL
            else FindingSeverity.LOW,
            confidence=self._confidence,
            title=f"An override of schedule {schedule.name} is orphaned: {_ORPHAN_TEXTS[orphan.kind]}",
            entities=(
                Entity("schedule", schedule.id, schedule.name, schedule.html_url),
                Entity("override", orphan.override_id, orphan.override_id),
            ),
            evidence=(
                Evidence(
                    f"Override {orphan.override_id}, {span_text(orphan.span, zone)} ({zone.key}).",
                    {"override_id": orphan.override_id, "user_id": orphan.user_id, "kind": orphan.kind,
                     "start": orphan.span.start, "end": orphan.span.end},
                ),
            ),
            recommendation="Delete the override, and make it again for the shift and person that are meant.",
            expected_effect="Who is on call then is who was meant to be.",
            how_to_verify=f"Run `calmo-pagerduty coverage --schedule {schedule.id}` on a new snapshot.",
            how_to_undo="Create the override again with the same times and person.",
            at=orphan.span,
        )  # fmt: skip

    def _objects(self) -> Iterator[Finding]:
        """Yield what is about how schedules are used and rendered."""
        for schedule_id in self._report.unused_schedule_ids:
            schedule = self._index.schedules[schedule_id]
            yield self._schedule_note(
                "schedule_in_no_policy", schedule_id, FindingSeverity.INFO,
                f"No escalation policy uses schedule {schedule.name}: it pages nobody",
                "Put the schedule on a level of a policy, or delete it.",
            )  # fmt: skip
        for result in self._report.schedules:
            schedule = self._index.schedules[result.schedule_id]
            if time_zone(schedule.time_zone) is None:
                yield self._schedule_note(
                    "unknown_time_zone", schedule.id, FindingSeverity.LOW,
                    f"The time zone of schedule {schedule.name} is unknown: times are shown in UTC",
                    "Set the schedule's time zone in PagerDuty.",
                )  # fmt: skip
            if result.comparison.agreement is Agreement.DIFFERS:
                yield self._schedule_note(
                    "rendering_differs", schedule.id, FindingSeverity.LOW,
                    f"PagerDuty says that {result.comparison.pagerduty:g} % of schedule {schedule.name}"
                    f" are covered, its entries cover {result.comparison.ours:g} %",
                    "Trust the entries; report the difference to PagerDuty if it stays.",
                )  # fmt: skip

    def _schedule_note(
        self, code: str, schedule_id: str, severity: FindingSeverity, title: str, recommendation: str
    ) -> Finding:
        schedule = self._index.schedules[schedule_id]
        return Finding(
            code=code,
            key=schedule_id,
            severity=severity,
            confidence=self._confidence,
            title=title,
            entities=(Entity("schedule", schedule.id, schedule.name, schedule.html_url),),
            evidence=(
                Evidence(f"Schedule {schedule.id}, zone {schedule.time_zone}.", {"schedule_id": schedule.id}),
            ),
            recommendation=recommendation,
            expected_effect="What is shown here and what PagerDuty does are the same.",
            how_to_verify=f"Run `calmo-pagerduty coverage --schedule {schedule.id}` on a new snapshot.",
            how_to_undo="Change it back in PagerDuty.",
        )  # fmt: skip

    def _conflict(self, conflict: Conflict) -> Finding:
        user = self._index.users.get(conflict.user_id)
        name = user.name if user else conflict.user_id
        is_away = conflict.kind is ConflictKind.AWAY
        hours = format_duration(total_seconds(conflict.spans))
        title = (
            f"{name} is on call for {hours} while away"
            if is_away
            else f"{name} has {count_text(len(conflict.spans), 'rest')} of less than the minimum,"
            f" the shortest {conflict.rest_hours:g} h"
        )
        return Finding(
            code="on_call_while_away" if is_away else "little_rest",
            key=conflict.user_id,
            severity=FindingSeverity.HIGH if is_away else FindingSeverity.LOW,
            confidence=self._confidence,
            title=title,
            entities=(
                Entity("user", conflict.user_id, name, user.html_url if user else None),
                *(self._schedule(id) for id in conflict.object_ids[:MAX_LISTED]),
            ),
            evidence=(
                Evidence(
                    f"First {span_text(conflict.spans[0], self._zone)} ({self._zone.key}).",
                    {"count": len(conflict.spans),
                     "spans": [list(span) for span in conflict.spans[:MAX_LISTED]]},
                ),
            ),
            recommendation="Ask somebody else to cover, by an override." if is_away
            else "Move a shift so that the person can rest.",
            expected_effect="The person is not paged then.",
            how_to_verify="Run `calmo-pagerduty coverage` on a new snapshot: the conflict is gone.",
            how_to_undo="Delete the override.",
            at=conflict.spans[0],
            about_persons=True,
        )  # fmt: skip

    def _policy_name(self, policy_id: str) -> str:
        return self._index.policies[policy_id].name

    def _policy(self, policy_id: str) -> Entity:
        policy = self._index.policies[policy_id]
        return Entity("policy", policy.id, policy.name, policy.html_url)

    def _schedule(self, schedule_id: str) -> Entity:
        schedule = self._index.schedules[schedule_id]
        return Entity("schedule", schedule.id, schedule.name, schedule.html_url)

    def _services(self, ids: Sequence[str]) -> Iterator[Entity]:
        for service in (self._index.services[id] for id in ids[:MAX_LISTED]):
            yield Entity("service", service.id, service.name, service.html_url)

    def _schedules(self, causes: Iterable[GapCause]) -> list[Entity]:
        return [self._schedule(id) for id in dict.fromkeys(why.schedule_id for why in causes)][:MAX_LISTED]

    def _schedule_ids(self, policy_id: str) -> set[str]:
        return {target.id for rule in self._index.policies[policy_id].rules for target in rule.targets}


def _distinct(causes: Iterable[GapCause]) -> list[GapCause]:
    """Return the causes, each kind once per schedule."""
    kept: dict[tuple[str, Cause], GapCause] = {}
    for why in causes:
        kept.setdefault((why.schedule_id, why.cause), why)
    return list(kept.values())
