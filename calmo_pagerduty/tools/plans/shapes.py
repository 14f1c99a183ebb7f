"""What a reader needs of each PagerDuty object: one place per resource, tolerant of whatever is missing."""

from typing import Any
from urllib.parse import urlsplit

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.requests import JsonObject

_EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})
_MAX_URL_LENGTH = 500


def url_of(thing: JsonObject) -> str | None:
    """Return the page of the thing, if it is PagerDuty's: another address isn't handed on."""
    url = thing.get("html_url")
    if not isinstance(url, str) or len(url) > _MAX_URL_LENGTH:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        genuine = parts.scheme == "https" and not parts.username and parts.port in (None, 443)
    except ValueError:
        return None
    return url if genuine and (host == "pagerduty.com" or host.endswith(".pagerduty.com")) else None


def without_empty(thing: JsonObject) -> JsonObject:
    """Return the thing without fields that say nothing. False and 0 say something."""
    return {
        name: value
        for name, value in thing.items()
        if not any(value is n or value == n for n in _EMPTY_VALUES)
    }


def shape_reference(thing: Any) -> JsonObject | None:
    """Return what a reference says: id, summary, type without `_reference`."""
    fields = as_object(thing)
    if not fields.get("id"):
        return None
    summary = fields.get("summary") or fields.get("name")
    kind = str(fields.get("type") or "").removesuffix("_reference")
    return without_empty({"id": fields["id"], "summary": summary, "type": kind})


def shape_references(things: Any) -> list[JsonObject]:
    return [found for thing in as_objects(things) if (found := shape_reference(thing))]


def pick_fields(thing: JsonObject, *names: str) -> JsonObject:
    return {name: thing.get(name) for name in names}


def shape_incident(thing: JsonObject) -> JsonObject:
    fields = pick_fields(
        thing,
        *("id", "incident_number", "title", "status", "urgency", "created_at", "updated_at", "resolved_at"),
        *("last_status_change_at", "incident_key", "alert_counts", "pending_actions", "assigned_via"),
    )
    acknowledgements = as_objects(thing.get("acknowledgements"))
    return without_empty(
        fields
        | {
            "incident_number": thing.get("incident_number") or thing.get("number"),
            "priority": shape_reference(thing.get("priority")),
            "service": shape_reference(thing.get("service")),
            "escalation_policy": shape_reference(thing.get("escalation_policy")),
            "teams": shape_references(thing.get("teams")),
            "assigned_to": shape_references(
                [part.get("assignee") for part in as_objects(thing.get("assignments"))]
            ),
            "acknowledged_by": shape_references([part.get("acknowledger") for part in acknowledgements]),
            "incident_type": as_object(thing.get("incident_type")).get("name"),
            "conference_bridge": without_empty(as_object(thing.get("conference_bridge"))),
            "merged_into": shape_reference(as_object(thing.get("resolve_reason")).get("incident")),
            "url": url_of(thing),
        }
    )


def shape_incident_details(thing: JsonObject) -> JsonObject:
    """An incident with what only its own page shows."""
    responders = [
        without_empty({"state": part.get("state"), "user": shape_reference(part.get("user"))})
        for part in as_objects(thing.get("incidents_responders"))
    ]
    custom = [
        without_empty(pick_fields(part, "name", "display_name", "value"))
        for part in as_objects(thing.get("custom_fields"))
    ]
    return shape_incident(thing) | without_empty(
        {
            "details": as_object(thing.get("body")).get("details"),
            "responders": responders,
            "custom_fields": custom,
            "last_status_change_by": shape_reference(thing.get("last_status_change_by")),
        }
    )


def shape_note(thing: JsonObject) -> JsonObject:
    fields = pick_fields(thing, "id", "content", "created_at")
    return without_empty(fields | {"user": shape_reference(thing.get("user"))})


def shape_log_entry(thing: JsonObject) -> JsonObject:
    channel = as_object(thing.get("channel"))
    fields = pick_fields(thing, "id", "created_at", "summary")
    shown = pick_fields(channel, "type", "summary", "subject", "content")
    return without_empty(
        fields
        | {
            "type": str(thing.get("type") or "").removesuffix("_reference").removesuffix("_log_entry"),
            "agent": shape_reference(thing.get("agent")),
            "user": shape_reference(thing.get("user")),
            "incident": shape_reference(thing.get("incident")),
            "service": shape_reference(thing.get("service")),
            "assigned_to": shape_references(thing.get("assignees")),
            "channel": without_empty(shown),
            "description": as_object(thing.get("event_details")).get("description"),
        }
    )


def shape_alert(thing: JsonObject) -> JsonObject:
    names = ("id", "summary", "status", "severity", "created_at", "alert_key", "suppressed")
    return without_empty(
        pick_fields(thing, *names)
        | {
            "service": shape_reference(thing.get("service")),
            "incident": shape_reference(thing.get("incident")),
            "integration": shape_reference(thing.get("integration")),
            "url": url_of(thing),
        }
    )


def shape_alert_details(thing: JsonObject) -> JsonObject:
    """An alert with its body: where the evidence is."""
    body = as_object(thing.get("body"))
    return shape_alert(thing) | without_empty(
        {
            "details": body.get("details"),
            "cef_details": body.get("cef_details"),
            "contexts": body.get("contexts"),
        }
    )


def shape_service(thing: JsonObject) -> JsonObject:
    names = ("id", "name", "description", "status", "created_at", "last_incident_timestamp")
    timeouts = ("acknowledgement_timeout", "auto_resolve_timeout", "alert_creation")
    return without_empty(
        pick_fields(thing, *names, *timeouts)
        | {
            "name": thing.get("name") or thing.get("summary"),
            "escalation_policy": shape_reference(thing.get("escalation_policy")),
            "teams": shape_references(thing.get("teams")),
            "url": url_of(thing),
        }
    )


def shape_service_details(thing: JsonObject) -> JsonObject:
    settings = pick_fields(
        thing, "incident_urgency_rule", "support_hours", "auto_pause_notifications_parameters"
    )
    grouping = as_object(thing.get("alert_grouping_parameters")).get("type")
    integrations = shape_references(thing.get("integrations"))
    full = settings | {"alert_grouping": grouping, "integrations": integrations}
    return shape_service(thing) | without_empty(full)


def shape_escalation_policy(thing: JsonObject) -> JsonObject:
    rules = [
        without_empty(
            {
                "level": level,
                "delay_minutes": rule.get("escalation_delay_in_minutes"),
                "targets": shape_references(rule.get("targets")),
            }
        )
        for level, rule in enumerate(as_objects(thing.get("escalation_rules")), start=1)
    ]
    names = ("id", "name", "description", "num_loops", "on_call_handoff_notifications")
    return without_empty(
        pick_fields(thing, *names)
        | {
            "name": thing.get("name") or thing.get("summary"),
            "rules": rules,
            "services": shape_references(thing.get("services")),
            "teams": shape_references(thing.get("teams")),
            "url": url_of(thing),
        }
    )


def shape_change_event(thing: JsonObject) -> JsonObject:
    reason = as_object(thing.get("correlation_reason")).get("reason")
    return without_empty(
        pick_fields(thing, "id", "summary", "timestamp", "source", "custom_details")
        | {"services": shape_references(thing.get("services")), "why_related": reason}
    )


def shape_maintenance_window(thing: JsonObject) -> JsonObject:
    return without_empty(
        pick_fields(thing, "id", "description", "start_time", "end_time")
        | {
            "services": shape_references(thing.get("services")),
            "teams": shape_references(thing.get("teams")),
            "created_by": shape_reference(thing.get("created_by")),
            "url": url_of(thing),
        }
    )


def shape_flat(thing: JsonObject) -> JsonObject:
    """A flat object, such as a row of metrics, without what says nothing."""
    return without_empty({name: value for name, value in thing.items() if name != "self"})
