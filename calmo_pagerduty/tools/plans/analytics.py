"""Tools that read PagerDuty's analytics and the account's log."""

from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.pagerduty.request_builders import (
    SubPlan,
    analytics_request,
    get,
    list_request,
    list_result,
    page_result,
)
from calmo_pagerduty.pagerduty.requests import JsonObject, ListResult, Paging, Plan
from calmo_pagerduty.tools.classes import Access, Category, Risk
from calmo_pagerduty.tools.fields import After, Ids, Limit, TimeZone, Unit, Urgency
from calmo_pagerduty.tools.model import CallContext, Column, Shape, Tool
from calmo_pagerduty.tools.plans import shapes
from calmo_pagerduty.tools.plans.incidents import LOG_COLUMNS
from calmo_pagerduty.tools.plans.windows import Window

#: How old PagerDuty's figures may be. Source: PagerDuty's analytics documentation.
ANALYTICS_LAG = timedelta(hours=24)

METRIC_COLUMNS = (
    Column("Incidents", "total_incident_count"),
    Column("Mean s to ack", "mean_seconds_to_first_ack"),
    Column("Mean s to resolve", "mean_seconds_to_resolve"),
    Column("Interruptions", "total_interruptions"),
    Column("Uptime %", "up_time_pct"),
)

Subject = Literal["all", "services", "teams", "escalation_policies", "responders", "raw_incidents"]

#: Subject → path of its figures under /analytics/metrics/.
METRIC_PATHS: dict[str, str] = {
    "all": "incidents/all",
    "services": "incidents/services",
    "teams": "incidents/teams",
    "escalation_policies": "incidents/escalation_policies",
    "responders": "responders/all",
}


class IncidentWindow(Window):
    """A window in which incidents were created, and the time zone of the days."""

    longest: ClassVar[timedelta] = timedelta(days=365)

    urgency: Urgency | None = None
    time_zone: TimeZone = Field("Etc/UTC", description="IANA time zone of the days.")

    def filters(self, now: datetime) -> JsonObject:
        since, until = self.backward(now, timedelta(days=30))
        return shapes.without_empty(
            {
                "created_at_start": format_iso_utc(since),
                "created_at_end": format_iso_utc(until),
                "urgency": self.urgency,
            }
        )

    def lag_notes(self, now: datetime) -> list[str]:
        fresh = self.until is None or self.until > now - ANALYTICS_LAG
        return (
            ["PagerDuty's analytics lag up to 24 hours: the newest incidents may be missing."]
            if fresh
            else []
        )


class GetAnalyticsData(IncidentWindow):
    subject: Subject = Field("all", description="What to count by; raw_incidents: a row each.")
    service_ids: Ids = ()
    team_ids: Ids = ()
    escalation_policy_ids: Ids = ()
    responder_ids: Ids = Field((), description="For responders.")
    priority_names: tuple[str, ...] = Field((), max_length=20)
    major: bool | None = Field(None, description="True: only major incidents; false: none.")
    aggregate_unit: Unit | None = Field(None, description="Not for responders and raw_incidents.")
    limit: Limit = Field(100, description="For raw_incidents.")
    after: After = None

    @model_validator(mode="after")
    def _check_fields_of_subject(self) -> Self:
        # PagerDuty ignores unknown filters: without this check, the answer would cover too much.
        allowed = _FIELDS_OF_SUBJECT[self.subject]
        for name in _FILTERS | {"aggregate_unit"}:
            if getattr(self, name) not in (None, ()) and name not in allowed:
                raise ValueError(f"{name}: it doesn't go with subject {self.subject}")
        return self


_RAW_FIELDS = frozenset({"service_ids", "team_ids", "priority_names", "major"})
_METRIC_FIELDS = _RAW_FIELDS | {"escalation_policy_ids", "aggregate_unit"}
_RESPONDER_FIELDS = frozenset({"team_ids", "responder_ids", "priority_names"})
#: Subject → the arguments that it takes in addition to the window.
_FIELDS_OF_SUBJECT: dict[str, frozenset[str]] = {
    **dict.fromkeys(METRIC_PATHS, _METRIC_FIELDS),
    "responders": _RESPONDER_FIELDS,
    "raw_incidents": _RAW_FIELDS,
}
_FILTERS = (_METRIC_FIELDS | _RESPONDER_FIELDS) - {"aggregate_unit"}


def get_analytics_data(arguments: GetAnalyticsData, call: CallContext) -> Plan:
    filters, notes = _filters_of(arguments, call.now), arguments.lag_notes(call.now)
    if arguments.subject == "raw_incidents":
        listed = yield from read_raw_incidents(filters, arguments.limit, arguments.after)
        return page_result(listed, shapes.shape_flat, *notes)
    path = METRIC_PATHS[arguments.subject]
    return (yield from read_metrics(path, filters, arguments.time_zone, arguments.aggregate_unit, notes))


def _filters_of(arguments: GetAnalyticsData, now: datetime) -> JsonObject:
    filters = arguments.filters(now)
    if arguments.subject == "responders":
        filters["date_range_start"] = filters.pop("created_at_start")
        filters["date_range_end"] = filters.pop("created_at_end")
    values = arguments.model_dump(include=set(_FILTERS), mode="json")
    return filters | shapes.without_empty(values)


def read_metrics(
    path: str, filters: JsonObject, time_zone: str, unit: str | None, notes: list[str] | None = None
) -> Plan:
    """Read one kind of figures. PagerDuty returns all rows in one page."""
    body = shapes.without_empty({"filters": filters, "time_zone": time_zone, "aggregate_unit": unit})
    answer = yield analytics_request(f"/analytics/metrics/{path}", body)
    return list_result(map(shapes.shape_flat, as_objects(answer.get("data"))), None, notes or ())


def read_raw_incidents(filters: JsonObject, limit: int, after: str | None = None) -> SubPlan:
    """Read a row per incident, newest first, at most `limit`. Its times are UTC without an offset."""
    body = {"filters": filters, "time_zone": "Etc/UTC", "order": "desc", "order_by": "created_at"}
    request = analytics_request("/analytics/raw/incidents", body)
    listed: ListResult = yield list_request(request, "data", limit, after, paging=Paging.ANALYTICS)
    return listed


class ListLogEntries(Window):
    longest: ClassVar[timedelta] = timedelta(days=31)

    team_ids: Ids = ()
    overview: bool = Field(False, description="Only the most important entries.")
    limit: Limit = 25
    after: After = None


def list_log_entries(arguments: ListLogEntries, call: CallContext) -> Plan:
    since, until = arguments.backward(call.now, timedelta(days=1))
    request = get(
        "/log_entries",
        since=since,
        until=until,
        is_overview=arguments.overview or None,
        **{"team_ids[]": arguments.team_ids, "include[]": "channels"},
    )
    listed: ListResult = yield list_request(
        request, "log_entries", arguments.limit, arguments.after, divisible=True
    )
    return page_result(listed, shapes.shape_log_entry)


_reading = partial(Tool, category=Category.ANALYTICS, access=Access.READ, risk=Risk.LOW)

TOOLS = (
    _reading(
        name="get_analytics_data",
        title="Get analytics data",
        description="PagerDuty's figures on incidents (all, by service, team or escalation policy), on "
        "responders, or a row per incident. 30 days by default, a year at most; they lag up to a day.",
        arguments=GetAnalyticsData,
        plan=get_analytics_data,
        shape=Shape.LIST,
        columns=METRIC_COLUMNS,
        operations=(
            "getAnalyticsMetricsIncidentsAll",
            "getAnalyticsMetricsIncidentsService",
            "getAnalyticsMetricsIncidentsTeam",
            "getAnalyticsMetricsIncidentsEscalationPolicy",
            "getAnalyticsMetricsRespondersAll",
            "getAnalyticsIncidents",
        ),
        scopes=("analytics.write",),
    ),
    _reading(
        name="list_log_entries",
        title="List log entries",
        description="What happened to all incidents of the account in a window: the last day by default, "
        "31 days at most.",
        arguments=ListLogEntries,
        plan=list_log_entries,
        shape=Shape.LIST,
        columns=(Column("Incident", "incident.summary"), *LOG_COLUMNS),
        operations=("listLogEntries",),
        scopes=("incidents.read",),
    ),
)
