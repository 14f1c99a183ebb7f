"""The changes before the incident: all of the account's, or until those are read, those nearby."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, FeedSync, IncrementalFeed
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, SyncedRange
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all, parse_change
from calmo_pagerduty.contexts.gathering.dependency_source import walk_cached
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import CHANGE_LOOKBACK, Source
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.pagerduty.errors import AccessDenied
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: From so much on, the account's own changes tell their rates; below, services are read one by one.
MIN_ACCOUNT_COVERAGE = timedelta(days=7)
MAX_SYNC_REQUESTS = 10
MAX_SERVICES = 9
MAX_CHANGES_PER_SERVICE = 300


def _upsert_changes(tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime) -> None:
    rows = [
        ChangeRow(change_event.id, change_event.at, facts.CHANGE.to_json(change_event))
        for change_event in parse_all(parse_change, items)
    ]
    account_memory.upsert_changes(tx, connection_id, rows, now)


CHANGES = IncrementalFeed(
    name="changes",
    #: Rates are counted over this time.
    lookback=CHANGE_LOOKBACK,
    ttl=timedelta(seconds=20),
    items="change_events",
    time_field="timestamp",
    request=lambda since, until: get("/change_events", since=since, until=until),
    save_page=_upsert_changes,
    new_since=lambda _transaction, _connection_id, span: span.until - OVERLAP,
)


async def changes(job: SourceJob) -> SourceResult:
    spans = FeedSync(job.database, job.cache, job.connection_id)
    try:
        span = await spans.sync(CHANGES, job.client, MAX_SYNC_REQUESTS)
    except AccessDenied:
        # What a service's own changes need is less.
        span = None
    if span is None or not (span.is_whole or span.until - span.since >= MIN_ACCOUNT_COVERAGE):
        return await _read_nearby(job, span)
    since = max(span.since, job.now - CHANGE_LOOKBACK)
    count = await job.database.read(lambda t: account_memory.count_changes(t, job.connection_id, since))
    data = {"since": since.isoformat(), "service_ids": None}
    if span.is_whole:
        return SourceResult(data, count)
    return partial_result(
        data, count, f"since {since:%Y-%m-%d}: what was before is being read", wants_more=True
    )


async def _read_nearby(job: SourceJob, synced: SyncedRange | None) -> SourceResult:
    """Read the changes of the service, and of those nearest upstream, each by itself."""
    if job.service_id is None:
        return job.not_applicable("service, whose changes could be read,")
    walk = await walk_cached(job, job.service_id)
    ids, since, count, whole = walk.nearest_upstream(MAX_SERVICES), job.now - CHANGE_LOOKBACK, 0, True
    for service_id in ids:
        found, is_all = await job.client.list_items(
            f"/services/{service_id}/change_events", "change_events", MAX_CHANGES_PER_SERVICE, since=since
        )
        await _save_changes(job, found)
        count, whole = count + len(found), whole and is_all
    words = f"of this service and of {len(ids) - 1} that it depends on"
    if not whole:
        words += ", the newest of each"
    data = {"since": since.isoformat(), "service_ids": list(ids)}
    return partial_result(data, count, words, wants_more=synced is not None)


async def _save_changes(job: SourceJob, found: Sequence[JsonObject]) -> None:
    await job.database.write(lambda t: _upsert_changes(t, job.connection_id, found, job.now))


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.CHANGES: changes}
