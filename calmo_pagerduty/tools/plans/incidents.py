"""Tools that read incidents: lists, details, timelines, notes and alerts."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.request_builders import get, list_request, list_result, page_result
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Status, Time, Urgency
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.windows import Window

INCIDENT_COLUMNS = (
    Column("Number", "incident_number"),
    Column("Id", "id"),
    Column("Status", "status"),
    Column("Urgency", "urgency"),
    Column("Priority", "priority.summary"),
    Column("Service", "service.summary"),
    Column("Title", "title"),
    Column("Created", "created_at"),
)
LOG_COLUMNS = (
    Column("At", "created_at"),
    Column("Type", "type"),
    Column("By", "agent.summary"),
    Column("What", "summary"),
)
ALERT_COLUMNS = (
    Column("Id", "id"),
    Column("Status", "status"),
    Column("Severity", "severity"),
    Column("Created", "created_at"),
    Column("Summary", "summary"),
)


_Number = Annotated[int, Field(ge=1, le=2**53 - 1)]


def _number_as_text(value: object) -> object:
    return str(value) if type(value) is int and value > 0 else value


#: An incident's number may come as a JSON number, since results show it as one.
IncidentId = Annotated[
    Id,
    BeforeValidator(_number_as_text, json_schema_input_type=Id | _Number),
    Field(description="The incident's id or number."),
]
Sort = Literal[
    "created_at:desc",
    "created_at:asc",
    "urgency:desc",
    "urgency:asc",
    "resolved_at:desc",
    "incident_number:desc",
]


class ListIncidents(Window):
    statuses: tuple[Status, ...] = Field((), max_length=3, description="Any of them; all if empty.")
    urgencies: tuple[Urgency, ...] = Field((), max_length=2)
    service_ids: Ids = ()
    team_ids: Ids = ()
    user_ids: Ids = Field((), description="Current assignees: finds open incidents only.")
    priority_ids: Ids = ()
    incident_key: str | None = Field(None, min_length=1, max_length=255)
    sort_by: Sort = "created_at:desc"
    limit: Limit = 25
    after: After = None


def list_incidents(arguments: ListIncidents, call: CallContext) -> Plan:
    # PagerDuty's default is the last month, which would hide older open incidents.
    only_open = arguments.statuses and "resolved" not in arguments.statuses
    everything = not (arguments.since or arguments.until) and bool(only_open or arguments.incident_key)
    since, until = arguments.backward(call.now, timedelta(days=30))
    times = {"date_range": "all"} if everything else {"since": since, "until": until}
    request = get(
        "/incidents",
        **times,
        **{
            "statuses[]": arguments.statuses,
            "urgencies[]": arguments.urgencies,
            "service_ids[]": arguments.service_ids,
            "team_ids[]": arguments.team_ids,
            "user_ids[]": arguments.user_ids,
            "incident_key": arguments.incident_key,
            "sort_by": arguments.sort_by,
        },
    )
    listed: ListResult = yield list_request(
        request,
        "incidents",
        arguments.limit,
        arguments.after,
        divisible=not everything,
        # PagerDuty can't filter by priority. Observed: it uses only the date of a bound.
        keep=partial(_matches, arguments)
        if arguments.priority_ids or arguments.since or arguments.until
        else None,
    )
    return page_result(listed, shapes.shape_incident, *_notes(arguments, listed))


def _notes(arguments: ListIncidents, listed: ListResult) -> list[str]:
    """Return what was read, if PagerDuty couldn't filter: a short list must not be taken for a whole one."""
    if not arguments.priority_ids:
        return []
    found = f"{listed.read} incidents were read, since PagerDuty can't filter by priority"
    if listed.next is None:
        return [f"{found}: these are all that match"]
    return [f"{found}; {len(listed.items)} match so far: go on with `after`, more may follow"]


def _matches(arguments: ListIncidents, resource: JsonObject) -> bool:
    created = parse_instant(resource.get("created_at"))
    if created and arguments.since and created < arguments.since:
        return False
    if created and arguments.until and created >= arguments.until:
        return False
    priority = as_object(resource.get("priority")).get("id")
    return not arguments.priority_ids or priority in arguments.priority_ids


class IncidentArguments(Arguments):
    incident_id: IncidentId


def get_incident(arguments: IncidentArguments, _call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}"
    try:
        answer = yield get(path, **{"include[]": ("body", "custom_fields")})
    except InvalidRequest:
        answer = yield get(path)
    return shapes.shape_incident_details(as_object(answer.get("incident")))


class GetIncidentTimeline(IncidentArguments):
    since: Time | None = None
    until: Time | None = None
    overview: bool = Field(False, description="Only the most important entries.")
    limit: Limit = 100
    after: After = None


def get_incident_timeline(arguments: GetIncidentTimeline, _call: CallContext) -> Plan:
    request = get(
        f"/incidents/{arguments.incident_id}/log_entries",
        **{"since": arguments.since, "until": arguments.until, "is_overview": arguments.overview or None},
        **{"include[]": "channels"},
    )
    listed: ListResult = yield list_request(request, "log_entries", arguments.limit, arguments.after)
    return page_result(listed, shapes.shape_log_entry)


def list_incident_notes(arguments: IncidentArguments, _call: CallContext) -> Plan:
    answer = yield get(f"/incidents/{arguments.incident_id}/notes")
    return list_result(map(shapes.shape_note, as_objects(answer.get("notes"))))


class ListAlerts(IncidentArguments):
    statuses: tuple[Literal["triggered", "resolved"], ...] = Field((), max_length=2)
    alert_key: str | None = Field(None, min_length=1, max_length=255)
    limit: Limit = 25
    after: After = None


def list_alerts(arguments: ListAlerts, _call: CallContext) -> Plan:
    request = get(
        f"/incidents/{arguments.incident_id}/alerts",
        **{"statuses[]": arguments.statuses, "alert_key": arguments.alert_key},
    )
    listed: ListResult = yield list_request(request, "alerts", arguments.limit, arguments.after)
    return page_result(listed, shapes.shape_alert)


class GetAlert(IncidentArguments):
    alert_id: Id


def get_alert(arguments: GetAlert, _call: CallContext) -> Plan:
    answer = yield get(f"/incidents/{arguments.incident_id}/alerts/{arguments.alert_id}")
    return shapes.shape_alert_details(as_object(answer.get("alert")))


#: A tool that changes an incident and returns its new state.
changes_an_incident = partial(
    Tool,
    category=Category.INCIDENTS,
    access=Access.WRITE,
    risk=Risk.MEDIUM,
    shape=Shape.OBJECT,
    columns=INCIDENT_COLUMNS,
    scopes=("incidents.write", "incidents.read"),
)

_reading = partial(
    Tool, category=Category.INCIDENTS, access=Access.READ, risk=Risk.LOW, scopes=("incidents.read",)
)

TOOLS = (
    _reading(
        name="list_incidents",
        title="List incidents",
        description="Find incidents by status, urgency, service, team, assignee, priority or time (at most "
        "180 days). Without a time: all open incidents if you ask for open statuses only, else 30 days.",
        arguments=ListIncidents,
        plan=list_incidents,
        shape=Shape.LIST,
        columns=INCIDENT_COLUMNS,
        operations=("listIncidents",),
    ),
    _reading(
        name="get_incident",
        title="Get incident details",
        description="One incident: status, assignment, priority, details, responders, custom fields.",
        arguments=IncidentArguments,
        plan=get_incident,
        shape=Shape.OBJECT,
        columns=INCIDENT_COLUMNS,
        operations=("getIncident",),
    ),
    _reading(
        name="get_incident_timeline",
        title="Get incident timeline",
        description="What happened in an incident, newest first: triggers, escalations, notes.",
        arguments=GetIncidentTimeline,
        plan=get_incident_timeline,
        shape=Shape.LIST,
        columns=LOG_COLUMNS,
        operations=("listIncidentLogEntries",),
    ),
    _reading(
        name="list_incident_notes",
        title="List incident notes",
        description="What people wrote about an incident.",
        arguments=IncidentArguments,
        plan=list_incident_notes,
        shape=Shape.LIST,
        columns=(Column("At", "created_at"), Column("By", "user.summary"), Column("Note", "content")),
        operations=("listIncidentNotes",),
    ),
    _reading(
        name="list_alerts",
        title="List alerts",
        description="The alerts of an incident. get_alert shows an alert's details.",
        arguments=ListAlerts,
        plan=list_alerts,
        shape=Shape.LIST,
        columns=ALERT_COLUMNS,
        operations=("listIncidentAlerts",),
    ),
    _reading(
        name="get_alert",
        title="Get alert",
        description="One alert of an incident with its body: what the monitoring tool sent.",
        arguments=GetAlert,
        plan=get_alert,
        shape=Shape.OBJECT,
        columns=ALERT_COLUMNS,
        operations=("getIncidentAlert",),
    ),
)
