"""Tools that read an incident's context: related incidents, changes, impacts, priorities, maintenance."""

from datetime import timedelta
from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.request_builders import get, list_request, list_result, page_result
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Query, Time
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.incidents import IncidentArguments
from calmo_pagerduty.tools.plans.windows import Window

_STUB_COLUMNS = (
    Column("Id", "id"),
    Column("Created", "created_at"),
    Column("Score", "score"),
    Column("Title", "title"),
)


def _incident_stub(resource: JsonObject) -> JsonObject:
    """Return a related or past incident, for which PagerDuty gives only a few fields."""
    incident = as_object(resource.get("incident"))
    fields = shapes.pick_fields(incident, "id", "incident_number", "title", "status", "created_at")
    return shapes.without_empty(fields | {"score": resource.get("score"), "url": shapes.url_of(incident)})


class GetPastIncidents(IncidentArguments):
    limit: int = Field(5, ge=1, le=999)


def get_past_incidents(arguments: GetPastIncidents, _call: CallContext) -> Plan:
    answer = yield get(f"/incidents/{arguments.incident_id}/past_incidents", limit=arguments.limit)
    return list_result(map(_incident_stub, as_objects(answer.get("past_incidents"))))


def get_related_incidents(arguments: IncidentArguments, _call: CallContext) -> Plan:
    path = f"/incidents/{arguments.incident_id}/related_incidents"
    answer = yield get(path, **{"additional_details[]": "incident"})
    items = [
        _incident_stub(resource)
        | {"why": [_relationship(row) for row in as_objects(resource.get("relationships"))]}
        for resource in as_objects(answer.get("related_incidents"))
    ]
    return list_result(items)


def _relationship(row: JsonObject) -> JsonObject:
    metadata = as_object(row.get("metadata"))
    parts = {
        name: shapes.shape_reference(metadata.get(name))
        for name in ("dependent_services", "supporting_services")
    }
    fields = {"type": row.get("type"), "classification": metadata.get("grouping_classification")}
    return shapes.without_empty(fields | parts)


class GetOutlierIncident(IncidentArguments):
    since: Time | None = Field(None, description="How far back to compare.")


def get_outlier_incident(arguments: GetOutlierIncident, _call: CallContext) -> Plan:
    answer = yield get(f"/incidents/{arguments.incident_id}/outlier_incident", since=arguments.since)
    outlier = as_object(answer.get("outlier_incident"))
    occurrence = as_object(as_object(outlier.get("incident")).get("occurrence"))
    pattern = as_object(outlier.get("incident_template")).get("mined_text")
    return _incident_stub(outlier) | shapes.without_empty({"occurrence": occurrence, "pattern": pattern})


class ListChangeEvents(Window):
    incident_id: Id | None = Field(None, description="Changes that PagerDuty relates to it.")
    service_id: Id | None = None
    team_ids: Ids = Field((), description="For the whole account or a service.")
    limit: Limit = 25
    after: After = None

    @model_validator(mode="after")
    def _check_one_subject(self) -> Self:
        if self.incident_id and (self.service_id or self.team_ids or self.since or self.until or self.after):
            raise ValueError("incident_id: give it without service, teams, time and after")
        return self


def list_change_events(arguments: ListChangeEvents, call: CallContext) -> Plan:
    if arguments.incident_id:
        path = f"/incidents/{arguments.incident_id}/related_change_events"
        answer = yield get(path, limit=min(arguments.limit, 100))
        return list_result(map(shapes.shape_change_event, as_objects(answer.get("change_events"))))
    path = f"/services/{arguments.service_id}/change_events" if arguments.service_id else "/change_events"
    since, until = arguments.backward(call.now, timedelta(days=1))
    request = get(path, since=since, until=until, **{"team_ids[]": arguments.team_ids})
    listed: ListResult = yield list_request(
        request, "change_events", arguments.limit, arguments.after, divisible=True
    )
    return page_result(listed, shapes.shape_change_event)


class NoArguments(Arguments):
    pass


def list_priorities(_arguments: NoArguments, _call: CallContext) -> Plan:
    listed: ListResult = yield list_request(get("/priorities"), "priorities", 100)
    return page_result(
        listed, lambda resource: shapes.shape_flat(shapes.pick_fields(resource, *_PRIORITY_FIELDS))
    )


_PRIORITY_FIELDS = ("id", "name", "summary", "description", "order")


class ListBusinessServiceImpacts(Arguments):
    incident_id: Id | None = Field(None, description="Services that this incident impacts.")
    business_service_id: Id | None = Field(None, description="Impacted services that support it.")

    @model_validator(mode="after")
    def _check_one_subject(self) -> Self:
        if self.incident_id and self.business_service_id:
            raise ValueError("incident_id: give it without business_service_id")
        return self


def list_business_service_impacts(arguments: ListBusinessServiceImpacts, _call: CallContext) -> Plan:
    if arguments.incident_id:
        answer = yield get(f"/incidents/{arguments.incident_id}/business_services/impacts")
    else:
        of_one = arguments.business_service_id
        path = (
            f"/business_services/{of_one}/supporting_services/impacts"
            if of_one
            else "/business_services/impacts"
        )
        answer = yield get(path, **{"additional_fields[]": "services.highest_impacting_priority"})
    notes = ["There are more than PagerDuty returns."] if _has_more(answer) else []
    return list_result(map(shapes.shape_flat, as_objects(answer.get("services"))), None, notes)


def _has_more(answer: JsonObject) -> bool:
    return bool(answer.get("more") or answer.get("next_cursor"))


class ListMaintenanceWindows(Arguments):
    filter: Literal["past", "future", "ongoing", "open", "all"] = "open"
    query: Query | None = None
    service_ids: Ids = ()
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_maintenance_windows(arguments: ListMaintenanceWindows, _call: CallContext) -> Plan:
    sets = {"service_ids[]": arguments.service_ids, "team_ids[]": arguments.team_ids}
    request = get("/maintenance_windows", filter=arguments.filter, query=arguments.query, **sets)
    listed: ListResult = yield list_request(request, "maintenance_windows", arguments.limit, arguments.after)
    return page_result(listed, shapes.shape_maintenance_window)


_reading = partial(Tool, category=Category.CONTEXT, access=Access.READ, risk=Risk.LOW)
_of_incidents = partial(_reading, scopes=("incidents.read",))

TOOLS = (
    _of_incidents(
        name="get_past_incidents",
        title="Get past incidents",
        description="Earlier incidents of the service that resemble this incident, the most similar first.",
        arguments=GetPastIncidents,
        plan=get_past_incidents,
        shape=Shape.LIST,
        columns=_STUB_COLUMNS,
        operations=("getPastIncidents",),
    ),
    _of_incidents(
        name="get_related_incidents",
        title="Get related incidents",
        description="Up to 20 incidents of other services at the same time that may belong together.",
        arguments=IncidentArguments,
        plan=get_related_incidents,
        shape=Shape.LIST,
        columns=_STUB_COLUMNS,
        operations=("getRelatedIncidents",),
    ),
    _of_incidents(
        name="get_outlier_incident",
        title="Get outlier incident",
        description="Tells if such an incident is frequent, rare or new on its service.",
        arguments=GetOutlierIncident,
        plan=get_outlier_incident,
        shape=Shape.OBJECT,
        columns=(Column("Id", "id"), Column("Category", "occurrence.category"), Column("Title", "title")),
        operations=("getOutlierIncident",),
    ),
    _reading(
        name="list_change_events",
        title="List change events",
        description="Deployments and other changes of the account, of a service, or related to an incident. "
        "The last day by default.",
        arguments=ListChangeEvents,
        plan=list_change_events,
        shape=Shape.LIST,
        columns=(Column("At", "timestamp"), Column("Source", "source"), Column("What", "summary")),
        operations=("listChangeEvents", "listServiceChangeEvents", "listIncidentRelatedChangeEvents"),
        scopes=("change_events.read", "services.read", "incidents.read"),
    ),
    _reading(
        name="list_priorities",
        title="List priorities",
        description="The account's priorities, the most severe first.",
        arguments=NoArguments,
        plan=list_priorities,
        shape=Shape.LIST,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Description", "description")),
        operations=("listPriorities",),
        scopes=("priorities.read",),
    ),
    _reading(
        name="list_business_service_impacts",
        title="List business service impacts",
        description="Impacted business services: all, by one incident, or below one service.",
        arguments=ListBusinessServiceImpacts,
        plan=list_business_service_impacts,
        shape=Shape.LIST,
        columns=(Column("Id", "id"), Column("Name", "name"), Column("Status", "status")),
        operations=(
            "getBusinessServiceImpacts",
            "getBusinessServiceSupportingServiceImpacts",
            "getIncidentImpactedBusinessServices",
        ),
        scopes=("services.read", "incidents.read"),
    ),
    _reading(
        name="list_maintenance_windows",
        title="List maintenance windows",
        description="Maintenance windows of services: running and future windows by default.",
        arguments=ListMaintenanceWindows,
        plan=list_maintenance_windows,
        shape=Shape.LIST,
        columns=(
            Column("From", "start_time"),
            Column("Until", "end_time"),
            Column("Description", "description"),
        ),
        operations=("listMaintenanceWindows",),
        scopes=("services.read",),
    ),
)
