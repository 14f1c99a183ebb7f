"""A coverage report as a JSON document with names, for REST, the command line and agents. Pure.

Times are ISO 8601 in UTC. Lists of gaps are cut to MAX_SPANS; `count` says how many there are.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.coverage.causes import REMEDIES
from calmo_pagerduty.coverage.model import (
    Cliff,
    Conflict,
    Coverage,
    CoverageReport,
    GapCause,
    OrphanedOverride,
    PolicyCoverage,
    ScheduleCoverage,
    ServiceCoverage,
    ServiceRisk,
)
from calmo_pagerduty.coverage.selection import Selection
from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span, total_seconds
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.on_call import OnCallIndex

MAX_SPANS = 200


class CoverageDocument:
    """Writes the document of a report for a reader."""

    def __init__(self, index: OnCallIndex, report: CoverageReport, persons: PersonVisibility) -> None:
        self._index = index
        self._report = report
        self._persons = persons

    def document(self, selection: Selection) -> JsonObject:
        """Return the report of the selected objects."""
        report = self._report
        conflicts = [
            conflict
            for conflict in report.conflicts
            if selection.schedule_ids is None or set(conflict.object_ids) & selection.schedule_ids
        ]
        visible = [conflict for conflict in conflicts if self._persons.admits([conflict.user_id])]
        return {
            "snapshot_id": self._index.snapshot.id,
            "snapshot_taken_at": iso(self._index.snapshot.taken_at),
            "window": span(report.window),
            "limits": list(report.limits),
            "policies": [self._policy(p) for p in report.policies if _has(selection.policy_ids, p.policy_id)],
            "services": [
                self._service(s) for s in report.services if _has(selection.service_ids, s.service_id)
            ],
            "schedules": [
                self._schedule(s) for s in report.schedules if _has(selection.schedule_ids, s.schedule_id)
            ],
            "cliffs": [self._cliff(c) for c in report.cliffs if _has(selection.schedule_ids, c.schedule_id)],
            "orphaned_overrides": [
                self._orphan(o) for o in report.orphans if _has(selection.schedule_ids, o.schedule_id)
            ],
            "conflicts": [self._conflict(conflict) for conflict in visible],
            "hidden_conflicts": len(conflicts) - len(visible),
            "schedules_in_no_policy": [self.schedule_ref(id) for id in report.unused_schedule_ids],
            "policies_of_no_service": [self.policy_ref(id) for id in report.unused_policy_ids],
            "services_without_policy": [self.service_ref(id) for id in report.service_ids_without_policy],
        }

    def schedule_ref(self, id: str) -> JsonObject:
        return _ref(id, self._index.schedules.get(id))

    def policy_ref(self, id: str) -> JsonObject:
        return _ref(id, self._index.policies.get(id))

    def service_ref(self, id: str) -> JsonObject:
        return _ref(id, self._index.services.get(id))

    def user_ref(self, id: str) -> JsonObject:
        return _ref(id, self._index.users.get(id))

    def _policy(self, policy: PolicyCoverage) -> JsonObject:
        return {
            **self.policy_ref(policy.policy_id),
            **_coverage(policy.coverage),
            "levels": [
                {"level": level.number, "is_empty": level.is_empty, **_coverage(level.coverage)}
                for level in policy.levels
            ],
            "gaps": [
                {
                    **span(gap.span),
                    "expected_dropped_incidents": gap.expected_dropped_incidents,
                    "causes": [self._cause(why) for why in gap.causes],
                }
                for gap in policy.gaps[:MAX_SPANS]
            ],
            "gap_count": len(policy.gaps),
            "gap_seconds": total_seconds([gap.span for gap in policy.gaps]),
            "intended_seconds": total_seconds(policy.intended),
            "first_level_gaps": _spans(policy.first_level_gaps),
            "expected_dropped_incidents": policy.expected_dropped_incidents,
            "services": [{**self.service_ref(risk.service_id), **_risk(risk)} for risk in policy.risks],
        }

    def _service(self, service: ServiceCoverage) -> JsonObject:
        return {
            **self.service_ref(service.service_id),
            "policy": None if service.policy_id is None else self.policy_ref(service.policy_id),
            "percentage": service.percentage,
            "required_seconds": total_seconds(service.required),
            "gaps": _spans(service.gaps),
            "gap_count": len(service.gaps),
            "intended": _spans(service.intended),
            "unknown_seconds": total_seconds(service.unknown),
            **_risk(service.risk),
            "notes": list(service.notes),
        }

    def _schedule(self, schedule: ScheduleCoverage) -> JsonObject:
        found = self._index.schedules[schedule.schedule_id]
        return {
            **self.schedule_ref(schedule.schedule_id),
            "time_zone": found.time_zone,
            **(_coverage(schedule.coverage) if schedule.coverage else {"percentage": None}),
            "gaps": [{**span(gap.span), **self._cause(gap.why)} for gap in schedule.gaps[:MAX_SPANS]],
            "gap_count": len(schedule.gaps) if schedule.coverage else None,
            "intended": _spans(schedule.intended),
            "rendered_coverage": {
                "agreement": schedule.comparison.agreement.value,
                "ours": schedule.comparison.ours,
                "pagerduty": schedule.comparison.pagerduty,
                "explanation": schedule.comparison.explanation,
            },
            "policies": [self.policy_ref(id) for id in schedule.policy_ids],
            "read_at": None if found.read_at is None else iso(found.read_at),
            "agreed_until": None if found.agreed_until is None else iso(found.agreed_until),
        }

    def _cause(self, why: GapCause) -> JsonObject:
        return {
            "schedule": self.schedule_ref(why.schedule_id),
            "cause": why.cause.value,
            "remedy": REMEDIES[why.cause],
            "ended_at": None if why.ended_at is None else iso(why.ended_at),
        }

    def _cliff(self, cliff: Cliff) -> JsonObject:
        return {"at": iso(cliff.at), **self._cause(cliff.why), "gaps": _spans(cliff.gaps)}

    def _orphan(self, orphan: OrphanedOverride) -> JsonObject:
        return {
            "schedule": self.schedule_ref(orphan.schedule_id),
            "override_id": orphan.override_id,
            "kind": orphan.kind.value,
            **span(orphan.span),
        }

    def _conflict(self, conflict: Conflict) -> JsonObject:
        return {
            "kind": conflict.kind.value,
            "person": self.user_ref(conflict.user_id),
            "object_ids": list(conflict.object_ids),
            "spans": _spans(conflict.spans),
            "count": len(conflict.spans),
            "seconds": total_seconds(conflict.spans),
            "rest_hours": conflict.rest_hours,
        }


def iso(at: int) -> str:
    """Return a moment as `2026-03-01T09:00:00Z`."""
    return format_iso_utc(datetime.fromtimestamp(at, UTC))


def span(time: Span) -> JsonObject:
    return {"start": iso(time.start), "end": iso(time.end), "seconds": time.seconds}


def _spans(spans: Sequence[Span]) -> list[JsonObject]:
    return [span(time) for time in spans[:MAX_SPANS]]


def _coverage(coverage: Coverage) -> JsonObject:
    return {"percentage": coverage.percentage, "unknown_seconds": total_seconds(coverage.unknown)}


def _risk(risk: ServiceRisk) -> JsonObject:
    return {
        "expected_dropped_incidents": risk.expected,
        "past_incidents": risk.incidents,
        "past_days": risk.exposure_days,
    }


def _ref(id: str, found: Any) -> JsonObject:
    return {
        "id": id,
        "name": id if found is None else found.name,
        "html_url": None if found is None else found.html_url,
    }


def _has(ids: Collection[str] | None, id: str) -> bool:
    return ids is None or id in ids
