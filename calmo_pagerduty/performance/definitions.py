"""PagerDuty's metrics of several incidents, by PagerDuty's definitions and under PagerDuty's names. Pure.

Source: PagerDuty's API reference, `POST /analytics/metrics/incidents/…`. Means are in whole seconds; what
did not happen is left out of a mean, and a mean of nothing is None.
"""

import math
from collections.abc import Iterable, Sequence

from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds, union
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.performance.measured import Measured
from calmo_pagerduty.snapshots.incident_measures import IncidentMeasures

PERCENTILES = (50, 75, 90, 95)


def pagerduty_metrics(rows: Sequence[Measured], window: Span) -> JsonObject:
    """Return the metrics of the incidents that were created within the window.

    If an incident's measures are unknown, all that would need them is None: a part is not the whole.
    """
    all_measures = [row.measures for row in rows]
    known = [measures for measures in all_measures if measures is not None]
    resolves = [row.seconds_to_resolve for row in rows]
    metrics: JsonObject = {
        "total_incident_count": len(rows),
        "total_incidents_auto_resolved": sum(row.incident.is_auto_resolved is True for row in rows),
        "mean_seconds_to_resolve": mean(resolves),
        **{f"p{percent}_seconds_to_resolve": percentile(resolves, percent) for percent in PERCENTILES},
        "up_time_pct": up_time(rows, window),
    }
    measured = _measured(known)
    if len(known) < len(rows):
        measured = dict.fromkeys(measured)
    return metrics | measured


def mean(values: Iterable[int | None]) -> int | None:
    """Return the mean in whole seconds of what is not None; None if all are."""
    present = [value for value in values if value is not None]
    return round(sum(present) / len(present)) if present else None


def percentile(values: Iterable[int | None], percent: int) -> int | None:
    """Return the nearest-rank percentile of what is not None; None if all are."""
    present = sorted(value for value in values if value is not None)
    return present[max(0, math.ceil(len(present) * percent / 100) - 1)] if present else None


def up_time(rows: Iterable[Measured], window: Span) -> float | None:
    """Return the share of the window without a major incident, in percent; None if unknown.

    Overlapping incidents count once. An open incident lasts until the window's end.
    """
    spans = []
    for row in rows:
        if row.measures is None or row.measures.is_major is None:
            return None
        if row.measures.is_major:
            end = window.end if row.incident.resolved_at is None else row.incident.resolved_at
            spans.append(Span(row.incident.created_at, end))
    down = total_seconds(clip(union(spans), window))
    return round(100 * (1 - down / window.seconds), 4) if window.seconds > 0 else None


def _measured(known: Sequence[IncidentMeasures]) -> JsonObject:
    acks = [row.seconds_to_first_ack for row in known]
    efforts = [
        row.engaged_seconds if row.user_defined_seconds is None else row.user_defined_seconds for row in known
    ]
    bands = {
        "business_hour": sum(row.business_interruptions for row in known),
        "off_hour": sum(row.off_interruptions for row in known),
        "sleep_hour": sum(row.sleep_interruptions for row in known),
    }
    return {
        "mean_assignment_count": mean(row.assignments for row in known),
        "mean_engaged_seconds": mean(row.engaged_seconds for row in known),
        "mean_engaged_user_count": mean(row.engaged_users for row in known),
        "mean_seconds_to_engage": mean(row.seconds_to_engage for row in known),
        "mean_seconds_to_first_ack": mean(acks),
        "mean_seconds_to_mobilize": mean(row.seconds_to_mobilize for row in known),
        "mean_user_defined_engaged_seconds": mean(efforts),
        **{f"p{percent}_seconds_to_first_ack": percentile(acks, percent) for percent in PERCENTILES},
        **{f"total_{name}_interruptions": count for name, count in bands.items()},
        "total_interruptions": sum(bands.values()),
        "total_engaged_seconds": sum(row.engaged_seconds for row in known),
        "total_user_defined_engaged_seconds": sum(efforts),
        "total_escalation_count": sum(row.escalations for row in known),
        "total_incidents_acknowledged": sum(row.acknowledgements > 0 for row in known),
        "total_incidents_manual_escalated": sum(row.manual_escalations > 0 for row in known),
        "total_incidents_reassigned": sum(row.reassignments > 0 for row in known),
        "total_incidents_timeout_escalated": sum(row.timeout_escalations > 0 for row in known),
        "total_notifications": sum(row.notifications for row in known),
        "total_snoozed_seconds": sum(row.snoozed_seconds for row in known),
    }
