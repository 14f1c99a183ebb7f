"""Create and change incidents; a change of several incidents is all or nothing."""

from dataclasses import dataclass
from typing import Any, Final

from pagerduty_simulator.events import Event
from pagerduty_simulator.references import JsonObject
from pagerduty_simulator.resources import Incident, IncidentStatus
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid, refused
from pagerduty_simulator.rest.calls import Call, a_write, reference_id
from pagerduty_simulator.rest.incident_objects import incident_object
from pagerduty_simulator.rest.incidents import find_incident

_MAX_PER_REQUEST: Final = 250
_MAX_TITLE_LENGTH: Final = 1_024
_TYPES: Final = frozenset({"incident", "incident_reference"})


@dataclass(frozen=True, slots=True)
class _Change:
    """The change of one incident in a PUT; a field that is None stays unchanged."""

    title: str | None = None
    urgency: str | None = None
    priority_id: str | None = None
    drops_priority: bool = False
    incident_type: str | None = None
    service_id: str | None = None
    policy_id: str | None = None
    assignee_ids: tuple[str, ...] | None = None
    level: int | None = None
    status: str | None = None
    resolution: str | None = None
    bridge: tuple[str, str] | None = None


def _create(call: Call) -> Answer:
    body = call.wrapped("incident")
    if body.get("type") not in _TYPES:
        raise invalid("Incident type must be incident")
    if not isinstance(body.get("title"), str) or not body["title"].strip():
        raise invalid("Title cannot be empty")
    details = body.get("body", {}).get("details")
    if details is not None and not isinstance(details, str):
        raise invalid("Body details must be a string")
    change = _parsed(call, body)
    service_id = reference_id(body.get("service"), "Service")
    if service_id not in call.account.services:
        raise refused(400, 5002, "Service Not Found")
    events = call.account.trigger(
        service_id,
        body["title"][:_MAX_TITLE_LENGTH],
        priority_id=change.priority_id,
        urgency=change.urgency,
        assignee_ids=change.assignee_ids or (),
        incident_key=body.get("incident_key"),
        escalation_policy_id=change.policy_id,
        incident_type=change.incident_type or "incident_default",
        details=details,
        by=call.by,
    )
    if not events:
        raise _dropped(call.account.dropped[-1].reason)
    incident_id = str(events[0].incident_id)
    if change.bridge is not None:
        events += call.account.set_conference_bridge(incident_id, *change.bridge, by=call.by)
    call.site.publish(events)
    return Answer(201, {"incident": incident_object(call, call.account.incident(incident_id))})


def _dropped(reason: str) -> RestError:
    if reason == "nobody_on_call":
        return refused(400, 1015, "Nobody is on call on the escalation policy")
    return invalid(f"The service opens no incidents: {reason}")


def _update(call: Call) -> Answer:
    incident, body = find_incident(call, call.parameters[0]), call.wrapped("incident")
    change = _checked(call, incident, body)
    call.site.publish(_carried_out(call, incident, change))
    return Answer(200, {"incident": incident_object(call, call.account.incident(incident.id))})


def _update_many(call: Call) -> Answer:
    bodies = call.body.get("incidents")
    if not isinstance(bodies, list) or not bodies:
        raise invalid("Incidents cannot be empty")
    if len(bodies) > _MAX_PER_REQUEST:
        raise RestError(ERRORS["too_large"])
    planned = []
    for body in bodies:
        incident = find_incident(call, reference_id(body, "Incident"))
        planned.append((incident, _checked(call, incident, body)))
    for incident, change in planned:
        call.site.publish(_carried_out(call, incident, change))
    changed = [call.account.incident(incident.id) for incident, _ in planned]
    return Answer(200, {"incidents": [incident_object(call, updated) for updated in changed]})


def _parsed(call: Call, body: JsonObject) -> _Change:
    account = call.account
    if "assignments" in body and "escalation_policy" in body:
        raise invalid("Give either assignments or an escalation policy")
    policy_id = _id_in(body, "escalation_policy", account.escalation_policies, 1014)
    assignee_ids: tuple[str, ...] | None = None
    if "assignments" in body:
        wanted = [
            assignment.get("assignee") for assignment in body["assignments"] if isinstance(assignment, dict)
        ]
        assignee_ids = tuple(reference_id(assignee, "Assignee") for assignee in wanted)
        if not assignee_ids or any(assignee_id not in account.users for assignee_id in assignee_ids):
            raise refused(400, 1007, "Assignee unknown")
    if body.get("urgency") not in {None, "high", "low"}:
        raise invalid("Urgency must be high or low")
    if body.get("status") not in {None, *IncidentStatus}:
        raise invalid("Status is unknown", code=1003)
    bridge = body.get("conference_bridge") or {}
    given = bridge.get("conference_number"), bridge.get("conference_url")
    return _Change(
        title=body.get("title"),
        urgency=body.get("urgency"),
        priority_id=_priority_id(call, body),
        drops_priority="priority" in body and body["priority"] is None,
        incident_type=(body.get("incident_type") or {}).get("name"),
        service_id=_id_in(body, "service", account.services, 5002),
        policy_id=policy_id,
        assignee_ids=assignee_ids,
        level=body.get("escalation_level"),
        status=body.get("status"),
        resolution=body.get("resolution"),
        bridge=(given[0] or "", given[1] or "") if any(given) else None,
    )


def _id_in(body: JsonObject, name: str, owned: dict[str, Any], code: int) -> str | None:
    if body.get(name) is None:
        return None
    found = reference_id(body[name], name.replace("_", " ").capitalize())
    if found not in owned:
        raise refused(400, code, f"{name.replace('_', ' ').capitalize()} not found")
    return found


def _priority_id(call: Call, body: JsonObject) -> str | None:
    priority = body.get("priority")
    if priority is None:
        return None
    call.ability("incident_priorities")
    if isinstance(priority, str):
        named = [known.id for known in call.account.priorities.values() if known.name == priority]
        priority = {"id": named[0] if named else ""}
    found = reference_id(priority, "Priority")
    if found not in call.account.priorities:
        raise refused(400, 1020, "Priority not found")
    return found


def _checked(call: Call, incident: Incident, body: Any) -> _Change:
    """Parse a change, and refuse it before any effect if the incident does not allow it."""
    if body.get("type") not in _TYPES:
        raise invalid("Incident type must be incident or incident_reference")
    change = _parsed(call, body)
    resolved = incident.status is IncidentStatus.RESOLVED
    if change.title is not None and not change.title.strip():
        raise invalid("Title cannot be empty")
    moves = (change.service_id, change.policy_id, change.assignee_ids, change.level)
    reopens = resolved and change.status in {"triggered", "acknowledged"}
    if resolved and not reopens and (change.status == "resolved" or any(move is not None for move in moves)):
        raise RestError(ERRORS["already_resolved"])
    if change.status == "acknowledged" and incident.status is IncidentStatus.ACKNOWLEDGED:
        raise RestError(ERRORS["already_acknowledged"])
    policy = incident.escalation_policy
    if change.policy_id is not None:
        policy = call.account.escalation_policies[change.policy_id]
    if change.level is not None and not 1 <= change.level <= len(policy.levels):
        raise refused(400, 1006, "Incident cannot be escalated to this level")
    return change


def _carried_out(call: Call, incident: Incident, change: _Change) -> tuple[Event, ...]:
    account, incident_id, by = call.account, incident.id, call.by
    events: tuple[Event, ...] = ()
    if change.title is not None and change.title != incident.title:
        account.retitle(incident_id, change.title, by=by)
    if change.urgency is not None and change.urgency != incident.urgency:
        account.set_urgency(incident_id, change.urgency, by=by)
    old_priority = incident.priority.id if incident.priority else None
    names_priority = change.drops_priority or change.priority_id is not None
    if names_priority and change.priority_id != old_priority:
        events += account.set_priority(incident_id, change.priority_id, by=by)
    if change.incident_type is not None and change.incident_type != incident.incident_type:
        events += account.change_incident_type(incident_id, change.incident_type, by=by)
    if change.bridge is not None:
        events += account.set_conference_bridge(incident_id, *change.bridge, by=by)
    return events + _moved(call, incident, change)


def _moved(call: Call, incident: Incident, change: _Change) -> tuple[Event, ...]:
    account, incident_id, by = call.account, incident.id, call.by
    events: tuple[Event, ...] = ()
    if incident.status is IncidentStatus.RESOLVED and change.status in {"triggered", "acknowledged"}:
        events += account.reopen(incident_id, by=by, acknowledged=change.status == "acknowledged")
    if change.service_id is not None and change.service_id != incident.service.id:
        events += account.change_service(incident_id, change.service_id, by=by)
    if change.policy_id is not None:
        events += account.delegate(incident_id, change.policy_id, by=by)
    if change.assignee_ids is not None:
        events += account.reassign(incident_id, change.assignee_ids, by=by)
    if change.level is not None:
        events += account.escalate_to(incident_id, change.level - 1, by=by)
    return events + _status_changed(call, incident_id, change)


def _status_changed(call: Call, incident_id: str, change: _Change) -> tuple[Event, ...]:
    account, by = call.account, call.by
    status = account.incident(incident_id).status
    if change.status == "resolved":
        return account.resolve(incident_id, by=by, resolution=change.resolution)
    if change.status == "acknowledged" and status is IncidentStatus.TRIGGERED:
        return account.acknowledge(incident_id, by=by)
    if change.status == "triggered" and status is IncidentStatus.ACKNOWLEDGED:
        return account.unacknowledge(incident_id, by=by)
    return ()


_SCOPE: Final = "incidents.write"

OPERATIONS: Final = (
    a_write("createIncident", "POST", "/incidents", _create, _SCOPE, from_required=True),
    a_write("updateIncidents", "PUT", "/incidents", _update_many, _SCOPE, from_required=True),
    a_write("updateIncident", "PUT", "/incidents/{}", _update, _SCOPE, from_required=True),
)
