"""Read the sources from our own database, for a connection without a PagerDuty token."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import issue_history_queries as issue_history
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.analysis import parse_issues as read
from calmo_pagerduty.contexts.analysis.inputs import OpenIncident
from calmo_pagerduty.contexts.gathering.source import SourceResult, partial_result
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.errors import NotFound

LOOKBACK = timedelta(days=180)
NO_CREDENTIAL_TEXT = "the connection has no PagerDuty token"
FROM_WEBHOOKS_TEXT = f"from webhooks only: {NO_CREDENTIAL_TEXT}"


async def read_from_issues(
    source: Source, database: Database, ref: IncidentRef, now: datetime
) -> SourceResult:
    """Return our data for a source. Raises NotFound if we have no issue for the incident."""
    reader = _ISSUE_READERS.get(source)
    if reader is None:
        return SourceResult(None, 0, SourceState.UNAVAILABLE, NO_CREDENTIAL_TEXT)
    return await reader(database, ref, now)


async def _incident(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    incident = read.this_incident_from_issue(await _issue(database, ref))
    return partial_result(codec.INCIDENT.to_json(incident), 1, FROM_WEBHOOKS_TEXT)


async def _log(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    issue = await _issue(database, ref)
    entries = await database.read(lambda t: issue_queries.list_timeline(t, issue))
    lines = read.log_lines_from_timeline(entries)
    return partial_result(codec.LINES.to_json(lines), len(lines), FROM_WEBHOOKS_TEXT)


async def _open_incidents(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    issues = await database.read(lambda t: issue_history.list_other_open_issues(t, ref))
    incidents: tuple[OpenIncident, ...] = tuple(filter(None, map(read.open_incident_from_issue, issues)))
    return partial_result(codec.OPEN.to_json(incidents), len(incidents), FROM_WEBHOOKS_TEXT)


async def _history(database: Database, ref: IncidentRef, now: datetime) -> SourceResult:
    since = now - LOOKBACK
    past = await database.read(lambda t: issue_history.list_past_issues(t, ref, since, now))
    return partial_result({"since": since.isoformat(), "is_own": True}, len(past), FROM_WEBHOOKS_TEXT)


async def _issue(database: Database, ref: IncidentRef) -> Issue:
    issue = await database.read(lambda t: issue_history.get_issue(t, ref))
    if issue is None:
        raise NotFound(f"there is no issue of this incident, and {NO_CREDENTIAL_TEXT}")
    return issue


_ISSUE_READERS: Mapping[Source, Callable[[Database, IncidentRef, datetime], Awaitable[SourceResult]]] = {
    Source.INCIDENT: _incident,
    Source.LOG: _log,
    Source.OPEN_INCIDENTS: _open_incidents,
    Source.HISTORY: _history,
}
#: The sources that our own database can answer.
ISSUE_SOURCES = frozenset(_ISSUE_READERS)
