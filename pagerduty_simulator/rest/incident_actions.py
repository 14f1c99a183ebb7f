"""An incident's alerts, snoozing, merging and responder requests."""

from datetime import timedelta
from typing import Any, Final

from pagerduty_simulator.belongings import Alert
from pagerduty_simulator.events import Event
from pagerduty_simulator.payloads import wire_seconds
from pagerduty_simulator.references import JsonObject, user_reference
from pagerduty_simulator.resources import Incident, IncidentStatus, User
from pagerduty_simulator.rest.answers import ERRORS, Answer, RestError, invalid, not_found, refused
from pagerduty_simulator.rest.calls import Call, a_read, a_write, page, reference_id
from pagerduty_simulator.rest.incident_objects import (
    alert_object,
    incident_object,
    numbered_reference,
    responder_object,
)
from pagerduty_simulator.rest.incidents import find_incident

_MAX_SNOOZE: Final = 604_800
_MAX_MERGED_ALERTS: Final = 1_000


def _alerts(call: Call, incident: Incident) -> list[Alert]:
    return call.account.belongings.alerts.get(incident.id, [])


def _list_alerts(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    status = "resolved" if incident.status is IncidentStatus.RESOLVED else "triggered"
    wanted, key = call.set_of("statuses"), call.parameter("alert_key")
    found = [
        alert
        for alert in _alerts(call, incident)
        if (not wanted or status in wanted) and key in {None, alert.alert_key}
    ]
    if (call.parameter("sort_by") or "").endswith(":desc"):
        found.reverse()
    return page(call, "alerts", found, lambda alert: alert_object(call, incident, alert))


def _get_alert(call: Call) -> Answer:
    incident = find_incident(call, call.parameters[0])
    for alert in _alerts(call, incident):
        if alert.id == call.parameters[1]:
            return Answer(200, {"alert": alert_object(call, incident, alert)})
    raise not_found()


def _snooze(call: Call) -> Answer:
    incident, duration = find_incident(call, call.parameters[0]), call.body.get("duration")
    if not isinstance(duration, int) or not 1 <= duration <= _MAX_SNOOZE:
        raise invalid("Duration must be between 1 and 604800 seconds", code=1013)
    call.account.snooze(incident.id, timedelta(seconds=duration), by=call.by)
    return Answer(201, {"incident": incident_object(call, call.account.incident(incident.id))})


def _merge(call: Call) -> Answer:
    target = find_incident(call, call.parameters[0])
    sources = call.body.get("source_incidents")
    if not isinstance(sources, list) or not sources:
        raise invalid("Source incidents cannot be empty")
    merged = [find_incident(call, reference_id(source, "Source incident")) for source in sources]
    if target.status is IncidentStatus.RESOLVED:
        raise RestError(ERRORS["already_resolved"])
    for incident in merged:
        if incident.id == target.id:
            raise invalid("An incident cannot be merged into itself")
        if incident.status is IncidentStatus.RESOLVED:
            code, words = (1019, "already merged") if incident.merged_into else (1001, "already resolved")
            raise refused(400, code, f"A source incident is {words}")
    if sum(len(_alerts(call, incident)) for incident in (target, *merged)) > _MAX_MERGED_ALERTS:
        raise invalid("At most 1000 alerts can be merged")
    for incident in merged:
        call.site.publish(call.account.merge(incident.id, target.id, by=call.by))
        call.account.belongings.alerts.setdefault(target.id, []).extend(_alerts(call, incident))
    return Answer(200, {"incident": numbered_reference(call.links, target)})


def _requester(call: Call) -> User:
    requester_id = call.body.get("requester_id")
    if requester_id not in call.account.users:
        raise RestError(ERRORS["from_unknown"])
    return call.account.users[requester_id]


def _users_of_target(call: Call, target: Any) -> tuple[str, str, tuple[User, ...]]:
    """Return a target's kind and id, and the users whom it requests now."""
    target_id = reference_id(target, "Responder request target")
    kind = str(target.get("type", "")).removesuffix("_reference")
    if kind == "user" and target_id in call.account.users:
        return kind, target_id, (call.account.users[target_id],)
    if kind == "escalation_policy" and target_id in call.account.escalation_policies:
        policy = call.account.escalation_policies[target_id]
        return kind, target_id, call.account.paged(policy, 0)
    return kind, target_id, ()


def _request_responders(call: Call) -> Answer:
    incident, requester = find_incident(call, call.parameters[0]), _requester(call)
    message, wrapped = call.body.get("message"), call.body.get("responder_request_targets")
    if not isinstance(message, str) or not message:
        raise invalid("Message cannot be empty")
    if (
        not isinstance(wrapped, list)
        or not wrapped
        or not all(isinstance(wrapper, dict) for wrapper in wrapped)
    ):
        raise invalid("Responder request targets cannot be empty")
    targets = [_users_of_target(call, wrapper.get("responder_request_target")) for wrapper in wrapped]
    if not all(users for _, _, users in targets):
        raise invalid("A responder request target is unknown")
    events: tuple[Event, ...] = ()
    for _, _, users in targets:
        for user in users:
            events += call.account.add_responder(incident.id, user.id, message, by=requester.id)
    call.site.publish(events)
    asked = call.account.incident(incident.id)
    return Answer(
        200,
        {
            "responder_request": {
                "incident": numbered_reference(call.links, asked),
                "requester": user_reference(call.links, requester),
                "requested_at": wire_seconds(call.now),
                "message": message,
                "responder_request_targets": [
                    {"responder_request_target": _asked_target(call, asked, *target)} for target in targets
                ],
            }
        },
    )


def _asked_target(
    call: Call, incident: Incident, kind: str, target_id: str, users: tuple[User, ...]
) -> JsonObject:
    ids = {user.id for user in users}
    responders = [responder for responder in incident.responders if responder.user.id in ids]
    rows = [responder_object(call.links, incident, responder) for responder in responders]
    return {"type": kind, "id": target_id, "incidents_responders": rows}


def _cancel_responders(call: Call) -> Answer:
    incident, requester = find_incident(call, call.parameters[0]), _requester(call)
    targets = call.body.get("responder_request_targets")
    if not isinstance(targets, list) or not targets:
        raise invalid("Responder request targets cannot be empty")
    results = []
    for target in targets:
        kind, target_id, users = _users_of_target(call, target)
        states = {responder.user.id: responder.state for responder in incident.responders}
        found = [states[user.id] for user in users if user.id in states]
        result = "not_found"
        if "pending" in found:
            result = "cancelled"
            for user in users:
                if states.get(user.id) == "pending":
                    call.account.cancel_responder(incident.id, user.id, by=requester.id)
        elif found and found[0] != "user_cancelled":
            result = found[0]
        results.append({"type": f"{kind}_reference", "id": target_id, "result": result})
    return Answer(200, {"responder_request_targets": results})


_READ: Final = "incidents.read"
_WRITE: Final = "incidents.write"
_RESPONDERS: Final = "/incidents/{}/responder_requests"

OPERATIONS: Final = (
    a_read("listIncidentAlerts", "/incidents/{}/alerts", _list_alerts, _READ),
    a_read("getIncidentAlert", "/incidents/{}/alerts/{}", _get_alert, _READ),
    a_write("createIncidentSnooze", "POST", "/incidents/{}/snooze", _snooze, _WRITE, from_required=True),
    a_write("mergeIncidents", "PUT", "/incidents/{}/merge", _merge, _WRITE, from_required=True),
    a_write(
        "createIncidentResponderRequest",
        "POST",
        _RESPONDERS,
        _request_responders,
        _WRITE,
        ability="coordinated_responding",
    ),
    a_write(
        "cancelIncidentResponderRequest",
        "PUT",
        f"{_RESPONDERS}/cancel",
        _cancel_responders,
        _WRITE,
        ability="coordinated_responding",
    ),
)
