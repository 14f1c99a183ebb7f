"""The changes before the incident: all of the account's, or until those are read, those nearby."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import OVERLAP, AccountSpans, Growing
from calmo_pagerduty.contexts.account_cache_store import ChangeRow, Span
from calmo_pagerduty.contexts.analysis.reading_incidents import change, read_all
from calmo_pagerduty.contexts.gathering.dependency_source import known_walk
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering, partial
from calmo_pagerduty.contexts.sources import CHANGES_REACH, Source
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.pagerduty.errors import AccessDenied
from calmo_pagerduty.pagerduty.request_builders import get
from calmo_pagerduty.pagerduty.requests import JsonObject

#: From so much on, the account's own changes tell their rates; below, services are read one by one.
ENOUGH = timedelta(days=7)
MOST_COLD = 10
MOST_SERVICES = 9
MOST_OF_A_SERVICE = 300


def _keep(tx: Transaction, connection_id: str, items: Sequence[JsonObject], now: datetime) -> None:
    rows = [
        ChangeRow(change_event.id, change_event.at, facts.CHANGE.json(change_event))
        for change_event in read_all(change, items)
    ]
    account_memory.keep_changes(tx, connection_id, rows, now)


CHANGES = Growing(
    name="changes",
    #: Rates are counted over this time.
    reach=CHANGES_REACH,
    holds=timedelta(seconds=20),
    items="change_events",
    time_field="timestamp",
    request=lambda since, until: get("/change_events", since=since, until=until),
    keep=_keep,
    news_since=lambda _transaction, _connection_id, span: span.until - OVERLAP,
)


async def changes(gathering: Gathering) -> Found:
    spans = AccountSpans(gathering.database, gathering.memory, gathering.connection_id)
    try:
        span = await spans.caught_up(CHANGES, gathering.reading, MOST_COLD)
    except AccessDenied:
        # What a service's own changes need is less.
        span = None
    if span is None or not (span.is_whole or span.until - span.since >= ENOUGH):
        return await _nearby(gathering, span)
    since = max(span.since, gathering.now - CHANGES_REACH)
    count = await gathering.database.read(
        lambda t: account_memory.count_changes(t, gathering.connection_id, since)
    )
    data = {"since": since.isoformat(), "service_ids": None}
    if span.is_whole:
        return Found(data, count)
    return partial(data, count, f"since {since:%Y-%m-%d}: what was before is being read", wants_more=True)


async def _nearby(gathering: Gathering, span: Span | None) -> Found:
    """Read the changes of the service, and of those nearest upstream, each by itself."""
    if gathering.service_id is None:
        return gathering.without("service, whose changes could be read,")
    walk = await known_walk(gathering, gathering.service_id)
    ids, since, count, whole = walk.nearest_upstream(MOST_SERVICES), gathering.now - CHANGES_REACH, 0, True
    for service_id in ids:
        found, is_all = await gathering.reading.listed(
            f"/services/{service_id}/change_events", "change_events", MOST_OF_A_SERVICE, since=since
        )
        await _keep_found(gathering, found)
        count, whole = count + len(found), whole and is_all
    words = f"of this service and of {len(ids) - 1} that it depends on"
    if not whole:
        words += ", the newest of each"
    data = {"since": since.isoformat(), "service_ids": list(ids)}
    return partial(data, count, words, wants_more=span is not None)


async def _keep_found(gathering: Gathering, found: Sequence[JsonObject]) -> None:
    await gathering.database.write(lambda t: _keep(t, gathering.connection_id, found, gathering.now))


GATHERS: Mapping[Source, Gather] = {Source.CHANGES: changes}
