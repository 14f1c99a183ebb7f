"""Read a snapshot from PagerDuty: its log in a window, its open incidents, single incidents.

Source: PagerDuty's REST API, `GET /log_entries`, `GET /incidents`, `GET /incidents/{id}` and
`GET /incidents/{id}/log_entries`.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from calmo_pagerduty.deliveries.drill_keys import drill_key
from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import NotFound
from calmo_pagerduty.pagerduty.log_entries import LogEntry, parse_log_entry
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, ListResult, Method, Paging
from calmo_pagerduty.reconciliation.rules import RestIncident, parse_rest_incident

#: More log entries than any window should hold. Beyond it, the last snapshot is not whole.
MAX_ENTRIES = 1_000_000
#: Log entries of one snapshot, so that a long log never lies in memory as a whole.
SNAPSHOT_ENTRIES = 1_000
MAX_OPEN = 10_000
MAX_INCIDENT_ENTRIES = 300


@dataclass(slots=True)
class PagerDutySnapshot:
    """Incidents and their log entries, oldest first, by incident id. `is_whole` is False if some are missing.

    `requests` counts requests to PagerDuty, `count` the log entries or open incidents.
    """

    incidents: dict[str, RestIncident] = field(default_factory=dict)
    #: The keys of incidents that look like escalation drills', by incident id.
    drill_keys: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[LogEntry]] = field(default_factory=dict)
    requests: int = 0
    count: int = 0
    is_whole: bool = True

    def add_page(self, page: ListResult) -> None:
        """Count the request of a page, and remember whether PagerDuty left something out."""
        self.requests += 1
        self.is_whole = self.is_whole and not page.notes

    def add_entries(self, items: Iterable[JsonObject]) -> None:
        """Add log entries and their incidents. PagerDuty lists the newest first; we keep the oldest first."""
        for item in items:
            entry = parse_log_entry(item)
            if entry is None:
                continue
            self.entries.setdefault(entry.incident_id, []).insert(0, entry)
            self.count += 1
            rest_incident = self.parse(item.get("incident"))
            if rest_incident is not None:
                self.incidents.setdefault(rest_incident.incident_id, rest_incident)

    def parse(self, incident: object) -> RestIncident | None:
        """Return PagerDuty's incident, and remember its key if it may be a drill's."""
        if not isinstance(incident, dict):
            return None
        rest_incident, key = parse_rest_incident(incident), drill_key(incident)
        if rest_incident is not None and key is not None:
            self.drill_keys[rest_incident.incident_id] = key
        return rest_incident

    def drop(self, incident_ids: Collection[str]) -> None:
        """Remove incidents with their entries."""
        for incident_id in incident_ids:
            self.incidents.pop(incident_id, None)
            self.entries.pop(incident_id, None)


class PagerDutyReader:
    """Reads with one connection's token. Every method raises PagerDutyError."""

    def __init__(self, client: PagerDutyClient) -> None:
        self._client = client

    async def read_window(self, since: datetime, until: datetime) -> AsyncIterator[PagerDutySnapshot]:
        """Yield the log from `since` to `until` (UTC) in snapshots, the newest first, with the current state
        of their incidents. Each holds the entries of some pages.
        """
        query = {
            "since": format_iso_utc(since),
            "until": format_iso_utc(until + timedelta(seconds=1)),
            "is_overview": "true",
        }
        request = _get("/log_entries", query, ("include[]", "incidents"))
        snapshot, read = PagerDutySnapshot(), 0
        async for page in self._pages(request, "log_entries", MAX_ENTRIES, divisible=True):
            read += len(page.items)
            snapshot.add_page(page)
            snapshot.add_entries(page.items)
            if snapshot.count >= SNAPSHOT_ENTRIES:
                yield await self._with_incidents(snapshot)
                snapshot = PagerDutySnapshot()
        snapshot.is_whole = snapshot.is_whole and read < MAX_ENTRIES
        yield await self._with_incidents(snapshot)

    async def _with_incidents(self, snapshot: PagerDutySnapshot) -> PagerDutySnapshot:
        for incident_id in snapshot.entries:
            if incident_id not in snapshot.incidents:
                await self.read_incident(incident_id, snapshot)
        return snapshot

    async def read_open_incidents(self) -> PagerDutySnapshot:
        """Return every open incident, whatever its age."""
        snapshot = PagerDutySnapshot()
        query = {"date_range": "all", "sort_by": "created_at:desc"}
        statuses = (("statuses[]", "triggered"), ("statuses[]", "acknowledged"))
        request = _get("/incidents", query, *statuses)
        items = await self._collect(snapshot, request, "incidents", MAX_OPEN)
        for rest_incident in filter(None, map(snapshot.parse, items)):
            snapshot.incidents[rest_incident.incident_id] = rest_incident
        snapshot.count = len(snapshot.incidents)
        return snapshot

    async def read_incident(self, incident_id: str, snapshot: PagerDutySnapshot) -> None:
        """Add an incident's current state, or remove the incident if PagerDuty answers 404."""
        snapshot.requests += 1
        snapshot.incidents.pop(incident_id, None)
        try:
            answer = await self._client.send(_get(f"/incidents/{incident_id}", {}))
        except NotFound:
            return
        rest_incident = snapshot.parse(answer.get("incident"))
        if rest_incident is not None:
            snapshot.incidents[incident_id] = rest_incident

    async def read_incident_log(self, incident_id: str, snapshot: PagerDutySnapshot) -> None:
        """Add an incident's own log: its latest MAX_INCIDENT_ENTRIES entries."""
        request = _get(f"/incidents/{incident_id}/log_entries", {"is_overview": "true"})
        try:
            items = await self._collect(snapshot, request, "log_entries", MAX_INCIDENT_ENTRIES)
        except NotFound:
            return
        subject = {"incident": {"id": incident_id, "type": "incident_reference"}}
        snapshot.add_entries({**item, **subject} for item in items)

    async def _collect(
        self, snapshot: PagerDutySnapshot, request: ApiRequest, items: str, at_most: int
    ) -> list[JsonObject]:
        collected: list[JsonObject] = []
        async for page in self._pages(request, items, at_most):
            snapshot.add_page(page)
            collected += page.items
        if at_most > MAX_INCIDENT_ENTRIES and len(collected) >= at_most:
            snapshot.is_whole = False
        return collected

    def _pages(
        self, request: ApiRequest, items: str, at_most: int, divisible: bool = False
    ) -> AsyncIterator[ListResult]:
        listing = ListRequest(
            request=request, items=items, paging=Paging.CLASSIC, at_most=at_most, divisible_by_time=divisible
        )
        return self._client.pages(listing)


def _get(path: str, query: Mapping[str, str], *more: tuple[str, str]) -> ApiRequest:
    return ApiRequest(method=Method.GET, path=path, query=(*query.items(), *more))
