"""The lists that a snapshot is read from: for each kind, the request and the parser of its items. Pure.

Source: PagerDuty's REST API; the answers' sizes decide the sizes of pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.pagerduty.request_builders import analytics_request, get, list_request
from calmo_pagerduty.pagerduty.requests import ApiRequest, ListRequest, Paging
from calmo_pagerduty.snapshots.incident_parsing import parse_incident, parse_log_record, parse_raw_incident
from calmo_pagerduty.snapshots.parsing import (
    parse_business_service,
    parse_maintenance,
    parse_policy,
    parse_service,
    parse_team,
    parse_user,
)
from calmo_pagerduty.snapshots.reading import ReadKind, ReadTask
from calmo_pagerduty.snapshots.schedule_parsing import parse_layer_schedule

UTC_ZONE = "Etc/UTC"
PAGE_SIZE = 100
#: Rendered for four months, a schedule takes some 50 KB.
SCHEDULE_PAGE_SIZE = 50
ANALYTICS_PAGE_SIZE = 1000
#: How many services one request asks for the scores of.
SCORES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The time for which schedules are rendered, in epoch seconds (UTC)."""

    since: int
    until: int

    @property
    def query(self) -> dict[str, Any]:
        return {"since": moment(self.since), "until": moment(self.until), "time_zone": UTC_ZONE}


@dataclass(frozen=True, slots=True)
class ListRead:
    """How a list is requested and parsed."""

    items: str
    request: Callable[[ReadTask, Window], ApiRequest]
    parse: Callable[[JsonObject], Any]
    paging: Paging = Paging.CLASSIC
    page_size: int = PAGE_SIZE
    divisible: bool = False

    def listing(self, task: ReadTask, window: Window) -> ListRequest:
        """Return the list from the task's position on."""
        listing = list_request(
            self.request(task, window),
            self.items,
            self.page_size,
            task.cursor,
            paging=self.paging,
            divisible=self.divisible,
        )
        return listing.model_copy(update={"page_size": self.page_size})


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(task: ReadTask) -> dict[str, Any]:
    assert task.since is not None
    assert task.until is not None
    return {"since": moment(task.since), "until": moment(task.until)}


def _analytics(task: ReadTask, _window: Window) -> ApiRequest:
    filters = {
        "created_at_start": _iso(task.since),
        "created_at_end": _iso(task.until),
        "updated_after": _iso(task.updated_after),
    }
    body = {
        "filters": {name: value for name, value in filters.items() if value is not None},
        "time_zone": UTC_ZONE,
        "order": "asc",
        "order_by": "created_at",
    }
    return analytics_request("/analytics/raw/incidents", body)


_USER_PARTS = ("contact_methods", "notification_rules")
_SCHEDULE_PARTS = ("schedule_layers", "overrides_subschedule", "final_schedule")

LISTS: Mapping[ReadKind, ListRead] = {
    ReadKind.LAYER_SCHEDULES: ListRead(
        "schedules",
        lambda _, window: get("/schedules", **window.query, **{"include[]": _SCHEDULE_PARTS}),
        parse_layer_schedule,
        page_size=SCHEDULE_PAGE_SIZE,
    ),
    ReadKind.SHIFT_SCHEDULES: ListRead("schedules", lambda *_: get("/v3/schedules"), lambda item: item),
    ReadKind.POLICIES: ListRead(
        "escalation_policies",
        lambda *_: get("/escalation_policies", **{"include[]": "escalation_rule_assignment_strategies"}),
        parse_policy,
    ),
    ReadKind.SERVICES: ListRead(
        "services",
        lambda *_: get("/services", **{"include[]": "auto_pause_notifications_parameters"}),
        parse_service,
    ),
    ReadKind.USERS: ListRead("users", lambda *_: get("/users", **{"include[]": _USER_PARTS}), parse_user),
    ReadKind.TEAMS: ListRead("teams", lambda *_: get("/teams"), parse_team),
    ReadKind.MAINTENANCE: ListRead(
        "maintenance_windows", lambda *_: get("/maintenance_windows", filter="open"), parse_maintenance
    ),
    ReadKind.BUSINESS_SERVICES: ListRead(
        "business_services", lambda *_: get("/business_services"), parse_business_service
    ),
    ReadKind.ANALYTICS_INCIDENTS: ListRead(
        "data", _analytics, parse_raw_incident, Paging.ANALYTICS, ANALYTICS_PAGE_SIZE
    ),
    ReadKind.INCIDENTS: ListRead(
        "incidents",
        lambda task, _: get("/incidents", **_span(task), sort_by="created_at:desc"),
        parse_incident,
        divisible=True,
    ),
    ReadKind.LOG_ENTRIES: ListRead(
        "log_entries",
        lambda task, _: get("/log_entries", **_span(task)),
        parse_log_record,
        divisible=True,
    ),
}
