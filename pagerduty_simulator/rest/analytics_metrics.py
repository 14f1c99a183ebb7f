"""/analytics/metrics/incidents/…: sums, means and percentiles over many incidents."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.incident_measures import Measures
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.analytics_query import AnalyticsQuery, read_query, selected
from pagerduty_simulator.rest.answers import Answer
from pagerduty_simulator.rest.calls import Call, Operation

# Returns the fields that name a row's group.
Grouping = Callable[[Measures], tuple[tuple[str, str | None], ...]]

_PERCENTILES: Final = (50, 75, 90, 95)


def _mean(values: Iterable[int | None]) -> int | None:
    present = [value for value in values if value is not None]
    return round(sum(present) / len(present)) if present else None


def _percentile(values: Iterable[int | None], percent: int) -> int | None:
    present = sorted(value for value in values if value is not None)
    return present[math.ceil(len(present) * percent / 100) - 1] if present else None


def summary(rows: Sequence[Measures]) -> JsonObject:
    """Return the metrics of several incidents; durations are in seconds."""
    hours = [row.interruptions() for row in rows]
    return {
        "mean_assignment_count": _mean(row.assignment_count for row in rows),
        "mean_engaged_seconds": _mean(row.engaged_seconds for row in rows),
        "mean_engaged_user_count": _mean(len(row.engaged) for row in rows),
        "mean_seconds_to_engage": _mean(row.seconds_to_first_ack for row in rows),
        "mean_seconds_to_first_ack": _mean(row.seconds_to_first_ack for row in rows),
        "mean_seconds_to_mobilize": _mean(row.seconds_to_mobilize for row in rows),
        "mean_seconds_to_resolve": _mean(row.seconds_to_resolve for row in rows),
        "mean_user_defined_engaged_seconds": _mean(row.engaged_seconds for row in rows),
        "total_business_hour_interruptions": sum(counts["business"] for counts in hours),
        "total_off_hour_interruptions": sum(counts["off"] for counts in hours),
        "total_sleep_hour_interruptions": sum(counts["sleep"] for counts in hours),
        "total_interruptions": sum(sum(counts.values()) for counts in hours),
        "total_engaged_seconds": sum(row.engaged_seconds for row in rows),
        "total_escalation_count": sum(row.manual_escalations + row.timeout_escalations for row in rows),
        "total_incident_count": len(rows),
        "total_incidents_acknowledged": sum(row.acknowledgement_count > 0 for row in rows),
        "total_incidents_auto_resolved": sum(row.auto_resolved for row in rows),
        "total_incidents_manual_escalated": sum(row.manual_escalations > 0 for row in rows),
        "total_incidents_reassigned": sum(row.reassignment_count > 0 for row in rows),
        "total_incidents_timeout_escalated": sum(row.timeout_escalations > 0 for row in rows),
        "total_notifications": sum(len(row.notified) for row in rows),
        "total_snoozed_seconds": sum(row.snoozed_seconds for row in rows),
        "total_user_defined_engaged_seconds": sum(row.engaged_seconds for row in rows),
    }


def _percentiles(rows: Sequence[Measures]) -> JsonObject:
    percentiles: JsonObject = {}
    for percent in _PERCENTILES:
        acks = (row.seconds_to_first_ack for row in rows)
        percentiles[f"p{percent}_seconds_to_first_ack"] = _percentile(acks, percent)
        resolves = (row.seconds_to_resolve for row in rows)
        percentiles[f"p{percent}_seconds_to_resolve"] = _percentile(resolves, percent)
    return percentiles


def _up_time(query: AnalyticsQuery, rows: Sequence[Measures]) -> JsonObject:
    """Return the share of the time without a major incident, in percent."""
    down, reached = timedelta(0), query.since
    for row in rows:
        if row.major:
            begin = max(row.incident.created_at, reached)
            end = min(row.incident.resolved_at or query.until, query.until)
            if end > begin:
                down, reached = down + (end - begin), end
    return {"up_time_pct": round(100 * (1 - down / (query.until - query.since)), 4)}


def _bucket(query: AnalyticsQuery, measures: Measures) -> datetime | None:
    if query.unit is None:
        return None
    day = measures.incident.created_at.astimezone(query.zone).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    if query.unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if query.unit == "month" else day


def _answer(call: Call, grouping: Grouping | None) -> Answer:
    query = read_query(call)
    groups: dict[tuple[datetime | None, tuple[tuple[str, str | None], ...]], list[Measures]] = {}
    for measures in selected(call, query):
        group = grouping(measures) if grouping else ()
        groups.setdefault((_bucket(query, measures), group), []).append(measures)
    data = []
    for (begin, group), rows in groups.items():
        row = summary(rows) | dict(group)
        row |= _up_time(query, rows) if grouping else _percentiles(rows)
        if begin is not None:
            row["range_start"] = query.local(begin)
        data.append(row)
    body: JsonObject = {"data": data, "filters": query.filters, "time_zone": query.zone.key}
    for name in ("order", "order_by", "aggregate_unit"):
        if call.body.get(name) is not None:
            body[name] = call.body[name]
    if order_by := call.body.get("order_by"):
        data.sort(key=lambda row: str(row.get(order_by)), reverse=query.order == "desc")
    return Answer(200, body)


def _by_service(measures: Measures) -> tuple[tuple[str, str | None], ...]:
    service, team = measures.incident.service, next(iter(measures.incident.teams), None)
    return (
        ("service_id", service.id),
        ("service_name", service.name),
        ("team_id", team.id if team else None),
        ("team_name", team.name if team else None),
    )


def _by_team(measures: Measures) -> tuple[tuple[str, str | None], ...]:
    team = next(iter(measures.incident.teams), None)
    return (("team_id", team.id if team else None), ("team_name", team.name if team else None))


def _by_policy(measures: Measures) -> tuple[tuple[str, str | None], ...]:
    policy = measures.incident.escalation_policy
    named = (("escalation_policy_id", policy.id), ("escalation_policy_name", policy.name))
    return (*named, *_by_team(measures))


def _all_in_one(_: Measures) -> tuple[tuple[str, str | None], ...]:
    return ()


def _metrics(operation_id: str, path: str, grouping: Grouping | None) -> Operation:
    full = f"/analytics/metrics/incidents/{path}"
    # These operations only read, but PagerDuty requires the scope for writing.
    return Operation(
        operation_id, "POST", full, lambda call: _answer(call, grouping), "analytics.write", takes_body=True
    )


_NAME: Final = "getAnalyticsMetricsIncidents"

OPERATIONS: Final = (
    _metrics(f"{_NAME}All", "all", None),
    _metrics(f"{_NAME}Service", "services", _by_service),
    _metrics(f"{_NAME}ServiceAll", "services/all", _all_in_one),
    _metrics(f"{_NAME}Team", "teams", _by_team),
    _metrics(f"{_NAME}TeamAll", "teams/all", _all_in_one),
    _metrics(f"{_NAME}EscalationPolicy", "escalation_policies", _by_policy),
    _metrics(f"{_NAME}EscalationPolicyAll", "escalation_policies/all", _all_in_one),
)
