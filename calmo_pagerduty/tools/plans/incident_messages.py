"""Tools that tell people about an incident: notes, status updates, calls for help. None is said twice."""

from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.json_values import object_of, objects_of
from calmo_pagerduty.pagerduty.errors import InvalidRequest, OutcomeUnknown
from calmo_pagerduty.pagerduty.request_builders import Asking, get, given, listing, post, reference
from calmo_pagerduty.pagerduty.requests import JsonObject, Listed, Plan
from calmo_pagerduty.tools.model import Arguments, Call, Column
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.fields import Id, Line, Text
from calmo_pagerduty.tools.plans.incidents import OneIncident, changes_an_incident
from calmo_pagerduty.tools.plans.markers import CLOCKS, found_marked, marked

_MOST_LOG_ENTRIES = 1000


class AddIncidentNote(OneIncident):
    content: Text


def add_incident_note(arguments: AddIncidentNote, call: Call) -> Plan:
    path = f"/incidents/{arguments.incident_id}/notes"
    if call.repeated:
        answer = yield get(path)
        if made := found_marked(objects_of(answer.get("notes")), call.id):
            return shapes.note(made)
    body = {"note": {"content": marked(arguments.content, call.id)}}
    answer = yield post(path, body, in_the_name_of=True)
    return shapes.note(object_of(answer.get("note")))


class PublishStatusUpdate(OneIncident):
    message: Text
    subject: Line | None = Field(None, description="Of the e-mail; goes with html_message.")
    html_message: Text | None = Field(None, description="Of the e-mail; goes with subject.")

    @model_validator(mode="after")
    def _a_whole_mail(self) -> Self:
        if (self.subject is None) != (self.html_message is None):
            raise ValueError("subject: give it together with html_message, or neither")
        return self


def publish_status_update(arguments: PublishStatusUpdate, call: Call) -> Plan:
    if call.repeated:
        if not (entry := (yield from _in_the_log(arguments.incident_id, call))):
            raise _unknown("The status update")
        return {"id": entry.get("id"), "message": arguments.message, "created_at": entry.get("created_at")}
    body = {
        "message": marked(arguments.message, call.id),
        "subject": arguments.subject,
        "html_message": arguments.html_message,
    }
    answer = yield post(
        f"/incidents/{arguments.incident_id}/status_updates", given(body), in_the_name_of=True
    )
    update = object_of(answer.get("status_update"))
    shown = shapes.picked(update, "id", "message", "subject", "created_at")
    return shapes.without_nothing(shown | {"sender": shapes.ref(update.get("sender"))})


def _in_the_log(incident_id: str, call: Call) -> Asking:
    """Return the log entry that holds the call's mark. PagerDuty doesn't promise to log every message."""
    since = call.first_attempt_at - CLOCKS
    request = get(f"/incidents/{incident_id}/log_entries", since=since, **{"include[]": "channels"})
    listed: Listed = yield listing(request, "log_entries", _MOST_LOG_ENTRIES)
    return found_marked(listed.items, call.id)


def _unknown(what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{what} may have been sent by an earlier attempt, and PagerDuty can't be asked whether it was",
        advice="look at the incident, and send it again if it is missing",
    )


class ResponderTarget(Arguments):
    type: Literal["user", "escalation_policy"]
    id: Id


class RequestResponders(OneIncident):
    message: Text = Field(max_length=5000)
    targets: tuple[ResponderTarget, ...] = Field(min_length=1, max_length=20)


def request_responders(arguments: RequestResponders, call: Call) -> Plan:
    if call.repeated and (made := (yield from _requested_before(arguments.incident_id, call))):
        return _request_shown(made)
    requester = yield from _requester(call)
    targets = [{"responder_request_target": reference(to.id, to.type)} for to in arguments.targets]
    body = {
        "requester_id": requester,
        "message": marked(arguments.message, call.id),
        "responder_request_targets": targets,
    }
    answer = yield post(f"/incidents/{arguments.incident_id}/responder_requests", body)
    return _request_shown(object_of(answer.get("responder_request")))


def _requested_before(incident_id: str, call: Call) -> Asking:
    """Return the request with the call's mark, None if there is none. Raises OutcomeUnknown."""
    answer = yield get(f"/incidents/{incident_id}")
    incident = object_of(answer.get("incident"))
    things = [
        *objects_of(incident.get("responder_requests")),
        *objects_of(incident.get("incidents_responders")),
    ]
    if found := found_marked(things, call.id):
        return found
    if "responder_requests" in incident:
        return None
    # PagerDuty doesn't promise the field: without it only the log can tell that it was sent.
    if entry := (yield from _in_the_log(incident_id, call)):
        return {"requested_at": entry.get("created_at")}
    raise _unknown("The request")


def _requester(call: Call) -> Asking:
    """Return the id of the user in whose name responders are asked. Raises InvalidRequest."""
    if call.from_address:
        listed: Listed = yield listing(get("/users", query=call.from_address), "users", 25)
        wanted = call.from_address.casefold()
        for user in listed.items:
            if str(user.get("email") or "").casefold() == wanted and user.get("id"):
                return user["id"]
        raise InvalidRequest("No PagerDuty user has the connection's address", advice="correct the address")
    try:
        answer = yield get("/users/me")
    except InvalidRequest as refused:
        raise InvalidRequest(
            "Responders are asked in somebody's name, and this token is nobody's",
            advice="give the connection the e-mail address of a PagerDuty user",
            status=refused.status,
        ) from None
    return object_of(answer.get("user")).get("id")


def _request_shown(thing: JsonObject) -> JsonObject:
    wrapped = [
        object_of(part.get("responder_request_target") or part)
        for part in objects_of(thing.get("responder_request_targets"))
    ]
    targets = [
        shapes.without_nothing(
            shapes.picked(target, "id", "type", "summary")
            | {
                "responders": [
                    shapes.without_nothing(
                        {"state": responder.get("state"), "user": shapes.ref(responder.get("user"))}
                    )
                    for responder in objects_of(target.get("incidents_responders"))
                ]
            }
        )
        for target in wrapped
    ]
    shown = shapes.picked(thing, "message", "requested_at")
    return shapes.without_nothing(
        shown | {"requester": shapes.ref(thing.get("requester")), "targets": targets}
    )


_writing = partial(changes_an_incident, idempotent=False)

TOOLS = (
    _writing(
        name="add_incident_note",
        title="Add incident note",
        description="Adds a note to an incident, with a short mark of this call at its end.",
        arguments=AddIncidentNote,
        plan=add_incident_note,
        columns=(Column("Id", "id"), Column("At", "created_at"), Column("Note", "content")),
        operations=("createIncidentNote", "listIncidentNotes"),
    ),
    _writing(
        name="publish_status_update",
        title="Publish status update",
        description="Sends a status update on an incident to those who subscribed to it.",
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
