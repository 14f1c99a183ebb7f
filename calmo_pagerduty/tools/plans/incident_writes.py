"""Tools that create incidents and change their state. Each is safe to repeat."""

from collections.abc import Generator
from datetime import timedelta
from functools import partial
from typing import Any, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import AlreadySo, ChangedMeanwhile, InvalidRequest
from calmo_pagerduty.pagerduty.request_builders import (
    SubPlan,
    get,
    list_request,
    post,
    put,
    reference,
    references,
    without_none,
)
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Plan
from calmo_pagerduty.tools.classes import Risk
from calmo_pagerduty.tools.fields import Id, Line, Status, Text, Urgency
from calmo_pagerduty.tools.markers import CLOCK_TOLERANCE
from calmo_pagerduty.tools.model import Arguments, CallContext
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.incidents import IncidentArguments, changes_an_incident


class CreateIncident(Arguments):
    title: Line
    service_id: Id
    urgency: Urgency | None = None
    priority_id: Id | None = Field(None, description="See list_priorities.")
    details: Text | None = None
    incident_key: str | None = Field(
        None,
        min_length=1,
        max_length=255,
        description="While the incident is open, the same key creates no second incident.",
    )
    assignee_id: Id | None = Field(None, description="Instead of the escalation policy.")
    escalation_policy_id: Id | None = Field(None, description="Instead of the service's own.")

    @model_validator(mode="after")
    def _check_one_assignment(self) -> Self:
        if self.assignee_id and self.escalation_policy_id:
            raise ValueError("assignee_id: give it without escalation_policy_id")
        return self


def create_incident(arguments: CreateIncident, call: CallContext) -> Plan:
    key = arguments.incident_key or f"calmo-{call.id}"
    if call.repeated and (made := (yield from _find_created(arguments, key, call))):
        return shapes.shape_incident_details(made) | {"existed": True}
    policy, assignee = arguments.escalation_policy_id, arguments.assignee_id
    incident = {
        "type": "incident",
        "title": arguments.title,
        "service": reference(arguments.service_id, "service"),
        "incident_key": key,
        "urgency": arguments.urgency,
        "priority": _optional_reference(arguments.priority_id, "priority"),
        "body": {"type": "incident_body", "details": arguments.details} if arguments.details else None,
        "escalation_policy": _optional_reference(policy, "escalation_policy"),
        "assignments": [{"assignee": reference(assignee, "user")}] if assignee else None,
    }
    try:
        answer = yield post("/incidents", {"incident": without_none(incident)}, in_the_name_of=True)
    except InvalidRequest:
        # Maybe an open incident has the key: PagerDuty's error has no code for that, so look it up.
        existing = yield from _find_by_key(arguments.service_id, key)
        open_incidents = [incident for incident in existing if incident.get("status") != "resolved"]
        if not open_incidents:
            raise
        return shapes.shape_incident_details(open_incidents[0]) | {"existed": True}
    return shapes.shape_incident_details(as_object(answer.get("incident")))


def _find_created(arguments: CreateIncident, key: str, call: CallContext) -> SubPlan:
    """Return the incident that an earlier attempt created, even if it is resolved by now; None if none.

    An older incident may have the caller's own key. If it is resolved, it isn't from this call.
    """
    existing = yield from _find_by_key(arguments.service_id, key)
    for resource in existing:
        created = parse_instant(resource.get("created_at"))
        recent = created is not None and created >= call.first_attempt_at - CLOCK_TOLERANCE
        if arguments.incident_key is None or recent or resource.get("status") != "resolved":
            return resource
    return None


def _find_by_key(service_id: str, key: str) -> SubPlan:
    request = get(
        "/incidents",
        incident_key=key,
        date_range="all",
        sort_by="created_at:desc",
        **{"service_ids[]": service_id, "statuses[]": ("triggered", "acknowledged", "resolved")},
    )
    listed: ListResult = yield list_request(request, "incidents", 10)
    return [resource for resource in listed.items if resource.get("incident_key") in (None, key)]


def _optional_reference(id_: str | None, type_: str) -> JsonObject | None:
    return reference(id_, type_) if id_ else None


#: How much earlier than our request its log entry may be.
_LOG_TOLERANCE = timedelta(seconds=5)


class UpdateIncident(IncidentArguments):
    status: Status | None = None
    reopen: bool = Field(False, description="Allow a status that opens a resolved incident again.")
    title: Line | None = None
    urgency: Urgency | None = None
    priority_id: Id | None = Field(None, description="See list_priorities.")
    priority_name: Line | None = Field(None, description="Instead of priority_id: the account's own name.")
    assignee_ids: tuple[Id, ...] = Field((), max_length=20, description="Replaces the assignees.")
    expected_assignee_ids: tuple[Id, ...] = Field(
        (), max_length=20, description="Change nothing if it is assigned to others by now."
    )
    expected_priority_id: Id | None = Field(
        None, description="Change nothing if it has another priority by now."
    )
    escalation_policy_id: Id | None = None
    escalation_level: int | None = Field(None, ge=1, le=20)
    resolution: Text | None = Field(None, description="Needs status resolved; shown in the timeline.")

    @model_validator(mode="after")
    def _check_changes(self) -> Self:
        about = {"incident_id", "reopen", "expected_assignee_ids", "expected_priority_id"}
        if not any(self.model_dump(exclude=about).values()):
            raise ValueError("status: give at least one field to change")
        if self.priority_id and self.priority_name:
            raise ValueError("priority_name: give it without priority_id")
        if self.assignee_ids and (self.escalation_policy_id or self.escalation_level):
            raise ValueError("assignee_ids: give them without escalation policy and level")
        if self.resolution and self.status != "resolved":
            raise ValueError("resolution: it goes with status resolved")
        return self


def update_incident(arguments: UpdateIncident, call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    assignees = references(arguments.assignee_ids, "user")
    changes = without_none(
        {
            "title": arguments.title,
            "urgency": arguments.urgency,
            "priority": _optional_reference(arguments.priority_id, "priority") or arguments.priority_name,
            "assignments": [{"assignee": assignee} for assignee in assignees] or None,
            "escalation_policy": _optional_reference(arguments.escalation_policy_id, "escalation_policy"),
            "escalation_level": arguments.escalation_level,
        }
    )
    state = without_none({"status": arguments.status, "resolution": arguments.resolution})
    would_open = arguments.status in ("triggered", "acknowledged") and not arguments.reopen
    may_be_done = call.repeated and (arguments.reopen or not _ASSIGNMENT_FIELDS.isdisjoint(changes))
    is_conditional = bool(arguments.expected_assignee_ids or arguments.expected_priority_id)
    if would_open or may_be_done or is_conditional:
        answer = yield get(path)
        incident = as_object(answer.get("incident"))
        is_resolved = incident.get("status") == "resolved"
        if would_open and is_resolved:
            raise InvalidRequest("The incident is resolved", advice="give reopen=true to open it again")
        if is_conditional:
            changes = _expected_changes(incident, changes, arguments)
            if not changes and not state and not may_be_done:
                return shapes.shape_incident_details(incident) | {"unchanged": True}
        if may_be_done:
            changes = yield from _remaining_changes(path, incident, changes, call)
            was_opened = arguments.reopen and arguments.status == "triggered" and not is_resolved
            state = {} if was_opened else state
            if not changes and not state:
                # After an acknowledgement, PagerDuty no longer shows who reopened it.
                is_open = was_opened and incident.get("status") == "triggered"
                is_theirs = is_open and not _may_be_own_agent(incident.get("last_status_change_by"), call)
                return shapes.shape_incident_details(incident) | ({"unchanged": True} if is_theirs else {})
    return (yield from _put_changes(path, changes | state, changes, call))


#: Changes that notify people each time.
_ASSIGNMENT_FIELDS = frozenset({"assignments", "escalation_policy", "escalation_level"})


def _remaining_changes(
    path: str, incident: JsonObject, changes: JsonObject, call: CallContext
) -> Generator[ApiRequest | ListRequest, Any, JsonObject]:
    """Leave out what an earlier attempt has changed, so that PagerDuty notifies nobody twice."""
    remaining = dict(changes)
    requested = [assignment["assignee"]["id"] for assignment in changes.get("assignments", ())]
    if requested and _assigned_ids(incident) == sorted(requested):
        del remaining["assignments"]
    policy = as_object(incident.get("escalation_policy")).get("id")
    if "escalation_policy" in changes and policy == changes["escalation_policy"]["id"]:
        del remaining["escalation_policy"]
    if "escalation_level" in changes and (yield from _was_escalated(path, call)):
        del remaining["escalation_level"]
    return remaining


def _expected_changes(incident: JsonObject, changes: JsonObject, arguments: UpdateIncident) -> JsonObject:
    """Return the changes without those that the incident shows already.

    Raises InvalidRequest if the incident shows neither them nor what the caller expects: somebody else has
    changed it meanwhile.
    """
    remaining = dict(changes)
    assigned = _assigned_ids(incident)
    if arguments.expected_assignee_ids and "assignments" in changes:
        if assigned == sorted(arguments.assignee_ids):
            del remaining["assignments"]
        elif assigned != sorted(arguments.expected_assignee_ids):
            raise InvalidRequest("The incident was assigned to others meanwhile", advice=_LOOK_FIRST)
    priority = as_object(incident.get("priority"))
    if arguments.expected_priority_id and "priority" in changes:
        if _is_priority(priority, arguments):
            del remaining["priority"]
        elif priority.get("id") != arguments.expected_priority_id:
            raise InvalidRequest("The incident got another priority meanwhile", advice=_LOOK_FIRST)
    return remaining


_LOOK_FIRST = "look at the incident, and decide anew"


def _is_priority(priority: JsonObject, arguments: UpdateIncident) -> bool:
    names = (priority.get("summary"), priority.get("name"))
    return priority.get("id") == arguments.priority_id or (
        arguments.priority_name is not None and arguments.priority_name in names
    )


def _assigned_ids(incident: JsonObject) -> list[str]:
    return sorted(
        str(as_object(assignment.get("assignee")).get("id"))
        for assignment in as_objects(incident.get("assignments"))
    )


def _was_escalated(path: str, call: CallContext) -> SubPlan:
    """Return True if the log has an escalation of ours since the first attempt, in whole seconds."""
    since = call.first_attempt_at - _LOG_TOLERANCE
    listed: ListResult = yield list_request(get(f"{path}/log_entries", since=since), "log_entries", 100)
    return any(
        str(entry.get("type") or "").startswith("escalate_log_entry")
        and _may_be_own_agent(entry.get("agent"), call)
        for entry in listed.items
    )


def _may_be_own_agent(agent: Any, call: CallContext) -> bool:
    """Return False only if the agent is certainly not the user our token acts as."""
    agent_id = as_object(agent).get("id")
    return agent_id is None or call.agent_id in (None, agent_id)


def _put_changes(path: str, changes: JsonObject, without_status: JsonObject, call: CallContext) -> Plan:
    """Change the incident. If it has the status already, make the other changes only."""
    unchanged: JsonObject = {}
    try:
        answer = yield from put_incident(path, changes)
    except AlreadySo:
        if not without_status or without_status == changes:
            answer = yield get(path)
            # An earlier attempt of ours may have set the status.
            by = as_object(answer.get("incident")).get("last_status_change_by")
            unchanged = {} if call.repeated and _may_be_own_agent(by, call) else {"unchanged": True}
        else:
            answer = yield from put_incident(path, without_status)
    return shapes.shape_incident_details(as_object(answer.get("incident"))) | unchanged


def put_incident(path: str, changes: JsonObject) -> SubPlan:
    """Change the incident; repeat the request once if somebody else changed the incident meanwhile."""
    request = put(path, {"incident": {"type": "incident_reference"} | changes}, in_the_name_of=True)
    try:
        return (yield request)
    except ChangedMeanwhile:
        yield get(path)
        return (yield request)


class ResolveIncident(IncidentArguments):
    resolution: Text | None = Field(None, description="How it was resolved; shown in the timeline.")


def resolve_incident(arguments: ResolveIncident, call: CallContext) -> Plan:
    changes = without_none({"status": "resolved", "resolution": arguments.resolution})
    return (yield from _put_changes(f"/incidents/{arguments.incident_id}", changes, {}, call))


TOOLS = (
    partial(changes_an_incident, risk=Risk.HIGH)(
        name="create_incident",
        title="Create incident",
        description="Creates an incident on a service, which notifies whoever is on call.",
        arguments=CreateIncident,
        plan=create_incident,
        operations=("createIncident", "listIncidents"),
        idempotent=False,
    ),
    changes_an_incident(
        name="update_incident",
        title="Update incident",
        description="Changes an incident: status, priority, urgency, title, assignment, escalation policy "
        "or level. Only `reopen` opens a resolved incident again.",
        arguments=UpdateIncident,
        plan=update_incident,
        operations=("updateIncident", "getIncident", "listIncidentLogEntries"),
        destructive=True,
    ),
    changes_an_incident(
        name="resolve_incident",
        title="Resolve incident",
        description="Resolves an incident, with an optional resolution text.",
        arguments=ResolveIncident,
        plan=resolve_incident,
        operations=("updateIncident", "getIncident"),
    ),
)
