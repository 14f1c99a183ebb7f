"""/analytics/metrics/responders/…: how long users were on call, interrupted and engaged."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.incident_measures import Measures
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Team, User
from pagerduty_simulator.rest.analytics_query import AnalyticsQuery, read_query, selected
from pagerduty_simulator.rest.answers import Answer
from pagerduty_simulator.rest.calls import Call, Operation
from pagerduty_simulator.shifts import cut


def _answer(call: Call, *, by_team: bool) -> Answer:
    query = read_query(call, "date_range_start", "date_range_end")
    rows = selected(call, query)
    requested = frozenset(query.filters.get("responder_ids") or call.account.users)
    users = [user for user in call.account.users.values() if user.id in requested]
    data = []
    if by_team:
        for user in users:
            for team in call.account.teams_of(user):
                data.append(_named(user, team) | _row(call, query, rows, [user], team))
    else:
        data.append(_row(call, query, rows, users, None))
    body: JsonObject = {"data": data, "filters": query.filters, "time_zone": query.zone.key}
    return Answer(200, body)


def _named(user: User, team: Team) -> JsonObject:
    return {
        "responder_id": user.id,
        "responder_name": user.name,
        "team_id": team.id,
        "team_name": team.name,
    }


def _row(
    call: Call, query: AnalyticsQuery, rows: Sequence[Measures], users: Sequence[User], team: Team | None
) -> JsonObject:
    ids = {user.id for user in users}
    of_team = [row for row in rows if team is None or team in row.incident.teams]
    mine = [
        row
        for row in of_team
        if not ids.isdisjoint(responder.id for responder in (*row.assigned_to, *row.engaged))
    ]
    acked = [row for row in mine if not ids.isdisjoint(responder.id for responder in row.acknowledged_by)]
    hours = [row.interruptions(user_id) for row in mine for user_id in ids]
    waits = [row.seconds_to_first_ack for row in acked if row.seconds_to_first_ack is not None]
    engaged = sum(row.engaged_seconds for row in acked)
    first = sum(_on_call_seconds(call, query, user, team, slice(0, 1)) for user in users)
    other = sum(_on_call_seconds(call, query, user, team, slice(1, None)) for user in users)
    either = sum(_on_call_seconds(call, query, user, team, slice(None)) for user in users)
    return {
        "mean_engaged_seconds": round(engaged / len(acked)) if acked else None,
        "mean_time_to_acknowledge_seconds": round(sum(waits) / len(waits)) if waits else None,
        "total_business_hour_interruptions": sum(counts["business"] for counts in hours),
        "total_off_hour_interruptions": sum(counts["off"] for counts in hours),
        "total_sleep_hour_interruptions": sum(counts["sleep"] for counts in hours),
        "total_interruptions": sum(sum(counts.values()) for counts in hours),
        "total_engaged_seconds": engaged,
        "total_incident_count": len(mine),
        "total_incidents_acknowledged": len(acked),
        "total_incidents_manual_escalated_from": sum(row.manual_escalations > 0 for row in mine),
        "total_incidents_manual_escalated_to": 0,
        "total_incidents_reassigned_from": sum(row.reassignment_count > 0 for row in mine),
        "total_incidents_reassigned_to": 0,
        "total_incidents_timeout_escalated_from": sum(row.timeout_escalations > 0 for row in mine),
        "total_incidents_timeout_escalated_to": 0,
        "total_notifications": sum(sum(responder.id in ids for _, responder in row.notified) for row in mine),
        "total_seconds_on_call": either,
        "total_seconds_on_call_level_1": first,
        "total_seconds_on_call_level_2_plus": other,
    }


def _on_call_seconds(call: Call, query: AnalyticsQuery, user: User, team: Team | None, levels: slice) -> int:
    """Return how many seconds the user was on call on these levels; overlaps count once."""
    spans: list[tuple[datetime, datetime]] = []
    for policy in call.account.escalation_policies.values():
        if team is not None and team not in policy.teams:
            continue
        for target in (target for level in policy.levels[levels] for target in level):
            if isinstance(target, User):
                if target.id == user.id:
                    spans.append((query.since, query.until))
                continue
            schedule = call.account.belongings.schedules[target.id]
            shifts = cut(schedule.final_shifts(query.since, query.until), query.since, query.until)
            spans.extend((shift.start, shift.end) for shift in shifts if shift.user_id == user.id)
    total, reached = timedelta(0), query.since
    for begin, end in sorted(spans):
        if end > reached:
            total += end - max(begin, reached)
            reached = end
    return round(total.total_seconds())


_NAME: Final = "getAnalyticsMetricsResponders"
_PATH: Final = "/analytics/metrics/responders"
_SCOPE: Final = "analytics.write"

OPERATIONS: Final = (
    Operation(
        f"{_NAME}All",
        "POST",
        f"{_PATH}/all",
        lambda call: _answer(call, by_team=False),
        _SCOPE,
        takes_body=True,
    ),
    Operation(
        f"{_NAME}Team",
        "POST",
        f"{_PATH}/teams",
        lambda call: _answer(call, by_team=True),
        _SCOPE,
        takes_body=True,
    ),
)
