"""PagerDuty's answer to what was done from here, in the form of a webhook's event.

So it goes the way of every event, and the issue shows the outcome without waiting for a webhook. Its
picture is as of the asking: what had happened before is in it, what happened later isn't.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.incidents.actions import Given, Operation
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.instants import instant_of
from calmo_pagerduty.pagerduty.webhook_events import Json, Reference, reference_of
from calmo_pagerduty.reconciliation.rules import Addition, addition

#: PagerDuty's REST API tells whole seconds.
_REST_OF_THE_SECOND = timedelta(milliseconds=999)
CLIENT = "Calmo"


def answer_event(
    operation: Operation, ref: IncidentRef, given: Given, result: Given, now: datetime
) -> Addition:
    """Return the event. `given` are the tool's arguments, `result` what it answered."""
    make = _DATA.get(str(operation.expected[0].event_type), _incident)
    data = make(ref, given, result)
    # An incident was created long ago, a note just now.
    told = result.get("updated_at" if "status" in result else "created_at")
    at = _at(operation.last_sent_at or now, instant_of(told))
    event_type = operation.expected[0].event_type
    return addition(operation.answer_id, event_type, at, operation.agent, data, CLIENT)


def agent_of(result: Given) -> Reference | None:
    """Return as whom PagerDuty names us in its answer, where it does."""
    return reference_of(result.get("user") or result.get("requester") or result.get("last_status_change_by"))


def _at(sent: datetime, told: datetime | None) -> datetime:
    """Return when we asked, by PagerDuty's clock: within the second that it tells."""
    if told is None:
        return sent
    return min(max(sent, told), told + _REST_OF_THE_SECOND)


def _incident(ref: IncidentRef, _given: Given, result: Given) -> Json:
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
        "service": _reference(result.get("service")),
        "escalation_policy": _reference(result.get("escalation_policy")),
        "teams": _references(result.get("teams")),
        "assignees": _references(result.get("assigned_to")),
    }


def _note(ref: IncidentRef, given: Given, result: Given) -> Json:
    note = {"type": "incident_note", "id": result.get("id"), "content": given.get("content")}
    return {**note, "incident": _subject(ref)}


def _responder(ref: IncidentRef, given: Given, result: Given) -> Json:
    targets = result.get("targets") or given.get("targets") or [{}]
    kind = "escalation_policy" if targets[0].get("type") == "escalation_policy" else "user"
    return {
        "type": "incident_responder",
        kind: _reference(targets[0]),
        "message": given.get("message"),
        "incident": _subject(ref),
    }


def _subject(ref: IncidentRef) -> Json:
    return {"id": ref.incident_id, "type": "incident_reference"}


def _reference(shown: Any) -> Json | None:
    """Results leave `_reference` out of a type."""
    if not isinstance(shown, Mapping):
        return None
    return {**shown, "type": f"{shown.get('type') or 'unknown'}_reference"}


def _references(shown: Any) -> list[Json]:
    things: Sequence[Any] = shown if isinstance(shown, list | tuple) else ()
    return [found for thing in things if (found := _reference(thing))]


_DATA: Mapping[str, Callable[[IncidentRef, Given, Given], Json]] = {
    "incident.annotated": _note,
    "incident.responder.added": _responder,
}
