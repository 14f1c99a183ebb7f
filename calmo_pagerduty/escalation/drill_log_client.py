"""Reads a drill's incident and its log from PagerDuty."""

from calmo_pagerduty.escalation.drill_store import Drill
from calmo_pagerduty.kernel.json_values import as_objects
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import NotFound
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging
from calmo_pagerduty.snapshots.incident_parsing import parse_log_record
from calmo_pagerduty.snapshots.model import LogRecord

MAX_RECORDS = 300


async def read_incident(client: PagerDutyClient, drill: Drill) -> JsonObject | None:
    """Return the incident; if we don't know its id, the one with the drill's key. Raises PagerDutyError."""
    if drill.incident_id is not None:
        try:
            answer = await client.send(_get(f"/incidents/{drill.incident_id}"))
        except NotFound:
            return None
        incident = answer.get("incident")
        return incident if isinstance(incident, dict) and incident.get("id") else None
    query = (
        ("incident_key", drill.incident_key),
        ("date_range", "all"),
        ("service_ids[]", drill.service_id),
        *(("statuses[]", status) for status in ("triggered", "acknowledged", "resolved")),
    )
    answer = await client.send(_get("/incidents", *query))
    found = (item for item in as_objects(answer.get("incidents")) if item.get("id"))
    return next((item for item in found if item.get("incident_key") == drill.incident_key), None)


async def read_log(client: PagerDutyClient, incident_id: str) -> tuple[LogRecord, ...]:
    """Return the incident's log, earliest first. Raises PagerDutyError."""
    request = _get(f"/incidents/{incident_id}/log_entries", ("include[]", "channels"))
    listing = ListRequest(request=request, items="log_entries", paging=Paging.CLASSIC, at_most=MAX_RECORDS)
    items = [item async for page in client.pages(listing) for item in page.items]
    subject = {"incident": {"id": incident_id, "type": "incident_reference"}}
    records = (parse_log_record({**item, **subject}) for item in items)
    return tuple(sorted((r for r in records if r is not None), key=lambda record: (record.at, record.id)))


def _get(path: str, *query: tuple[str, str]) -> ApiRequest:
    return ApiRequest(method=Method.GET, path=path, query=query)
