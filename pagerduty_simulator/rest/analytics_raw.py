"""/analytics/raw/…: single incidents with their measures."""

from collections.abc import Callable
from typing import Any, Final

from pagerduty_simulator.incident_measures import Measures
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import User
from pagerduty_simulator.rest.analytics_query import AnalyticsQuery, measures_of, read_query, selected
from pagerduty_simulator.rest.answers import Answer, invalid
from pagerduty_simulator.rest.business_services import priority_order
from pagerduty_simulator.rest.calls import Call, Operation, a_read, lookup, parse_moment

_LARGEST_PAGE: Final = 1_000
_ORDERS: Final[dict[str, Callable[[Measures], Any]]] = {
    "created_at": lambda measures: measures.incident.created_at,
    "updated_at": lambda measures: measures.updated_at,
    "seconds_to_resolve": lambda measures: measures.seconds_to_resolve or 0,
    "incident_created_at": lambda measures: measures.incident.created_at,
}


def _named(prefix: str, users: tuple[User, ...]) -> JsonObject:
    return {
        f"{prefix}_user_ids": [user.id for user in users],
        f"{prefix}_user_names": [user.name for user in users],
    }


def _incident(call: Call, query: AnalyticsQuery, measures: Measures) -> JsonObject:
    incident, hours = measures.incident, measures.interruptions()
    team, priority = next(iter(incident.teams), None), incident.priority
    return {
        **_named("acknowledged", measures.acknowledged_by),
        **_named("assigned", measures.assigned_to),
        **_named("joined", measures.joined),
        "acknowledgement_count": measures.acknowledgement_count,
        "active_user_count": len(measures.engaged),
        "assignment_count": measures.assignment_count,
        "auto_resolved": measures.auto_resolved,
        "business_hour_interruptions": hours["business"],
        "created_at": query.local(incident.created_at),
        "description": incident.title,
        "engaged_seconds": measures.engaged_seconds,
        "engaged_user_count": len(measures.engaged),
        "escalation_count": measures.manual_escalations + measures.timeout_escalations,
        "escalation_policy_id": incident.escalation_policy.id,
        "escalation_policy_name": incident.escalation_policy.name,
        "id": incident.id,
        "incident_number": incident.number,
        "incident_type_id": incident.incident_type,
        "incident_type_name": incident.incident_type,
        "major": measures.major,
        "manual_escalation_count": measures.manual_escalations,
        "off_hour_interruptions": hours["off"],
        "priority_id": priority.id if priority else None,
        "priority_name": priority.name if priority else None,
        "priority_order": priority_order(call, priority) if priority else None,
        "reassignment_count": measures.reassignment_count,
        "resolved_at": query.local(incident.resolved_at),
        "resolved_by_user_id": measures.resolved_by.id if measures.resolved_by else None,
        "resolved_by_user_name": measures.resolved_by.name if measures.resolved_by else None,
        "seconds_to_engage": measures.seconds_to_first_ack,
        "seconds_to_first_ack": measures.seconds_to_first_ack,
        "seconds_to_mobilize": measures.seconds_to_mobilize,
        "seconds_to_resolve": measures.seconds_to_resolve,
        "service_id": incident.service.id,
        "service_name": incident.service.name,
        "sleep_hour_interruptions": hours["sleep"],
        "snoozed_seconds": measures.snoozed_seconds,
        "status": str(incident.status),
        "team_id": team.id if team else None,
        "team_name": team.name if team else None,
        "timeout_escalation_count": measures.timeout_escalations,
        "total_interruptions": sum(hours.values()),
        "total_notifications": len(measures.notified),
        "updated_at": query.local(measures.updated_at),
        "urgency": incident.urgency,
        "user_defined_effort_seconds": None,
    }


def _paged(
    call: Call, query: AnalyticsQuery, rows: list[Measures], order_by: str, render: Callable[[Measures], Any]
) -> JsonObject:
    """Return the page that follows `starting_after`, an incident's id. Raises RestError (400)."""
    order_by = call.body.get("order_by") or order_by
    if order_by not in _ORDERS or query.order not in {"asc", "desc"}:
        raise invalid("order or order_by is unknown")
    limit = call.body.get("limit", 100)
    if not isinstance(limit, int) or not 1 <= limit <= _LARGEST_PAGE:
        raise invalid("limit must be between 1 and 1000")
    rows = sorted(rows, key=lambda row: row.incident.id)
    rows.sort(key=_ORDERS[order_by], reverse=query.order == "desc")
    first = 0
    if after := call.body.get("starting_after"):
        ids = [row.incident.id for row in rows]
        if after not in ids:
            raise invalid("starting_after is unknown")
        first = ids.index(after) + 1
    shown = rows[first : first + limit]
    return {
        "first": shown[0].incident.id if shown else "",
        "last": shown[-1].incident.id if shown else "",
        "limit": limit,
        "more": first + limit < len(rows),
        "order": query.order,
        "order_by": order_by,
        "filters": query.filters,
        "time_zone": query.zone.key,
        "data": [render(row) for row in shown],
    }


def _list(call: Call) -> Answer:
    query = read_query(call)
    rows = selected(call, query)
    if after := query.filters.get("updated_after"):
        moment = parse_moment(after, "updated_after")
        rows = [row for row in rows if row.updated_at > moment]
    if types := query.filters.get("incident_type_ids"):
        rows = [row for row in rows if row.incident.incident_type in types]
    return Answer(200, _paged(call, query, rows, "created_at", lambda row: _incident(call, query, row)))


def _get(call: Call) -> Answer:
    incident = lookup(call.account.incidents, call.parameters[0])
    query = read_query(call, bound=False)
    return Answer(200, _incident(call, query, measures_of(call, incident.id)))


def _responses(call: Call) -> Answer:
    incident = lookup(call.account.incidents, call.parameters[0])
    query = read_query(call, bound=False)
    entries = call.account.log.of(incident.id)
    rows = []
    for responder in incident.responders:
        asked_at = responder.requested_at or incident.created_at
        replied_at = responder.updated_at if responder.state in {"joined", "declined"} else None
        rows.append((asked_at, replied_at, responder.user, responder.state, "added_responder"))
    acknowledged = {
        entry.agent.id: entry.created_at for entry in entries if entry.kind == "acknowledge" and entry.agent
    }
    for user in measures_of(call, incident.id).assigned_to:
        at = acknowledged.get(user.id)
        state = "joined" if at else "pending"
        rows.append((incident.created_at, at, user, state, "assigned"))
    responses = [
        {
            "responder_id": user.id,
            "responder_name": user.name,
            "response_status": state,
            "responder_type": kind,
            "requested_at": query.local(asked_at),
            "responded_at": query.local(replied_at),
            "time_to_respond_seconds": round((replied_at - asked_at).total_seconds()) if replied_at else None,
        }
        for asked_at, replied_at, user, state, kind in sorted(rows, key=lambda row: row[0])
    ]
    head = {"incident_id": incident.id, "limit": 100, "order": "asc", "order_by": "requested_at"}
    return Answer(200, {**head, "time_zone": query.zone.key, "responses": responses})


def _of_responder(call: Call) -> Answer:
    user = lookup(call.account.users, call.parameters[0])
    query = read_query(call, bound=False)
    ids = {user.id}
    rows = [
        measures
        for measures in selected(call, query)
        if not ids.isdisjoint(user.id for user in (*measures.assigned_to, *measures.engaged))
    ]

    def render(measures: Measures) -> JsonObject:
        return _responder_row(call, query, measures, user)

    body = _paged(call, query, rows, "incident_created_at", render)
    del body["more"]
    return Answer(200, body | {"responder_id": user.id})


def _responder_row(call: Call, query: AnalyticsQuery, measures: Measures, user: User) -> JsonObject:
    incident, hours = measures.incident, measures.interruptions(user.id)
    team, priority = next(iter(incident.teams), None), incident.priority
    acknowledged = user.id in {user.id for user in measures.acknowledged_by}
    return {
        "incident_created_at": query.local(incident.created_at),
        "incident_description": incident.title,
        "incident_id": incident.id,
        "incident_number": incident.number,
        "incident_priority_id": priority.id if priority else None,
        "incident_priority_name": priority.name if priority else None,
        "incident_priority_order": priority_order(call, priority) if priority else None,
        "incident_urgency": incident.urgency,
        "mean_time_to_acknowledge_seconds": measures.seconds_to_first_ack if acknowledged else None,
        "responder_id": user.id,
        "responder_name": user.name,
        "service_id": incident.service.id,
        "service_name": incident.service.name,
        "service_team_id": team.id if team else None,
        "service_team_name": team.name if team else None,
        "total_acknowledgements": int(acknowledged),
        "total_business_hour_interruptions": hours["business"],
        "total_engaged_seconds": measures.engaged_seconds if acknowledged else 0,
        "total_interruptions": sum(hours.values()),
        "total_manual_escalations_from": measures.manual_escalations,
        "total_manual_escalations_to": 0,
        "total_off_hour_interruptions": hours["off"],
        "total_reassignments_from": measures.reassignment_count,
        "total_reassignments_to": 0,
        "total_sleep_hour_interruptions": hours["sleep"],
        "total_timeout_escalations_from": measures.timeout_escalations,
        "total_timeout_escalations_to": 0,
    }


_RAW: Final = "/analytics/raw"
_WRITE: Final = "analytics.write"

OPERATIONS: Final = (
    Operation("getAnalyticsIncidents", "POST", f"{_RAW}/incidents", _list, _WRITE, takes_body=True),
    a_read("getAnalyticsIncidentsById", f"{_RAW}/incidents/{{}}", _get, "analytics.read"),
    a_read(
        "getAnalyticsIncidentResponsesById", f"{_RAW}/incidents/{{}}/responses", _responses, "analytics.read"
    ),
    Operation(
        "getAnalyticsResponderIncidents",
        "POST",
        f"{_RAW}/responders/{{}}/incidents",
        _of_responder,
        _WRITE,
        takes_body=True,
    ),
)
