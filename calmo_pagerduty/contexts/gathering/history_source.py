"""The account's past incidents, and who handled those that are most alike."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, AccountSpans, Growing
from calmo_pagerduty.contexts.account.requests import PAGE
from calmo_pagerduty.contexts.account_cache_store import IncidentRow, Span
from calmo_pagerduty.contexts.analysis.reading_incidents import (
    clean_text_of,
    log_line,
    past_incident,
    read_all,
)
from calmo_pagerduty.contexts.analysis.reading_logs import handling
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering, partial
from calmo_pagerduty.contexts.sources import INCIDENTS_REACH, Source, SourceState
from calmo_pagerduty.contexts.store import Part
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.kernel.json_values import object_of
from calmo_pagerduty.pagerduty.errors import NotFound, NotUnderstood, Refused, TryAgain
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: Incidents that were open when they were read are read again with what is new, if they aren't older than
#: this; else some at a time by themselves, each once a day.
LOOK_AGAIN = timedelta(days=2)
LOOKED_AT_FOR = timedelta(days=1)
MOST_OLD = 3
MOST_COLD = 30
#: How many logs of past incidents are read for one context. Each is read once, ever.
MOST_LOGS = 10
LOGS_AT_ONCE = 5


def _keep(tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime) -> None:
    rows = []
    for item in items:
        for incident in read_all(past_incident, [item]):
            status = clean_text_of(item.get("status"), 40) or "unknown"
            rows.append(
                IncidentRow(
                    incident.id,
                    incident.title,
                    incident.service_id,
                    status,
                    incident.created_at,
                    incident.resolved_at,
                    facts.PAST.json(incident),
                )
            )
    account_memory.keep_incidents(tx, connection_id, rows, now)


def _news_since(tx: Transaction, connection_id: str, span: Span) -> datetime:
    latest = span.until - OVERLAP
    unresolved = account_memory.oldest_unresolved(tx, connection_id, span.until - LOOK_AGAIN)
    return min(latest, unresolved) if unresolved else latest


INCIDENTS = Growing(
    name="incidents",
    reach=INCIDENTS_REACH,
    holds=timedelta(seconds=30),
    items="incidents",
    time_field="created_at",
    request=lambda since, until: get("/incidents", since=since, until=until, sort_by="created_at:desc"),
    keep=_keep,
    news_since=_news_since,
)


async def history(gathering: Gathering) -> Found:
    spans = AccountSpans(gathering.database, gathering.memory, gathering.connection_id)
    span = await spans.caught_up(INCIDENTS, gathering.reading, MOST_COLD)
    if span is None:
        return partial(None, 0, "PagerDuty's list of incidents could not be put in order", wants_more=True)
    since = max(span.since, gathering.now - INCIDENTS_REACH)
    data = {"since": since.isoformat(), "is_own": False}
    await _read_old_ones(gathering)
    await _read_logs(gathering, Part(Source.HISTORY, SourceState.PARTIAL, data=data))
    count = await gathering.database.read(
        lambda t: account_memory.count_incidents(t, gathering.connection_id, since)
    )
    if span.is_whole:
        return Found(data, count)
    return partial(data, count, f"since {since:%Y-%m-%d}: what was before is being read", wants_more=True)


async def _read_old_ones(gathering: Gathering) -> None:
    """Look whether incidents that were open for days are over by now. If PagerDuty has trouble, next time."""
    id_, begun, looked = gathering.connection_id, gathering.now - LOOK_AGAIN, gathering.now - LOOKED_AT_FOR
    old = await gathering.database.read(lambda t: account_memory.unresolved(t, id_, begun, looked, MOST_OLD))
    with contextlib.suppress(TryAgain):
        for incident_id in old:
            await _read_anew(gathering, incident_id)


async def _read_anew(gathering: Gathering, incident_id: str) -> None:
    id_, now = gathering.connection_id, datetime.now(UTC)
    try:
        answer = await gathering.reading.get(f"/incidents/{incident_id}")
    except (Refused, NotUnderstood):
        answer = {}
    items = [object_of(answer.get("incident"))]
    if read_all(past_incident, items):
        await gathering.database.write(lambda t: _keep(t, id_, items, now))
    else:
        # It was deleted, is hidden from us, or says nothing that could be read.
        await gathering.database.write(lambda t: account_memory.forget(t, id_, incident_id))


async def _read_logs(gathering: Gathering, part: Part) -> None:
    """Read who handled the most similar ones, of those whose logs were never read."""
    alike = await gathering.assessor.alike(gathering.ref, gathering.version, gathering.now, part, MOST_LOGS)
    turns = asyncio.Semaphore(LOGS_AT_ONCE)

    async def read(incident_id: str) -> None:
        async with turns:
            await _read_log(gathering, incident_id)

    reading = [asyncio.create_task(read(incident_id)) for incident_id in alike]
    try:
        await asyncio.gather(*reading)
    finally:
        # One that can't be read ends the source's attempt: the others have nobody to read for.
        for task in reading:
            task.cancel()


async def _read_log(gathering: Gathering, incident_id: str) -> None:
    try:
        items, _ = await gathering.reading.listed(
            f"/incidents/{incident_id}/log_entries", "log_entries", PAGE,
            is_overview=True, **{"include[]": "channels"},
        )  # fmt: skip
    except NotFound:
        items = []  # it was deleted, or is hidden from us: asking again tells no more
    await _keep_handling(gathering, incident_id, facts.HANDLING.json(handling(read_all(log_line, items))))


async def _keep_handling(gathering: Gathering, incident_id: str, how: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    await gathering.database.write(
        lambda t: account_memory.keep_handling(t, gathering.connection_id, incident_id, how, now)
    )


GATHERS: Mapping[Source, Gather] = {Source.HISTORY: history}
