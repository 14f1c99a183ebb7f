"""Read the changes before the incident: all of the account's, or, until those are read, those nearby.

Source: PagerDuty's REST API, `GET /change_events` and `GET /services/{id}/change_events`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account import codec
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, FeedSync, IncrementalFeed
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, SyncedRange
from calmo_pagerduty.contexts.analysis.parse_incidents import parse_all, parse_change
from calmo_pagerduty.contexts.gathering.dependency_source import walk_cached
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult, partial_result
from calmo_pagerduty.contexts.sources import CHANGE_LOOKBACK, Source
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty.errors import AccessDenied
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: If the account's changes cover at least this time, rates come from them; else services are read singly.
MIN_ACCOUNT_COVERAGE = timedelta(days=7)
MAX_SYNC_REQUESTS = 10
MAX_SERVICES = 9
MAX_CHANGES_PER_SERVICE = 300


def _upsert_changes(tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime) -> None:
    rows = [
        ChangeRow(change_event.id, change_event.at, codec.CHANGE.to_json(change_event))
        for change_event in parse_all(parse_change, items)
    ]
    cache_store.upsert_changes(tx, connection_id, rows, now)


CHANGES = IncrementalFeed(
    name="changes",
    #: Rates are counted over at most this time.
    lookback=CHANGE_LOOKBACK,
    ttl=timedelta(seconds=20),
    items="change_events",
    time_field="timestamp",
    request=lambda since, until: get("/change_events", since=since, until=until),
    save_page=_upsert_changes,
    new_since=lambda _transaction, _connection_id, span: span.until - OVERLAP,
)


async def changes(job: SourceJob) -> SourceResult:
    feed_sync = FeedSync(job.database, job.cache, job.connection_id)
    try:
        synced = await feed_sync.sync(CHANGES, job.client, MAX_SYNC_REQUESTS)
    except AccessDenied:
        # The list of one service's changes needs fewer rights.
        synced = None
    if synced is None or not (synced.is_whole or synced.until - synced.since >= MIN_ACCOUNT_COVERAGE):
        return await _read_nearby(job, synced)
    since = max(synced.since, job.now - CHANGE_LOOKBACK)
    count = await job.database.read(lambda t: cache_store.count_changes(t, job.connection_id, since))
    data = {"since": since.isoformat(), "service_ids": None}
    if synced.is_whole:
        return SourceResult(data, count)
    return partial_result(
        data, count, f"since {since:%Y-%m-%d}: earlier changes are still being read", wants_more=True
    )


async def _read_nearby(job: SourceJob, synced: SyncedRange | None) -> SourceResult:
    """Read the changes of the service and of the nearest ones upstream, service by service."""
    if job.service_id is None:
        return job.not_applicable("service, whose changes could be read,")
    walk = await walk_cached(job, job.service_id)
    ids, since, count, whole = walk.nearest_upstream(MAX_SERVICES), job.now - CHANGE_LOOKBACK, 0, True
    for service_id in ids:
        items, is_all = await job.client.list_items(
            f"/services/{service_id}/change_events", "change_events", MAX_CHANGES_PER_SERVICE, since=since
        )
        await _save_changes(job, items)
        count, whole = count + len(items), whole and is_all
    reason = f"of this service and of {len(ids) - 1} that it depends on"
    if not whole:
        reason += ", the newest of each"
    data = {"since": since.isoformat(), "service_ids": list(ids)}
    return partial_result(data, count, reason, wants_more=synced is not None)


async def _save_changes(job: SourceJob, items: Sequence[JsonObject]) -> None:
    await job.database.write(lambda t: _upsert_changes(t, job.connection_id, items, job.now))


SOURCE_READERS: Mapping[Source, SourceReader] = {Source.CHANGES: changes}
