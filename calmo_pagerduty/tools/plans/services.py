"""Tools that read services: details, dependencies and metrics."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.json_values import as_object, as_objects
from calmo_pagerduty.pagerduty.errors import Refused, TryAgain
from calmo_pagerduty.pagerduty.request_builders import (
    SubPlan,
    get,
    list_request,
    list_result,
    page_result,
    post,
)
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Id, Ids, Limit, Query, Unit
from calmo_pagerduty.tools.model import Arguments, CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.analytics import METRIC_COLUMNS, IncidentWindow, read_metrics

SERVICE_COLUMNS = (
    Column("Id", "id"),
    Column("Name", "name"),
    Column("Status", "status"),
    Column("Escalation policy", "escalation_policy.summary"),
    Column("Last incident", "last_incident_timestamp"),
)


#: Each name is a request of its own.
_MAX_NAMES_READ = 25


class ListServices(Arguments):
    query: Query | None = Field(None, description="A part of the name.")
    team_ids: Ids = ()
    limit: Limit = 25
    after: After = None


def list_services(arguments: ListServices, _call: CallContext) -> Plan:
    request = get("/services", **{"query": arguments.query, "team_ids[]": arguments.team_ids})
    listed: ListResult = yield list_request(request, "services", arguments.limit, arguments.after)
    return page_result(listed, shapes.shape_service)


class ServiceArguments(Arguments):
    service_id: Id


def get_service(arguments: ServiceArguments, _call: CallContext) -> Plan:
    answer = yield get(f"/services/{arguments.service_id}", **{"include[]": "integrations"})
    return shapes.shape_service_details(as_object(answer.get("service")))


class ListServiceDependencies(ServiceArguments):
    kind: Literal["technical", "business"] = "technical"


def list_service_dependencies(arguments: ListServiceDependencies, _call: CallContext) -> Plan:
    answer = yield get(f"/service_dependencies/{arguments.kind}_services/{arguments.service_id}")
    items = [_dependency(row, arguments.service_id) for row in as_objects(answer.get("relationships"))]
    unnamed = yield from _add_names(item["service"] for item in items if "service" in item)
    notes = ["PagerDuty returns direct dependencies only."] if items else []
    notes += [f"{count_text(unnamed, 'service')} could not be read: only the id is known."] if unnamed else []
    return list_result(items, None, notes)


def _add_names(services: Iterable[JsonObject]) -> SubPlan:
    """Read the names that PagerDuty's dependencies lack, and return how many could not be read."""
    unnamed = [service for service in services if "summary" not in service]
    missing = max(0, len(unnamed) - _MAX_NAMES_READ)
    for service in unnamed[:_MAX_NAMES_READ]:
        kind = "business_service" if str(service.get("type")).startswith("business") else "service"
        try:
            answer = yield get(f"/{kind}s/{service['id']}")
        except (Refused, TryAgain):
            missing += 1
            continue
        found = as_object(answer.get(kind))
        if name := found.get("name") or found.get("summary"):
            service["summary"] = name
        else:
            missing += 1
    return missing


def _dependency(row: JsonObject, service_id: str) -> JsonObject:
    supporting, dependent = (
        shapes.shape_reference(row.get("supporting_service")),
        shapes.shape_reference(row.get("dependent_service")),
    )
    uses = dependent is not None and dependent["id"] == service_id
    return shapes.without_empty(
        {
            "id": row.get("id"),
            "direction": "uses" if uses else "used_by",
            "service": supporting if uses else dependent,
        }
    )


class AddServiceDependency(Arguments):
    dependent_service_id: Id
    dependent_kind: Literal["technical", "business"] = "technical"
    supporting_service_id: Id = Field(description="The service that the other one depends on.")
    supporting_kind: Literal["technical", "business"] = "technical"

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        ends = (
            (self.dependent_kind, self.dependent_service_id),
            (self.supporting_kind, self.supporting_service_id),
        )
        if ends[0] == ends[1]:
            raise ValueError("supporting_service_id: a service can't depend on itself")
        return self


#: PagerDuty's names of the two kinds in a request.
_TYPES = {"technical": "service", "business": "business_service"}


def add_service_dependency(arguments: AddServiceDependency, _call: CallContext) -> Plan:
    supporting = {"id": arguments.supporting_service_id, "type": _TYPES[arguments.supporting_kind]}
    dependent = {"id": arguments.dependent_service_id, "type": _TYPES[arguments.dependent_kind]}
    known = yield get(
        f"/service_dependencies/{arguments.dependent_kind}_services/{arguments.dependent_service_id}"
    )
    rows = as_objects(known.get("relationships"))
    found = next((row for row in rows if _is_between(row, supporting, dependent)), None)
    if found is None:
        relationship = {"supporting_service": supporting, "dependent_service": dependent}
        answer = yield post("/service_dependencies/associate", {"relationships": [relationship]})
        found = next(iter(as_objects(answer.get("relationships"))), {})
    return _dependency(found, arguments.dependent_service_id)


def _is_between(row: JsonObject, supporting: JsonObject, dependent: JsonObject) -> bool:
    """Tell whether a dependency has these ends. PagerDuty answers with types such as `…_reference`."""
    return all(
        as_object(row.get(name)).get("id") == end["id"]
        and str(as_object(row.get(name)).get("type")).startswith("business")
        is end["type"].startswith("business")
        for name, end in (("supporting_service", supporting), ("dependent_service", dependent))
    )


class GetServiceMetrics(IncidentWindow):
    service_ids: Ids = Field((), description="All services if empty.")
    team_ids: Ids = ()
    aggregate_unit: Unit | None = None


def get_service_metrics(arguments: GetServiceMetrics, call: CallContext) -> Plan:
    filters = arguments.filters(call.now) | shapes.without_empty(
        {"service_ids": list(arguments.service_ids), "team_ids": list(arguments.team_ids)}
    )
    return (
        yield from read_metrics("incidents/services", filters, arguments.time_zone, arguments.aggregate_unit)
    )


_reading = partial(
    Tool, category=Category.SERVICES, access=Access.READ, risk=Risk.LOW, scopes=("services.read",)
)

TOOLS = (
    _reading(
        name="list_services",
        title="List services",
        description="Find services by name or team, with their status: active, warning, critical, "
        "maintenance, disabled.",
        arguments=ListServices,
        plan=list_services,
        shape=Shape.LIST,
        columns=SERVICE_COLUMNS,
        operations=("listServices",),
    ),
    _reading(
        name="get_service",
        title="Get service details",
        description="One service: status, escalation policy, integrations, urgency and alert settings.",
        arguments=ServiceArguments,
        plan=get_service,
        shape=Shape.OBJECT,
        columns=SERVICE_COLUMNS,
        operations=("getService",),
    ),
    _reading(
        name="list_service_dependencies",
        title="List service dependencies",
        description="Services that a technical or business service uses, and services that use it.",
        arguments=ListServiceDependencies,
        plan=list_service_dependencies,
        shape=Shape.LIST,
        columns=(
            Column("Direction", "direction"),
            Column("Service", "service.id"),
            Column("Type", "service.type"),
        ),
        operations=(
            "getTechnicalServiceServiceDependencies",
            "getBusinessServiceServiceDependencies",
            "getService",
            "getBusinessService",
        ),
        untrusted=False,
    ),
    Tool(
        name="add_service_dependency",
        title="Add service dependency",
        description="Adds to PagerDuty's service graph that one service depends on another, unless it is"
        " there.",
        category=Category.SERVICES,
        access=Access.WRITE,
        risk=Risk.HIGH,
        arguments=AddServiceDependency,
        plan=add_service_dependency,
        shape=Shape.OBJECT,
        columns=(Column("Id", "id"), Column("Direction", "direction"), Column("Service", "service.id")),
        operations=(
            "createServiceDependency",
            "getTechnicalServiceServiceDependencies",
            "getBusinessServiceServiceDependencies",
        ),
        scopes=("services.write", "services.read"),
        untrusted=False,
    ),
    Tool(
        name="get_service_metrics",
        title="Get service metrics",
        description="Incident counts, times to acknowledge and resolve, interruptions and uptime by service. "
        f"{timedelta(days=30).days} days by default; PagerDuty's figures lag up to a day.",
        category=Category.SERVICES,
        access=Access.READ,
        risk=Risk.LOW,
        arguments=GetServiceMetrics,
        plan=get_service_metrics,
        shape=Shape.LIST,
        columns=(Column("Service", "service_name"), *METRIC_COLUMNS),
        operations=("getAnalyticsMetricsIncidentsService",),
        scopes=("analytics.write",),
    ),
)
