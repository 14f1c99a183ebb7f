"""What our own database tells of an incident whose connection has no token to ask PagerDuty with."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import issue_history_queries as own_history
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.analysis import reading_issues as read
from calmo_pagerduty.contexts.analysis.surroundings import OpenIncident
from calmo_pagerduty.contexts.gathering.source import Found, partial
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.errors import NotFound

REACH = timedelta(days=180)
CANNOT_ASK = "the connection has no PagerDuty token"
FROM_OURS = f"as webhooks told it: {CANNOT_ASK}"


async def gather(source: Source, database: Database, ref: IncidentRef, now: datetime) -> Found:
    """Return what we have for a source. Raises NotFound for an incident of which nothing is known here."""
    known = _GATHERS.get(source)
    if known is None:
        return Found(None, 0, SourceState.UNAVAILABLE, CANNOT_ASK)
    return await known(database, ref, now)


async def _incident(database: Database, ref: IncidentRef, _now: datetime) -> Found:
    found = read.this_issue(await _issue(database, ref))
    return partial(facts.INCIDENT.json(found), 1, FROM_OURS)


async def _log(database: Database, ref: IncidentRef, _now: datetime) -> Found:
    issue = await _issue(database, ref)
    entries = await database.read(lambda t: issue_queries.read_timeline(t, issue))
    found = read.lines(entries)
    return partial(facts.LINES.json(found), len(found), FROM_OURS)


async def _open_incidents(database: Database, ref: IncidentRef, _now: datetime) -> Found:
    issues = await database.read(lambda t: own_history.others_open(t, ref))
    found: tuple[OpenIncident, ...] = tuple(filter(None, map(read.open_issue, issues)))
    return partial(facts.OPEN.json(found), len(found), FROM_OURS)


async def _history(database: Database, ref: IncidentRef, now: datetime) -> Found:
    since = now - REACH
    found = await database.read(lambda t: own_history.past(t, ref, since, now))
    return partial({"since": since.isoformat(), "is_own": True}, len(found), FROM_OURS)


async def _issue(database: Database, ref: IncidentRef) -> Issue:
    issue = await database.read(lambda t: own_history.issue(t, ref))
    if issue is None:
        raise NotFound(f"nothing is known here of this incident, and {CANNOT_ASK}")
    return issue


_GATHERS: Mapping[Source, Callable[[Database, IncidentRef, datetime], Awaitable[Found]]] = {
    Source.INCIDENT: _incident,
    Source.LOG: _log,
    Source.OPEN_INCIDENTS: _open_incidents,
    Source.HISTORY: _history,
}
#: The sources that our own database has something for.
OWN_SOURCES = frozenset(_GATHERS)
