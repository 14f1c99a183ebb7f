"""Reading what PagerDuty says happened: its log within a time, its open incidents, single incidents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import NotFound
from calmo_pagerduty.pagerduty.log_entries import LogEntry, parse_log_entry
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging
from calmo_pagerduty.reconciliation.rules import RestIncident, parse_rest_incident

#: More than any time that is read at once holds; then the rest is left for a narrower one.
MAX_ENTRIES = 100_000
MAX_OPEN = 10_000
MAX_INCIDENT_ENTRIES = 300


@dataclass(slots=True)
class PagerDutySnapshot:
    """What PagerDuty says. `is_whole` False: a part of it could not be reached."""

    incidents: dict[str, RestIncident] = field(default_factory=dict)
    entries: dict[str, list[LogEntry]] = field(default_factory=dict)
    requests: int = 0
    count: int = 0
    is_whole: bool = True

    def add_entries(self, items: Iterable[JsonObject]) -> None:
        """PagerDuty tells the newest first; here the oldest of a second comes first."""
        for item in items:
            entry = parse_log_entry(item)
            if entry is None:
                continue
            self.entries.setdefault(entry.incident_id, []).insert(0, entry)
            self.count += 1
            incident = item.get("incident")
            picture = parse_rest_incident(incident) if isinstance(incident, dict) else None
            if picture is not None:
                self.incidents.setdefault(picture.incident_id, picture)


class PagerDutyReader:
    """Reads as one connection. Every call raises PagerDutyError."""

    def __init__(self, client: PagerDutyClient) -> None:
        self._client = client

    async def read_window(self, since: datetime, until: datetime) -> PagerDutySnapshot:
        """Return what happened from `since` to `until`, with the incidents as they are now."""
        told = PagerDutySnapshot()
        query = {
            "since": format_iso_utc(since),
            "until": format_iso_utc(until + timedelta(seconds=1)),
            "is_overview": "true",
        }
        request = _get("/log_entries", query, ("include[]", "incidents"))
        found = await self._collect(told, request, "log_entries", MAX_ENTRIES, divisible=True)
        told.add_entries(found)
        for incident_id in told.entries:
            if incident_id not in told.incidents:
                await self.read_incident(incident_id, told)
        return told

    async def read_open_incidents(self) -> PagerDutySnapshot:
        """Return every incident that is open now, however old."""
        told = PagerDutySnapshot()
        query = {"date_range": "all", "sort_by": "created_at:desc"}
        statuses = (("statuses[]", "triggered"), ("statuses[]", "acknowledged"))
        request = _get("/incidents", query, *statuses)
        found = await self._collect(told, request, "incidents", MAX_OPEN)
        for picture in filter(None, map(parse_rest_incident, found)):
            told.incidents[picture.incident_id] = picture
        told.count = len(told.incidents)
        return told

    async def read_incident(self, incident_id: str, snapshot: PagerDutySnapshot) -> None:
        """Add one incident as it is now, or take it away if it is gone or hidden."""
        snapshot.requests += 1
        snapshot.incidents.pop(incident_id, None)
        try:
            answer = await self._client.send(_get(f"/incidents/{incident_id}", {}))
        except NotFound:
            return
        incident = answer.get("incident")
        picture = parse_rest_incident(incident) if isinstance(incident, dict) else None
        if picture is not None:
            snapshot.incidents[incident_id] = picture

    async def read_incident_log(self, incident_id: str, snapshot: PagerDutySnapshot) -> None:
        """Add one incident's own log, the latest of it if it is long."""
        request = _get(f"/incidents/{incident_id}/log_entries", {"is_overview": "true"})
        try:
            found = await self._collect(snapshot, request, "log_entries", MAX_INCIDENT_ENTRIES)
        except NotFound:
            return
        subject = {"incident": {"id": incident_id, "type": "incident_reference"}}
        snapshot.add_entries({**item, **subject} for item in found)

    async def _collect(
        self,
        snapshot: PagerDutySnapshot,
        request: ApiRequest,
        items: str,
        at_most: int,
        divisible: bool = False,
    ) -> list[JsonObject]:
        found: list[JsonObject] = []
        listing = ListRequest(
            request=request, items=items, paging=Paging.CLASSIC, at_most=at_most, divisible_by_time=divisible
        )
        async for page in self._client.pages(listing):
            snapshot.requests += 1
            found += page.items
            snapshot.is_whole = snapshot.is_whole and not page.notes
        if at_most > MAX_INCIDENT_ENTRIES and len(found) >= at_most:
            snapshot.is_whole = False
        return found


def _get(path: str, query: Mapping[str, str], *more: tuple[str, str]) -> ApiRequest:
    return ApiRequest(method=Method.GET, path=path, query=(*query.items(), *more))
