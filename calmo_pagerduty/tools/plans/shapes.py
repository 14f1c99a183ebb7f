"""Shape PagerDuty's resources for results: one function for each kind. Any field may be missing.

Source: PagerDuty's REST API, the schemas of each resource.
"""

from typing import Any
from urllib.parse import urlsplit

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.requests import JsonObject

_EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})
_MAX_URL_LENGTH = 500


def url_of(resource: JsonObject) -> str | None:
    """Return the address of the resource's page; None unless it is an address of PagerDuty."""
    url = resource.get("html_url")
    if not isinstance(url, str) or len(url) > _MAX_URL_LENGTH:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        genuine = parts.scheme == "https" and not parts.username and parts.port in (None, 443)
    except ValueError:
        return None
    return url if genuine and (host == "pagerduty.com" or host.endswith(".pagerduty.com")) else None


def without_empty(resource: JsonObject) -> JsonObject:
    """Return the object without empty fields. False and 0 are not empty."""
    return {
        name: value
        for name, value in resource.items()
        if not any(value is n or value == n for n in _EMPTY_VALUES)
    }


def shape_reference(resource: Any) -> JsonObject | None:
    """Return a reference's id, summary and type without `_reference`; None without an id."""
    fields = as_object(resource)
    if not fields.get("id"):
        return None
    summary = fields.get("summary") or fields.get("name")
    kind = str(fields.get("type") or "").removesuffix("_reference")
    return without_empty({"id": fields["id"], "summary": summary, "type": kind})


def shape_references(resources: Any) -> list[JsonObject]:
    return [short for resource in as_objects(resources) if (short := shape_reference(resource))]


def pick_fields(resource: JsonObject, *names: str) -> JsonObject:
    return {name: resource.get(name) for name in names}


def shape_incident(resource: JsonObject) -> JsonObject:
    fields = pick_fields(
        resource,
        *("id", "incident_number", "title", "status", "urgency", "created_at", "updated_at", "resolved_at"),
        *("last_status_change_at", "incident_key", "alert_counts", "pending_actions", "assigned_via"),
    )
    acknowledgements = as_objects(resource.get("acknowledgements"))
    return without_empty(
        fields
        | {
            "incident_number": resource.get("incident_number") or resource.get("number"),
            "priority": shape_reference(resource.get("priority")),
            "service": shape_reference(resource.get("service")),
            "escalation_policy": shape_reference(resource.get("escalation_policy")),
            "teams": shape_references(resource.get("teams")),
            "assigned_to": shape_references(
                [part.get("assignee") for part in as_objects(resource.get("assignments"))]
            ),
            "acknowledged_by": shape_references([part.get("acknowledger") for part in acknowledgements]),
            "incident_type": as_object(resource.get("incident_type")).get("name"),
            "conference_bridge": without_empty(as_object(resource.get("conference_bridge"))),
            "merged_into": shape_reference(as_object(resource.get("resolve_reason")).get("incident")),
            "url": url_of(resource),
        }
    )


def shape_incident_details(resource: JsonObject) -> JsonObject:
    """Return an incident with the fields that lists leave out."""
    responders = [
        without_empty({"state": part.get("state"), "user": shape_reference(part.get("user"))})
        for part in as_objects(resource.get("incidents_responders"))
    ]
    custom = [
        without_empty(pick_fields(part, "name", "display_name", "value"))
        for part in as_objects(resource.get("custom_fields"))
    ]
    return shape_incident(resource) | without_empty(
        {
            "details": as_object(resource.get("body")).get("details"),
            "responders": responders,
            "custom_fields": custom,
            "last_status_change_by": shape_reference(resource.get("last_status_change_by")),
        }
    )


def shape_note(resource: JsonObject) -> JsonObject:
    fields = pick_fields(resource, "id", "content", "created_at")
    return without_empty(fields | {"user": shape_reference(resource.get("user"))})


def shape_log_entry(resource: JsonObject) -> JsonObject:
    channel = as_object(resource.get("channel"))
    fields = pick_fields(resource, "id", "created_at", "summary")
    shown = pick_fields(channel, "type", "summary", "subject", "content")
    return without_empty(
        fields
        | {
            "type": str(resource.get("type") or "").removesuffix("_reference").removesuffix("_log_entry"),
            "agent": shape_reference(resource.get("agent")),
            "user": shape_reference(resource.get("user")),
            "incident": shape_reference(resource.get("incident")),
            "service": shape_reference(resource.get("service")),
            "assigned_to": shape_references(resource.get("assignees")),
            "channel": without_empty(shown),
            "description": as_object(resource.get("event_details")).get("description"),
        }
    )


def shape_alert(resource: JsonObject) -> JsonObject:
    names = ("id", "summary", "status", "severity", "created_at", "alert_key", "suppressed")
    return without_empty(
        pick_fields(resource, *names)
        | {
            "service": shape_reference(resource.get("service")),
            "incident": shape_reference(resource.get("incident")),
            "integration": shape_reference(resource.get("integration")),
            "url": url_of(resource),
        }
    )


def shape_alert_details(resource: JsonObject) -> JsonObject:
    """Return an alert with its body."""
    body = as_object(resource.get("body"))
    return shape_alert(resource) | without_empty(
        {
            "details": body.get("details"),
            "cef_details": body.get("cef_details"),
            "contexts": body.get("contexts"),
        }
    )


def shape_service(resource: JsonObject) -> JsonObject:
    names = ("id", "name", "description", "status", "created_at", "last_incident_timestamp")
    timeouts = ("acknowledgement_timeout", "auto_resolve_timeout", "alert_creation")
    return without_empty(
        pick_fields(resource, *names, *timeouts)
        | {
            "name": resource.get("name") or resource.get("summary"),
            "escalation_policy": shape_reference(resource.get("escalation_policy")),
            "teams": shape_references(resource.get("teams")),
            "url": url_of(resource),
        }
    )


def shape_service_details(resource: JsonObject) -> JsonObject:
    settings = pick_fields(
        resource, "incident_urgency_rule", "support_hours", "auto_pause_notifications_parameters"
    )
    grouping = as_object(resource.get("alert_grouping_parameters")).get("type")
    integrations = shape_references(resource.get("integrations"))
    full = settings | {"alert_grouping": grouping, "integrations": integrations}
    return shape_service(resource) | without_empty(full)


def shape_escalation_policy(resource: JsonObject) -> JsonObject:
    rules = [
        without_empty(
            {
                "level": level,
                "delay_minutes": rule.get("escalation_delay_in_minutes"),
                "targets": shape_references(rule.get("targets")),
            }
        )
        for level, rule in enumerate(as_objects(resource.get("escalation_rules")), start=1)
    ]
    names = ("id", "name", "description", "num_loops", "on_call_handoff_notifications")
    return without_empty(
        pick_fields(resource, *names)
        | {
            "name": resource.get("name") or resource.get("summary"),
            "rules": rules,
            "services": shape_references(resource.get("services")),
            "teams": shape_references(resource.get("teams")),
            "url": url_of(resource),
        }
    )


def shape_change_event(resource: JsonObject) -> JsonObject:
    reason = as_object(resource.get("correlation_reason")).get("reason")
    return without_empty(
        pick_fields(resource, "id", "summary", "timestamp", "source", "custom_details")
        | {"services": shape_references(resource.get("services")), "why_related": reason}
    )


def shape_maintenance_window(resource: JsonObject) -> JsonObject:
    return without_empty(
        pick_fields(resource, "id", "description", "start_time", "end_time")
        | {
            "services": shape_references(resource.get("services")),
            "teams": shape_references(resource.get("teams")),
            "created_by": shape_reference(resource.get("created_by")),
            "url": url_of(resource),
        }
    )


def shape_flat(resource: JsonObject) -> JsonObject:
    """Return a flat object, such as a row of metrics, without `self` and empty fields."""
    return without_empty({name: value for name, value in resource.items() if name != "self"})
