"""The full objects of incidents in REST, which have more fields than the webhooks'."""

from collections.abc import Callable
from typing import Final

from pagerduty_simulator.belongings import Alert
from pagerduty_simulator.incident_log import LogEntry, Notification
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import (
    JsonObject,
    Site,
    incident_reference,
    policy_reference,
    priority_reference,
    service_reference,
    team_reference,
    user_reference,
)
from pagerduty_simulator.resources import CustomField, Incident, IncidentStatus, Responder, User
from pagerduty_simulator.rest.calls import Call
from pagerduty_simulator.rest.objects import (
    policy_object,
    priority_object,
    service_object,
    team_object,
    user_object,
)

_OVERVIEW_LEAVES_OUT: Final = frozenset({"notify"})


def numbered_reference(site: Site, incident: Incident) -> JsonObject:
    """Refer to an incident as REST does: the summary begins with the number."""
    summary = f"[#{incident.number}] {incident.title}"
    return incident_reference(site, incident) | {"summary": summary}


def incident_object(call: Call, incident: Incident) -> JsonObject:
    """Return an incident in full; `include[]` replaces references with objects."""
    site, links = call.site, call.links
    account, standing = call.account, call.account.log.standings[incident.id]
    open_now = incident.status is not IncidentStatus.RESOLVED
    merged_into, bridge = incident.merged_into, incident.conference_bridge
    asked = frozenset(call.query.get("include[]", ()))
    people = _people(call, full="assignees" in asked or "users" in asked)
    acknowledgers = _people(call, full="acknowledgers" in asked or "users" in asked)
    alerts = account.belongings.alerts.get(incident.id, ())
    policy = account.escalation_policies.get(incident.escalation_policy.id, incident.escalation_policy)
    result: JsonObject = numbered_reference(links, incident) | {
        "type": "incident",
        "incident_number": incident.number,
        "title": incident.title,
        "created_at": wire_seconds(incident.created_at),
        "updated_at": wire_seconds(standing.updated_at),
        "status": str(incident.status),
        "incident_key": incident.incident_key,
        "service": (
            service_object(site, incident.service)
            if "services" in asked
            else service_reference(links, incident.service)
        ),
        "assignments": [
            {"at": wire_seconds(standing.assigned_at or incident.created_at), "assignee": people(user)}
            for user in incident.assignees
        ],
        "assigned_via": "direct_assignment" if incident.assigned_directly else "escalation_policy",
        "last_status_change_at": wire_seconds(standing.status_changed_at),
        "last_status_change_by": (
            user_reference(links, standing.status_changed_by)
            if standing.status_changed_by
            else service_reference(links, incident.service)
        ),
        "resolved_at": wire_seconds(incident.resolved_at) if incident.resolved_at else None,
        "first_trigger_log_entry": _first_trigger(call, incident, full="first_trigger_log_entries" in asked),
        "alert_counts": {
            "all": len(alerts),
            "triggered": len(alerts) if open_now else 0,
            "resolved": 0 if open_now else len(alerts),
        },
        "is_mergeable": open_now,
        "incident_type": {"name": incident.incident_type},
        "escalation_policy": (
            policy_object(site, policy) if "escalation_policies" in asked else policy_reference(links, policy)
        ),
        "teams": [
            team_object(links, team) if "teams" in asked else team_reference(links, team)
            for team in incident.teams
        ],
        "pending_actions": (
            [{"type": "unacknowledge", "at": wire_seconds(incident.snoozed_until)}]
            if incident.snoozed_until
            else []
        ),
        "acknowledgements": [
            {
                "at": wire_seconds(at),
                "acknowledger": acknowledgers(user) if user else service_reference(links, incident.service),
            }
            for at, user in standing.acknowledgements
        ],
        "alert_grouping": None,
        "priority": _priority(call, incident, full="priorities" in asked),
        "resolve_reason": merged_into
        and {"type": "merge_resolve_reason", "incident": numbered_reference(links, merged_into)},
        "conference_bridge": bridge and {"conference_number": bridge.number, "conference_url": bridge.url},
        "incidents_responders": [
            responder_object(links, incident, responder) for responder in incident.responders
        ],
        "responder_requests": [],
        "urgency": incident.urgency,
    }
    if incident.reopened_at is not None:
        result["reopened_at"] = wire_seconds(incident.reopened_at)
    if "custom_fields" in asked:
        result["custom_fields"] = [_custom_field(custom_field) for custom_field in incident.custom_fields]
    if "body" in asked:
        result["body"] = {"type": "incident_body", "details": incident.details}
    return result


def _people(call: Call, *, full: bool) -> Callable[[User], JsonObject]:
    """Return the function that renders a user: in full or as a reference."""
    return lambda user: user_object(call.site, user) if full else user_reference(call.links, user)


def _priority(call: Call, incident: Incident, *, full: bool) -> JsonObject | None:
    if incident.priority is None:
        return None
    if full:
        return priority_object(call.links, incident.priority)
    return priority_reference(call.links, incident.priority)


def _first_trigger(call: Call, incident: Incident, *, full: bool) -> JsonObject:
    entry = call.account.log.of(incident.id)[0]
    if full:
        return log_entry_object(call, entry)
    reference = _log_entry_head(call.links, entry)
    return reference | {"type": f"{reference['type']}_reference"}


def responder_object(site: Site, incident: Incident, responder: Responder) -> JsonObject:
    """Return a requested responder with its state."""
    requested_at = responder.requested_at or incident.created_at
    requester: User = responder.requester or responder.user
    return {
        "state": responder.state,
        "user": user_reference(site, responder.user),
        "incident": numbered_reference(site, incident),
        "updated_at": wire_seconds(responder.updated_at or requested_at),
        "message": responder.message,
        "requester": user_reference(site, requester),
        "requested_at": wire_seconds(requested_at),
    }


def _custom_field(custom_field: CustomField) -> JsonObject:
    several = isinstance(custom_field.value, tuple)
    return {
        "id": custom_field.id,
        "type": "field_value",
        "name": custom_field.name,
        "display_name": custom_field.name,
        "description": None,
        "data_type": custom_field.data_type,
        "field_type": "multi_value" if several else "single_value",
        "value": list(custom_field.value or ()) if several else custom_field.value,
    }


def alert_object(call: Call, incident: Incident, alert: Alert) -> JsonObject:
    """Return an alert in full; it is resolved if its incident is."""
    links = call.links
    open_now = incident.status is not IncidentStatus.RESOLVED
    service = incident.service
    return {
        "id": alert.id,
        "type": "alert",
        "summary": alert.summary,
        "self": f"{links.api_url}/incidents/{incident.id}/alerts/{alert.id}",
        "html_url": f"{links.web_url}/alerts/{alert.id}",
        "created_at": wire_seconds(alert.created_at),
        "status": "triggered" if open_now else "resolved",
        "alert_key": alert.alert_key,
        "service": (
            service_object(call.site, service)
            if call.includes("services")
            else service_reference(links, service)
        ),
        "body": {"type": "alert_body", "contexts": [], "details": alert.details},
        "incident": (
            incident_object(call, incident)
            if call.includes("incidents")
            else numbered_reference(links, incident)
        ),
        "suppressed": False,
        "severity": alert.severity,
        "integration": {
            "id": f"I{service.id[1:]}",
            "type": "generic_events_api_inbound_integration_reference",
            "summary": "Monitoring",
            "self": f"{links.api_url}/services/{service.id}/integrations/I{service.id[1:]}",
            "html_url": None,
        },
    }


def _log_entry_head(site: Site, entry: LogEntry) -> JsonObject:
    return {
        "id": entry.id,
        "type": f"{entry.kind}_log_entry",
        "summary": entry.summary,
        "self": f"{site.api_url}/log_entries/{entry.id}?incident_id={entry.incident_id}",
        "html_url": f"{site.web_url}/incidents/{entry.incident_id}/log_entries/{entry.id}",
    }


def log_entry_object(call: Call, entry: LogEntry) -> JsonObject:
    """Return a log entry in full; `include[]=channels` adds its channel's content."""
    links, incident = call.links, call.account.incidents[entry.incident_id]
    channel: JsonObject = {"type": entry.channel}
    if entry.notification is not None:
        channel["notification"] = _notification(links, entry, entry.notification)
    if call.includes("channels"):
        channel |= {"summary": incident.title, "details": {"source": incident.service.name}}
    if entry.kind == "annotate":
        channel = {"type": "note", "summary": entry.note}
    result = _log_entry_head(links, entry) | {
        "created_at": wire_seconds(entry.created_at),
        "agent": (
            user_reference(links, entry.agent) if entry.agent else service_reference(links, incident.service)
        ),
        "channel": channel,
        "service": (
            service_object(call.site, incident.service)
            if call.includes("services")
            else service_reference(links, incident.service)
        ),
        "incident": (
            incident_object(call, incident)
            if call.includes("incidents")
            else numbered_reference(links, incident)
        ),
        "teams": [team_reference(links, team) for team in incident.teams],
        "contexts": [],
    }
    if entry.note is not None:
        result["note"] = entry.note
    if entry.kind == "acknowledge":
        result["acknowledgement_timeout"] = incident.service.acknowledgement_timeout or 0
    if entry.kind == "trigger":
        result["event_details"] = {"description": incident.title}
    if entry.kind in {"assign", "escalate", "delegate"}:
        result["assignees"] = [user_reference(links, user) for user in entry.users]
    if entry.kind == "notify" and entry.users:
        result["user"] = user_reference(links, entry.users[0])
    return result


def _notification(site: Site, entry: LogEntry, notification: Notification) -> JsonObject:
    kind = notification.kind.removesuffix("_notification")
    return {
        "type": f"{kind}_notification",
        "address": notification.address,
        "status": notification.status,
        "started_at": wire_seconds(entry.created_at),
        "user": user_reference(site, entry.users[0]),
    }


def belongs_in_overview(entry: LogEntry) -> bool:
    """Return whether is_overview=true includes the entry."""
    return entry.kind not in _OVERVIEW_LEAVES_OUT
