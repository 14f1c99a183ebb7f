"""/analytics/metrics/incidents/…: sums and means over many incidents."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.incident_measures import Measures
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.rest.analytics_query import AnalyticsQuery, read_query, selected
from pagerduty_simulator.rest.answers import Answer
from pagerduty_simulator.rest.calls import Call, Operation

# What a row is grouped by: the fields that name the group.
Grouping = Callable[[Measures], tuple[tuple[str, str | None], ...]]

_PERCENTILES: Final = (50, 75, 90, 95)


def _mean(values: Iterable[int | None]) -> int | None:
    known = [one for one in values if one is not None]
    return round(sum(known) / len(known)) if known else None


def _percentile(values: Iterable[int | None], percent: int) -> int | None:
    known = sorted(one for one in values if one is not None)
    return known[math.ceil(len(known) * percent / 100) - 1] if known else None


def summary(rows: Sequence[Measures]) -> JsonObject:
    """Return the metrics of several incidents; lengths are seconds."""
    hours = [one.interruptions() for one in rows]
    return {
        "mean_assignment_count": _mean(one.assignment_count for one in rows),
        "mean_engaged_seconds": _mean(one.engaged_seconds for one in rows),
        "mean_engaged_user_count": _mean(len(one.engaged) for one in rows),
        "mean_seconds_to_engage": _mean(one.seconds_to_first_ack for one in rows),
        "mean_seconds_to_first_ack": _mean(one.seconds_to_first_ack for one in rows),
        "mean_seconds_to_mobilize": _mean(one.seconds_to_mobilize for one in rows),
        "mean_seconds_to_resolve": _mean(one.seconds_to_resolve for one in rows),
        "mean_user_defined_engaged_seconds": _mean(one.engaged_seconds for one in rows),
        "total_business_hour_interruptions": sum(one["business"] for one in hours),
        "total_off_hour_interruptions": sum(one["off"] for one in hours),
        "total_sleep_hour_interruptions": sum(one["sleep"] for one in hours),
        "total_interruptions": sum(sum(one.values()) for one in hours),
        "total_engaged_seconds": sum(one.engaged_seconds for one in rows),
        "total_escalation_count": sum(one.manual_escalations + one.timeout_escalations for one in rows),
        "total_incident_count": len(rows),
        "total_incidents_acknowledged": sum(one.acknowledgement_count > 0 for one in rows),
        "total_incidents_auto_resolved": sum(one.auto_resolved for one in rows),
        "total_incidents_manual_escalated": sum(one.manual_escalations > 0 for one in rows),
        "total_incidents_reassigned": sum(one.reassignment_count > 0 for one in rows),
        "total_incidents_timeout_escalated": sum(one.timeout_escalations > 0 for one in rows),
        "total_notifications": sum(len(one.notified) for one in rows),
        "total_snoozed_seconds": sum(one.snoozed_seconds for one in rows),
        "total_user_defined_engaged_seconds": sum(one.engaged_seconds for one in rows),
    }


def _percentiles(rows: Sequence[Measures]) -> JsonObject:
    found: JsonObject = {}
    for percent in _PERCENTILES:
        acks = (one.seconds_to_first_ack for one in rows)
        found[f"p{percent}_seconds_to_first_ack"] = _percentile(acks, percent)
        resolves = (one.seconds_to_resolve for one in rows)
        found[f"p{percent}_seconds_to_resolve"] = _percentile(resolves, percent)
    return found


def _up_time(query: AnalyticsQuery, rows: Sequence[Measures]) -> JsonObject:
    """Return the share of the time without a major incident, in percent."""
    down, reached = timedelta(0), query.since
    for one in rows:
        if one.major:
            begin = max(one.incident.created_at, reached)
            end = min(one.incident.resolved_at or query.until, query.until)
            if end > begin:
                down, reached = down + (end - begin), end
    return {"up_time_pct": round(100 * (1 - down / (query.until - query.since)), 4)}


def _bucket(query: AnalyticsQuery, one: Measures) -> datetime | None:
    if query.unit is None:
        return None
    day = one.incident.created_at.astimezone(query.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    if query.unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if query.unit == "month" else day


def _answer(call: Call, grouping: Grouping | None) -> Answer:
    query = read_query(call)
    groups: dict[tuple[datetime | None, tuple[tuple[str, str | None], ...]], list[Measures]] = {}
    for one in selected(call, query):
        group = grouping(one) if grouping else ()
        groups.setdefault((_bucket(query, one), group), []).append(one)
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


def _by_service(one: Measures) -> tuple[tuple[str, str | None], ...]:
    service, team = one.incident.service, next(iter(one.incident.teams), None)
    return (
        ("service_id", service.id),
        ("service_name", service.name),
        ("team_id", team.id if team else None),
        ("team_name", team.name if team else None),
    )


def _by_team(one: Measures) -> tuple[tuple[str, str | None], ...]:
    team = next(iter(one.incident.teams), None)
    return (("team_id", team.id if team else None), ("team_name", team.name if team else None))


def _by_policy(one: Measures) -> tuple[tuple[str, str | None], ...]:
    policy = one.incident.escalation_policy
    named = (("escalation_policy_id", policy.id), ("escalation_policy_name", policy.name))
    return (*named, *_by_team(one))


def _all_in_one(_: Measures) -> tuple[tuple[str, str | None], ...]:
    return ()


def _metrics(operation_id: str, path: str, grouping: Grouping | None) -> Operation:
    full = f"/analytics/metrics/incidents/{path}"
    # These read, yet PagerDuty asks for the scope that writes.
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
