"""What a reader needs of each PagerDuty object: one place per resource, tolerant of whatever is missing."""

from typing import Any
from urllib.parse import urlsplit

from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.requests import JsonObject

_NOTHING: tuple[Any, ...] = (None, "", [], {})
_LONGEST_URL = 500


def url_of(thing: JsonObject) -> str | None:
    """Return the page of the thing, if it is PagerDuty's: another address isn't handed on."""
    url = thing.get("html_url")
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        genuine = parts.scheme == "https" and not parts.username and parts.port in (None, 443)
    except ValueError:
        return None
    return url if genuine and (host == "pagerduty.com" or host.endswith(".pagerduty.com")) else None


def without_nothing(thing: JsonObject) -> JsonObject:
    """Return the thing without fields that say nothing. False and 0 say something."""
    return {
        name: value for name, value in thing.items() if not any(value is n or value == n for n in _NOTHING)
    }


def ref(thing: Any) -> JsonObject | None:
    """Return what a reference says: id, summary, type without `_reference`."""
    fields = object_of(thing)
    if not fields.get("id"):
        return None
    summary = fields.get("summary") or fields.get("name")
    kind = str(fields.get("type") or "").removesuffix("_reference")
    return without_nothing({"id": fields["id"], "summary": summary, "type": kind})


def refs(things: Any) -> list[JsonObject]:
    return [found for thing in objects_of(things) if (found := ref(thing))]


def picked(thing: JsonObject, *names: str) -> JsonObject:
    return {name: thing.get(name) for name in names}


def incident(thing: JsonObject) -> JsonObject:
    fields = picked(
        thing,
        *("id", "incident_number", "title", "status", "urgency", "created_at", "updated_at", "resolved_at"),
        *("last_status_change_at", "incident_key", "alert_counts", "pending_actions", "assigned_via"),
    )
    acknowledgements = objects_of(thing.get("acknowledgements"))
    return without_nothing(
        fields
        | {
            "incident_number": thing.get("incident_number") or thing.get("number"),
            "priority": ref(thing.get("priority")),
            "service": ref(thing.get("service")),
            "escalation_policy": ref(thing.get("escalation_policy")),
            "teams": refs(thing.get("teams")),
            "assigned_to": refs([part.get("assignee") for part in objects_of(thing.get("assignments"))]),
            "acknowledged_by": refs([part.get("acknowledger") for part in acknowledgements]),
            "incident_type": object_of(thing.get("incident_type")).get("name"),
            "conference_bridge": without_nothing(object_of(thing.get("conference_bridge"))),
            "merged_into": ref(object_of(thing.get("resolve_reason")).get("incident")),
            "url": url_of(thing),
        }
    )


def incident_in_full(thing: JsonObject) -> JsonObject:
    """An incident with what only its own page shows."""
    responders = [
        without_nothing({"state": part.get("state"), "user": ref(part.get("user"))})
        for part in objects_of(thing.get("incidents_responders"))
    ]
    custom = [
        without_nothing(picked(part, "name", "display_name", "value"))
        for part in objects_of(thing.get("custom_fields"))
    ]
    return incident(thing) | without_nothing(
        {
            "details": object_of(thing.get("body")).get("details"),
            "responders": responders,
            "custom_fields": custom,
            "last_status_change_by": ref(thing.get("last_status_change_by")),
        }
    )


def note(thing: JsonObject) -> JsonObject:
    fields = picked(thing, "id", "content", "created_at")
    return without_nothing(fields | {"user": ref(thing.get("user"))})


def log_entry(thing: JsonObject) -> JsonObject:
    channel = object_of(thing.get("channel"))
    fields = picked(thing, "id", "created_at", "summary")
    shown = picked(channel, "type", "summary", "subject", "content")
    return without_nothing(
        fields
        | {
            "type": str(thing.get("type") or "").removesuffix("_reference").removesuffix("_log_entry"),
            "agent": ref(thing.get("agent")),
            "user": ref(thing.get("user")),
            "incident": ref(thing.get("incident")),
            "service": ref(thing.get("service")),
            "assigned_to": refs(thing.get("assignees")),
            "channel": without_nothing(shown),
            "description": object_of(thing.get("event_details")).get("description"),
        }
    )


def alert(thing: JsonObject) -> JsonObject:
    names = ("id", "summary", "status", "severity", "created_at", "alert_key", "suppressed")
    return without_nothing(
        picked(thing, *names)
        | {
            "service": ref(thing.get("service")),
            "incident": ref(thing.get("incident")),
            "integration": ref(thing.get("integration")),
            "url": url_of(thing),
        }
    )


def alert_in_full(thing: JsonObject) -> JsonObject:
    """An alert with its body: where the evidence is."""
    body = object_of(thing.get("body"))
    return alert(thing) | without_nothing(
        {
            "details": body.get("details"),
            "cef_details": body.get("cef_details"),
            "contexts": body.get("contexts"),
        }
    )


def service(thing: JsonObject) -> JsonObject:
    names = ("id", "name", "description", "status", "created_at", "last_incident_timestamp")
    timeouts = ("acknowledgement_timeout", "auto_resolve_timeout", "alert_creation")
    return without_nothing(
        picked(thing, *names, *timeouts)
        | {
            "name": thing.get("name") or thing.get("summary"),
            "escalation_policy": ref(thing.get("escalation_policy")),
            "teams": refs(thing.get("teams")),
            "url": url_of(thing),
        }
    )


def service_in_full(thing: JsonObject) -> JsonObject:
    settings = picked(thing, "incident_urgency_rule", "support_hours", "auto_pause_notifications_parameters")
    grouping = object_of(thing.get("alert_grouping_parameters")).get("type")
    integrations = refs(thing.get("integrations"))
    full = settings | {"alert_grouping": grouping, "integrations": integrations}
    return service(thing) | without_nothing(full)


def escalation_policy(thing: JsonObject) -> JsonObject:
    rules = [
        without_nothing(
            {
                "level": level,
                "delay_minutes": rule.get("escalation_delay_in_minutes"),
                "targets": refs(rule.get("targets")),
            }
        )
        for level, rule in enumerate(objects_of(thing.get("escalation_rules")), start=1)
    ]
    names = ("id", "name", "description", "num_loops", "on_call_handoff_notifications")
    return without_nothing(
        picked(thing, *names)
        | {
            "name": thing.get("name") or thing.get("summary"),
            "rules": rules,
            "services": refs(thing.get("services")),
            "teams": refs(thing.get("teams")),
            "url": url_of(thing),
        }
    )


def change_event(thing: JsonObject) -> JsonObject:
    reason = object_of(thing.get("correlation_reason")).get("reason")
    return without_nothing(
        picked(thing, "id", "summary", "timestamp", "source", "custom_details")
        | {"services": refs(thing.get("services")), "why_related": reason}
    )


def maintenance_window(thing: JsonObject) -> JsonObject:
    return without_nothing(
        picked(thing, "id", "description", "start_time", "end_time")
        | {
            "services": refs(thing.get("services")),
            "teams": refs(thing.get("teams")),
            "created_by": ref(thing.get("created_by")),
            "url": url_of(thing),
        }
    )


def plain(thing: JsonObject) -> JsonObject:
    """A flat object, such as a row of metrics, without what says nothing."""
    return without_nothing({name: value for name, value in thing.items() if name != "self"})
