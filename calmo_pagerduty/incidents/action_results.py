"""Build a derived event from PagerDuty's answer to an operation.

It takes the path of every webhook event, so the issue shows the outcome before a webhook arrives. Its state
is as of the request: it includes earlier changes and no later ones.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.deliveries.derived_events import DerivedEvent, derive_event
from calmo_pagerduty.incidents.actions import ActionArguments, Operation
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.webhook_events import Json, Reference, parse_reference

#: PagerDuty's REST API gives times in whole seconds.
_REST_OF_THE_SECOND = timedelta(milliseconds=999)
CLIENT = "Calmo"


def event_from_result(
    operation: Operation, ref: IncidentRef, given: ActionArguments, result: ActionArguments, now: datetime
) -> DerivedEvent:
    """Return the event of a finished operation. `given` are the tool's arguments, `result` its JSON result.

    Source: PagerDuty's webhook documentation, "Event data types", for the shape of the data.
    """
    build = _DATA_BUILDERS.get(str(operation.expected[0].event_type), _incident)
    data = build(ref, given, result)
    # An incident's `created_at` is its start; a note's is the time of the call.
    stated_at = result.get("updated_at" if "status" in result else "created_at")
    at = _occurred_at(operation.last_sent_at or now, parse_instant(stated_at))
    event_type = operation.expected[0].event_type
    return derive_event(operation.result_event_id, event_type, at, operation.agent, data, CLIENT)


def result_agent(result: ActionArguments) -> Reference | None:
    """Return the PagerDuty user whom the answer names as the author; None if it names nobody."""
    return parse_reference(
        result.get("user") or result.get("requester") or result.get("last_status_change_by")
    )


def _occurred_at(sent: datetime, stated: datetime | None) -> datetime:
    """Return when we sent the request, moved into the second that PagerDuty states."""
    if stated is None:
        return sent
    return min(max(sent, stated), stated + _REST_OF_THE_SECOND)


def _incident(ref: IncidentRef, _given: ActionArguments, result: ActionArguments) -> Json:
    if result.get("status") is None:
        # A result without the status can't describe the incident.
        return {"type": "unknown", "incident": _subject(ref)}
    return {
        "type": "incident",
        "id": ref.incident_id,
        "number": result.get("incident_number"),
        "status": result.get("status"),
        "title": result.get("title"),
        "urgency": result.get("urgency"),
        "created_at": result.get("created_at"),
        "html_url": result.get("url"),
        "priority": result.get("priority"),
        "service": _full_reference(result.get("service")),
        "escalation_policy": _full_reference(result.get("escalation_policy")),
        "teams": _full_references(result.get("teams")),
        "assignees": _full_references(result.get("assigned_to")),
    }


def _note(ref: IncidentRef, given: ActionArguments, result: ActionArguments) -> Json:
    note = {"type": "incident_note", "id": result.get("id"), "content": given.get("content")}
    return {**note, "incident": _subject(ref)}


def _responder(ref: IncidentRef, given: ActionArguments, result: ActionArguments) -> Json:
    targets = result.get("targets") or given.get("targets") or [{}]
    kind = "escalation_policy" if targets[0].get("type") == "escalation_policy" else "user"
    return {
        "type": "incident_responder",
        kind: _full_reference(targets[0]),
        "message": given.get("message"),
        "incident": _subject(ref),
    }


def _subject(ref: IncidentRef) -> Json:
    return {"id": ref.incident_id, "type": "incident_reference"}


def _full_reference(short: Any) -> Json | None:
    """Add the suffix `_reference` to the type, which tool results leave out."""
    if not isinstance(short, Mapping):
        return None
    return {**short, "type": f"{short.get('type') or 'unknown'}_reference"}


def _full_references(short: Any) -> list[Json]:
    values: Sequence[Any] = short if isinstance(short, list | tuple) else ()
    return [reference for value in values if (reference := _full_reference(value))]


_DATA_BUILDERS: Mapping[str, Callable[[IncidentRef, ActionArguments, ActionArguments], Json]] = {
    "incident.annotated": _note,
    "incident.responder.added": _responder,
}
