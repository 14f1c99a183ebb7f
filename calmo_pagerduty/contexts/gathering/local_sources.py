"""What our own database tells of an incident whose connection has no token to ask PagerDuty with."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import issue_history_queries as own_history
from calmo_pagerduty.contexts.account import codec as facts
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
FROM_WEBHOOKS_TEXT = f"as webhooks told it: {NO_CREDENTIAL_TEXT}"


async def read_from_issues(
    source: Source, database: Database, ref: IncidentRef, now: datetime
) -> SourceResult:
    """Return what we have for a source. Raises NotFound for an incident of which nothing is known here."""
    known = _ISSUE_READERS.get(source)
    if known is None:
        return SourceResult(None, 0, SourceState.UNAVAILABLE, NO_CREDENTIAL_TEXT)
    return await known(database, ref, now)


async def _incident(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    found = read.this_incident_from_issue(await _issue(database, ref))
    return partial_result(facts.INCIDENT.to_json(found), 1, FROM_WEBHOOKS_TEXT)


async def _log(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    issue = await _issue(database, ref)
    entries = await database.read(lambda t: issue_queries.list_timeline(t, issue))
    found = read.log_lines_from_timeline(entries)
    return partial_result(facts.LINES.to_json(found), len(found), FROM_WEBHOOKS_TEXT)


async def _open_incidents(database: Database, ref: IncidentRef, _now: datetime) -> SourceResult:
    issues = await database.read(lambda t: own_history.list_other_open_issues(t, ref))
    found: tuple[OpenIncident, ...] = tuple(filter(None, map(read.open_incident_from_issue, issues)))
    return partial_result(facts.OPEN.to_json(found), len(found), FROM_WEBHOOKS_TEXT)


async def _history(database: Database, ref: IncidentRef, now: datetime) -> SourceResult:
    since = now - LOOKBACK
    found = await database.read(lambda t: own_history.list_past_issues(t, ref, since, now))
    return partial_result({"since": since.isoformat(), "is_own": True}, len(found), FROM_WEBHOOKS_TEXT)


async def _issue(database: Database, ref: IncidentRef) -> Issue:
    issue = await database.read(lambda t: own_history.get_issue(t, ref))
    if issue is None:
        raise NotFound(f"nothing is known here of this incident, and {NO_CREDENTIAL_TEXT}")
    return issue


_ISSUE_READERS: Mapping[Source, Callable[[Database, IncidentRef, datetime], Awaitable[SourceResult]]] = {
    Source.INCIDENT: _incident,
    Source.LOG: _log,
    Source.OPEN_INCIDENTS: _open_incidents,
    Source.HISTORY: _history,
}
#: The sources that our own database has something for.
ISSUE_SOURCES = frozenset(_ISSUE_READERS)
