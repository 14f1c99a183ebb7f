"""Read the account's past incidents, and the logs of those most similar to this one.

Source: PagerDuty's REST API, `GET /incidents`, `/incidents/{id}`, `/incidents/{id}/log_entries`.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.connections.background_client import PAGE_SIZE
from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, FeedSync, IncrementalFeed
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
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_keys import drill_key
from calmo_pagerduty.deliveries.drill_marker_store import mark_drill_incident
from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.pagerduty.errors import NotFound, NotUnderstood, Refused, TryAgain
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: Unresolved incidents younger than this are read again with the new ones. Older ones are read again singly,
#: a few per context, each once per RECHECK_INTERVAL.
RECHECK_AGE = timedelta(days=2)
RECHECK_INTERVAL = timedelta(days=1)
MAX_RECHECKS = 3
MAX_SYNC_REQUESTS = 30
#: How many logs of past incidents one context reads. Each log is read only once.
MAX_LOGS = 10
MAX_CONCURRENT_LOGS = 5


def _upsert_incidents(
    tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime
) -> None:
    """Save incidents for later contexts. An escalation drill's is no past to learn from."""
    rows = []
    for item in items:
        for incident in parse_all(parse_past_incident, [item]):
            key = drill_key(item)
            if key is not None and mark_drill_incident(tx, connection_id, incident.id, key):
                cache_store.delete_incident(tx, connection_id, incident.id)
                continue
            status = parse_sanitized_text(item.get("status"), 40) or "unknown"
            rows.append(
                IncidentRow(
                    incident.id,
                    incident.title,
                    incident.service_id,
                    status,
                    incident.created_at,
                    incident.resolved_at,
                    codec.PAST.to_json(incident),
                )
            )
    cache_store.upsert_incidents(tx, connection_id, rows, now)


def _new_since(tx: Transaction, connection_id: str, synced: SyncedRange) -> datetime:
    latest = synced.until - OVERLAP
    unresolved = cache_store.get_oldest_unresolved(tx, connection_id, synced.until - RECHECK_AGE)
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
    feed_sync = FeedSync(job.database, job.cache, job.connection_id)
    synced = await feed_sync.sync(INCIDENTS, job.client, MAX_SYNC_REQUESTS)
    if synced is None:
        return partial_result(
            None, 0, "PagerDuty's list of incidents was not in the order of time", wants_more=True
        )
    since = max(synced.since, job.now - INCIDENT_LOOKBACK)
    data = {"since": since.isoformat(), "is_own": False}
    await _recheck_unresolved(job)
    await _read_logs(job, ContextPart(Source.HISTORY, SourceState.PARTIAL, data=data))
    count = await job.database.read(lambda t: cache_store.count_incidents(t, job.connection_id, since))
    if synced.is_whole:
        return SourceResult(data, count)
    return partial_result(
        data, count, f"since {since:%Y-%m-%d}: earlier incidents are still being read", wants_more=True
    )


async def _recheck_unresolved(job: SourceJob) -> None:
    """Read incidents again that were open for days. If PagerDuty is unavailable, the next context does."""
    id_, begun_before, read_before = job.connection_id, job.now - RECHECK_AGE, job.now - RECHECK_INTERVAL
    old = await job.database.read(
        lambda t: cache_store.list_stale_unresolved(t, id_, begun_before, read_before, MAX_RECHECKS)
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
        # It was deleted, is hidden from us, or can't be parsed.
        await job.database.write(lambda t: cache_store.delete_incident(t, id_, incident_id))


async def _read_logs(job: SourceJob, part: ContextPart) -> None:
    """Read the logs of the most similar incidents whose logs were never read."""
    similar_ids = await job.assessor.most_similar(job.ref, job.version, job.now, part, MAX_LOGS)
    slots = asyncio.Semaphore(MAX_CONCURRENT_LOGS)

    async def read(incident_id: str) -> None:
        async with slots:
            await _read_log(job, incident_id)

    tasks = [asyncio.create_task(read(incident_id)) for incident_id in similar_ids]
    try:
        await asyncio.gather(*tasks)
    finally:
        # If one log can't be read, the source's attempt ends: the other tasks are of no use.
        for task in tasks:
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
        items = []  # the incident was deleted, or is hidden from us: another request would not help
    await _save_handling(
        job, incident_id, codec.HANDLING.to_json(summarise_handling(parse_all(parse_log_line, items)))
    )


async def _save_handling(job: SourceJob, incident_id: str, handling: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    await job.database.write(
        lambda t: cache_store.update_handling(t, job.connection_id, incident_id, handling, now)
    )


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.HISTORY: history}
