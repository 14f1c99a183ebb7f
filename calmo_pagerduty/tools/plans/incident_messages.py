"""Tools that send messages about an incident: notes, status updates, responder requests; none twice."""

from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest, OutcomeUnknown
from calmo_pagerduty.pagerduty.request_builders import (
    SubPlan,
    get,
    list_request,
    post,
    reference,
    without_none,
)
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.fields import Id, Line, Text
from calmo_pagerduty.tools.markers import CLOCK_TOLERANCE, find_marked, find_text, with_marker
from calmo_pagerduty.tools.model import Arguments, CallContext, Column
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.incidents import IncidentArguments, changes_an_incident

_MAX_LOG_ENTRIES = 1000


class AddIncidentNote(IncidentArguments):
    content: Text


def add_incident_note(arguments: AddIncidentNote, call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}/notes"
    if call.repeated:
        answer = yield get(path)
        if made := find_marked(as_objects(answer.get("notes")), call.id):
            return shapes.shape_note(made)
    body = {"note": {"content": with_marker(arguments.content, call.id)}}
    answer = yield post(path, body, in_the_name_of=True)
    return shapes.shape_note(as_object(answer.get("note")))


class PublishStatusUpdate(IncidentArguments):
    message: Text
    subject: Line | None = Field(None, description="The e-mail's subject; needs html_message.")
    html_message: Text | None = Field(None, description="The e-mail's body; needs subject.")

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if (self.subject is None) != (self.html_message is None):
            raise ValueError("subject: give it together with html_message, or neither")
        return self


def publish_status_update(arguments: PublishStatusUpdate, call: CallContext) -> Plan:
    if call.repeated:
        log = yield from _read_log(arguments.incident_id, call)
        if not (entry := find_text(log, arguments.message)):
            raise _outcome_unknown("the status update")
        return {"id": entry.get("id"), "message": arguments.message, "created_at": entry.get("created_at")}
    body = {
        # It has no marker: stakeholders read it.
        "message": arguments.message,
        "subject": arguments.subject,
        "html_message": arguments.html_message,
    }
    answer = yield post(
        f"/incidents/{arguments.incident_id}/status_updates", without_none(body), in_the_name_of=True
    )
    update = as_object(answer.get("status_update"))
    shown = shapes.pick_fields(update, "id", "message", "subject", "created_at")
    return shapes.without_empty(shown | {"sender": shapes.shape_reference(update.get("sender"))})


def _read_log(incident_id: str, call: CallContext) -> SubPlan:
    """Return the log entries since the first attempt. PagerDuty may not log a message."""
    since = call.first_attempt_at - CLOCK_TOLERANCE
    request = get(f"/incidents/{incident_id}/log_entries", since=since, **{"include[]": "channels"})
    listed: ListResult = yield list_request(request, "log_entries", _MAX_LOG_ENTRIES)
    return listed.items


def _outcome_unknown(what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"An earlier attempt may have sent {what}, and PagerDuty can't tell whether it did",
        advice="look at the incident, and send it again if it is missing",
    )


class ResponderTarget(Arguments):
    type: Literal["user", "escalation_policy"]
    id: Id


class RequestResponders(IncidentArguments):
    message: Text = Field(max_length=5000)
    targets: tuple[ResponderTarget, ...] = Field(min_length=1, max_length=20)


def request_responders(arguments: RequestResponders, call: CallContext) -> Plan:
    if call.repeated and (made := (yield from _find_request(arguments.incident_id, call))):
        return _shape_request(made)
    requester = yield from _requester(call)
    targets = [{"responder_request_target": reference(to.id, to.type)} for to in arguments.targets]
    body = {
        "requester_id": requester,
        "message": with_marker(arguments.message, call.id),
        "responder_request_targets": targets,
    }
    answer = yield post(f"/incidents/{arguments.incident_id}/responder_requests", body)
    return _shape_request(as_object(answer.get("responder_request")))


def _find_request(incident_id: str, call: CallContext) -> SubPlan:
    """Return the request with the call's marker; None if there is none. Raises OutcomeUnknown."""
    answer = yield get(f"/incidents/{incident_id}")
    incident = as_object(answer.get("incident"))
    resources = [
        *as_objects(incident.get("responder_requests")),
        *as_objects(incident.get("incidents_responders")),
    ]
    if found := find_marked(resources, call.id):
        return found
    if "responder_requests" in incident:
        return None
    # PagerDuty doesn't guarantee the field: without it, only the log can prove that it was sent.
    log = yield from _read_log(incident_id, call)
    if entry := find_marked(log, call.id):
        return {"requested_at": entry.get("created_at")}
    raise _outcome_unknown("the request")


def _requester(call: CallContext) -> SubPlan:
    """Return the id of the PagerDuty user who requests the responders. Raises InvalidRequest."""
    if call.from_address:
        listed: ListResult = yield list_request(get("/users", query=call.from_address), "users", 25)
        address = call.from_address.casefold()
        for user in listed.items:
            if str(user.get("email") or "").casefold() == address and user.get("id"):
                return user["id"]
        raise InvalidRequest("No PagerDuty user has the connection's address", advice="correct the address")
    try:
        answer = yield get("/users/me")
    except InvalidRequest as refused:
        raise InvalidRequest(
            "A request for responders needs a user as its author, and this token has none",
            advice="give the connection the e-mail address of a PagerDuty user",
            status=refused.status,
        ) from None
    return as_object(answer.get("user")).get("id")


def _shape_request(resource: JsonObject) -> JsonObject:
    wrapped = [
        as_object(part.get("responder_request_target") or part)
        for part in as_objects(resource.get("responder_request_targets"))
    ]
    targets = [_shape_target(target) for target in wrapped]
    shown = shapes.pick_fields(resource, "message", "requested_at")
    return shapes.without_empty(
        shown | {"requester": shapes.shape_reference(resource.get("requester")), "targets": targets}
    )


def _shape_target(target: JsonObject) -> JsonObject:
    """Return a target with its responders. PagerDuty names a user only there."""
    responders = [
        shapes.without_empty({"state": part.get("state"), "user": shapes.shape_reference(part.get("user"))})
        for part in as_objects(target.get("incidents_responders"))
    ]
    users = (as_object(responder.get("user")) for responder in responders)
    names = {user.get("id"): user.get("summary") for user in users}
    return shapes.without_empty(
        shapes.pick_fields(target, "id", "type")
        | {
            "summary": target.get("summary") or names.get(target.get("id")),
            "responders": responders,
        }
    )


_writing = partial(changes_an_incident, idempotent=False)

TOOLS = (
    _writing(
        name="add_incident_note",
        title="Add incident note",
        description="Adds a note to an incident, with a short marker of this call at its end.",
        arguments=AddIncidentNote,
        plan=add_incident_note,
        columns=(Column("Id", "id"), Column("At", "created_at"), Column("Note", "content")),
        operations=("createIncidentNote", "listIncidentNotes"),
    ),
    _writing(
        name="publish_status_update",
        title="Publish status update",
        description="Sends a status update on an incident to its subscribers.",
        arguments=PublishStatusUpdate,
        plan=publish_status_update,
        columns=(Column("Id", "id"), Column("At", "created_at"), Column("Message", "message")),
        operations=("createIncidentStatusUpdate", "listIncidentLogEntries"),
    ),
    _writing(
        name="request_responders",
        title="Request responders",
        description="Asks users or escalation policies to join an incident: adds and notifies them.",
        arguments=RequestResponders,
        plan=request_responders,
        columns=(Column("At", "requested_at"), Column("By", "requester.summary")),
        operations=(
            "createIncidentResponderRequest",
            "getIncident",
            "listIncidentLogEntries",
            "listUsers",
            "getCurrentUser",
        ),
        scopes=("incidents.write", "incidents.read", "users.read"),
        abilities=("coordinated_responding",),
    ),
)
