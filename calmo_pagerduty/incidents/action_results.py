"""PagerDuty's answer to what was done from here, in the form of a webhook's event.

So it goes the way of every event, and the issue shows the outcome without waiting for a webhook. Its
picture is as of the asking: what had happened before is in it, what happened later isn't.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.deliveries.derived_events import DerivedEvent, derive_event
from calmo_pagerduty.incidents.actions import ActionArguments, Operation
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.pagerduty.webhook_events import Json, Reference, parse_reference

#: PagerDuty's REST API tells whole seconds.
_REST_OF_THE_SECOND = timedelta(milliseconds=999)
CLIENT = "Calmo"


def event_from_result(
    operation: Operation, ref: IncidentRef, given: ActionArguments, result: ActionArguments, now: datetime
) -> DerivedEvent:
    """Return the event. `given` are the tool's arguments, `result` what it answered."""
    make = _DATA_BUILDERS.get(str(operation.expected[0].event_type), _incident)
    data = make(ref, given, result)
    # An incident was created long ago, a note just now.
    told = result.get("updated_at" if "status" in result else "created_at")
    at = _occurred_at(operation.last_sent_at or now, parse_instant(told))
    event_type = operation.expected[0].event_type
    return derive_event(operation.result_event_id, event_type, at, operation.agent, data, CLIENT)


def result_agent(result: ActionArguments) -> Reference | None:
    """Return as whom PagerDuty names us in its answer, where it does."""
    return parse_reference(
        result.get("user") or result.get("requester") or result.get("last_status_change_by")
    )


def _occurred_at(sent: datetime, told: datetime | None) -> datetime:
    """Return when we asked, by PagerDuty's clock: within the second that it tells."""
    if told is None:
        return sent
    return min(max(sent, told), told + _REST_OF_THE_SECOND)


def _incident(ref: IncidentRef, _given: ActionArguments, result: ActionArguments) -> Json:
    if result.get("status") is None:
        # Without its state it can't stand for the incident.
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


def _full_reference(shown: Any) -> Json | None:
    """Results leave `_reference` out of a type."""
    if not isinstance(shown, Mapping):
        return None
    return {**shown, "type": f"{shown.get('type') or 'unknown'}_reference"}


def _full_references(shown: Any) -> list[Json]:
    things: Sequence[Any] = shown if isinstance(shown, list | tuple) else ()
    return [found for thing in things if (found := _full_reference(thing))]


_DATA_BUILDERS: Mapping[str, Callable[[IncidentRef, ActionArguments, ActionArguments], Json]] = {
    "incident.annotated": _note,
    "incident.responder.added": _responder,
}
