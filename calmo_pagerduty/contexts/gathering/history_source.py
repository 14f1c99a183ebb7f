"""The account's past incidents, and who handled those that are most alike."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, FeedSync, IncrementalFeed
from calmo_pagerduty.contexts.account.requests import PAGE_SIZE
from calmo_pagerduty.contexts.account_cache_store import IncidentRow, SyncedRange
from calmo_pagerduty.contexts.analysis.parse_incidents import (
    parse_all,
    parse_log_line,
    parse_past_incident,
    parse_sanitized_text,
)
from calmo_pagerduty.contexts.analysis.parse_logs import summarise_handling
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import INCIDENT_LOOKBACK, Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import NotFound, NotUnderstood, Refused, TryAgain
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: Incidents that were open when they were read are read again with what is new, if they aren't older than
#: this; else some at a time by themselves, each once a day.
RECHECK_AGE = timedelta(days=2)
RECHECK_INTERVAL = timedelta(days=1)
MAX_RECHECKS = 3
MAX_SYNC_REQUESTS = 30
#: How many logs of past incidents are read for one context. Each is read once, ever.
MAX_LOGS = 10
MAX_CONCURRENT_LOGS = 5


def _upsert_incidents(
    tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime
) -> None:
    rows = []
    for item in items:
        for incident in parse_all(parse_past_incident, [item]):
            status = parse_sanitized_text(item.get("status"), 40) or "unknown"
            rows.append(
                IncidentRow(
                    incident.id,
                    incident.title,
                    incident.service_id,
                    status,
                    incident.created_at,
                    incident.resolved_at,
                    facts.PAST.to_json(incident),
                )
            )
    account_memory.upsert_incidents(tx, connection_id, rows, now)


def _new_since(tx: Transaction, connection_id: str, synced: SyncedRange) -> datetime:
    latest = synced.until - OVERLAP
    unresolved = account_memory.get_oldest_unresolved(tx, connection_id, synced.until - RECHECK_AGE)
    return min(latest, unresolved) if unresolved else latest


INCIDENTS = IncrementalFeed(
    name="incidents",
    lookback=INCIDENT_LOOKBACK,
    ttl=timedelta(seconds=30),
    items="incidents",
    time_field="created_at",
    request=lambda since, until: get("/incidents", since=since, until=until, sort_by="created_at:desc"),
    save_page=_upsert_incidents,
    new_since=_new_since,
)


async def history(job: SourceJob) -> SourceResult:
    spans = FeedSync(job.database, job.cache, job.connection_id)
    span = await spans.sync(INCIDENTS, job.client, MAX_SYNC_REQUESTS)
    if span is None:
        return partial_result(
            None, 0, "PagerDuty's list of incidents could not be put in order", wants_more=True
        )
    since = max(span.since, job.now - INCIDENT_LOOKBACK)
    data = {"since": since.isoformat(), "is_own": False}
    await _recheck_unresolved(job)
    await _read_logs(job, ContextPart(Source.HISTORY, SourceState.PARTIAL, data=data))
    count = await job.database.read(lambda t: account_memory.count_incidents(t, job.connection_id, since))
    if span.is_whole:
        return SourceResult(data, count)
    return partial_result(
        data, count, f"since {since:%Y-%m-%d}: what was before is being read", wants_more=True
    )


async def _recheck_unresolved(job: SourceJob) -> None:
    """Look whether incidents that were open for days are over by now. If PagerDuty has trouble, next time."""
    id_, begun, looked = job.connection_id, job.now - RECHECK_AGE, job.now - RECHECK_INTERVAL
    old = await job.database.read(
        lambda t: account_memory.list_stale_unresolved(t, id_, begun, looked, MAX_RECHECKS)
    )
    with contextlib.suppress(TryAgain):
        for incident_id in old:
            await _recheck_incident(job, incident_id)


async def _recheck_incident(job: SourceJob, incident_id: str) -> None:
    id_, now = job.connection_id, datetime.now(UTC)
    try:
        answer = await job.client.get(f"/incidents/{incident_id}")
    except (Refused, NotUnderstood):
        answer = {}
    items = [as_object(answer.get("incident"))]
    if parse_all(parse_past_incident, items):
        await job.database.write(lambda t: _upsert_incidents(t, id_, items, now))
    else:
        # It was deleted, is hidden from us, or says nothing that could be read.
        await job.database.write(lambda t: account_memory.delete_incident(t, id_, incident_id))


async def _read_logs(job: SourceJob, part: ContextPart) -> None:
    """Read who handled the most similar ones, of those whose logs were never read."""
    alike = await job.assessor.most_similar(job.ref, job.version, job.now, part, MAX_LOGS)
    turns = asyncio.Semaphore(MAX_CONCURRENT_LOGS)

    async def read(incident_id: str) -> None:
        async with turns:
            await _read_log(job, incident_id)

    reading = [asyncio.create_task(read(incident_id)) for incident_id in alike]
    try:
        await asyncio.gather(*reading)
    finally:
        # One that can't be read ends the source's attempt: the others have nobody to read for.
        for task in reading:
            task.cancel()


async def _read_log(job: SourceJob, incident_id: str) -> None:
    try:
        items, _ = await job.client.list_items(
            f"/incidents/{incident_id}/log_entries",
            "log_entries",
            PAGE_SIZE,
            is_overview=True,
            **{"include[]": "channels"},
        )
    except NotFound:
        items = []  # it was deleted, or is hidden from us: asking again tells no more
    await _save_handling(
        job, incident_id, facts.HANDLING.to_json(summarise_handling(parse_all(parse_log_line, items)))
    )


async def _save_handling(job: SourceJob, incident_id: str, how: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    await job.database.write(
        lambda t: account_memory.update_handling(t, job.connection_id, incident_id, how, now)
    )


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.HISTORY: history}
