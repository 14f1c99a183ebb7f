"""What is remembered of an account between contexts, so that the next one asks PagerDuty for what is new.

Nothing here is shown to callers: contexts are made of it, and those are restricted by scope. All is of
one connection, whose id every function takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.selectable import Select

from calmo_pagerduty.db.statements import upsert
from calmo_pagerduty.db.tables import account_changes, account_incidents, account_objects, account_reads
from calmo_pagerduty.db.transactions import Transaction

#: Of a kind that is remembered whole, in one row.
WHOLE_KIND = "*"
BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class CachedRow:
    """An object as PagerDuty showed it at `fetched_at`."""

    data: Any
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class SyncedRange:
    """The time that was read of a kind. `is_whole`: all that is wanted of it."""

    since: datetime
    until: datetime
    is_whole: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A past incident. `data` is what a list of incidents tells, `handling` what its own log told."""

    id: str
    title: str
    service_id: str
    status: str
    created_at: datetime
    resolved_at: datetime | None
    data: Mapping[str, Any]
    handling: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    id: str
    at: datetime
    data: Mapping[str, Any]


def upsert_object(
    tx: Transaction, connection_id: str, kind: str, data: Any, now: datetime, id_: str = WHOLE_KIND
) -> None:
    row = {"connection_id": connection_id, "kind": kind, "id": id_, "data": data, "fetched_at": now}
    tx.execute(upsert(tx, account_objects), [row])


def get_object(tx: Transaction, connection_id: str, kind: str, id_: str = WHOLE_KIND) -> CachedRow | None:
    query = sa.select(account_objects.c.data, account_objects.c.fetched_at).where(
        *_of_connection(account_objects, connection_id),
        account_objects.c.kind == kind,
        account_objects.c.id == id_,
    )
    row = tx.execute(query).one_or_none()
    return CachedRow(row.data, row.fetched_at) if row else None


def list_objects(tx: Transaction, connection_id: str, kind: str) -> dict[str, CachedRow]:
    """Return all objects of a kind, by id."""
    query = sa.select(account_objects).where(
        *_of_connection(account_objects, connection_id), account_objects.c.kind == kind
    )
    return {row.id: CachedRow(row.data, row.fetched_at) for row in tx.execute(query)}


def upsert_incidents(tx: Transaction, connection_id: str, rows: Sequence[IncidentRow], now: datetime) -> None:
    """Keep what a list told; what an incident's own log told stays."""
    values = [
        {
            "connection_id": connection_id,
            "id": row.id,
            "title": row.title,
            "service_id": row.service_id,
            "status": row.status,
            "created_at": row.created_at,
            "resolved_at": row.resolved_at,
            "data": row.data,
            "changed_at": now,
        }
        for row in rows
    ]
    for start in range(0, len(values), BATCH_SIZE):
        tx.execute(upsert(tx, account_incidents, "handling"), values[start : start + BATCH_SIZE])


def update_handling(
    tx: Transaction, connection_id: str, incident_id: str, handling: Mapping[str, Any], now: datetime
) -> None:
    changed = sa.update(account_incidents).where(
        *_of_connection(account_incidents, connection_id), account_incidents.c.id == incident_id
    )
    tx.execute(changed.values(handling=dict(handling), changed_at=now))


def list_incidents_updated_since(
    tx: Transaction, connection_id: str, since: datetime | None
) -> list[IncidentRow]:
    """Return the past incidents that were written here since then; all, if there is no then."""
    query = sa.select(*(account_incidents.c[name] for name in IncidentRow.__slots__))
    return [
        IncidentRow(*row)
        for row in tx.execute(_updated_since(query, account_incidents, connection_id, since))
    ]


def get_oldest_unresolved(tx: Transaction, connection_id: str, since: datetime) -> datetime | None:
    """Return when the oldest incident began of those that weren't resolved when they were read."""
    query = sa.select(sa.func.min(account_incidents.c.created_at)).where(
        *_of_connection(account_incidents, connection_id),
        account_incidents.c.created_at >= since,
        account_incidents.c.status != "resolved",
    )
    found: datetime | None = tx.execute(query).scalar()
    return found


def list_stale_unresolved(
    tx: Transaction, connection_id: str, begun_before: datetime, read_before: datetime, limit: int
) -> tuple[str, ...]:
    """Return the ids of old incidents that weren't resolved when they were read, long ago; oldest reading
    first.
    """
    query = sa.select(account_incidents.c.id).where(
        *_of_connection(account_incidents, connection_id),
        account_incidents.c.status != "resolved",
        account_incidents.c.created_at < begun_before,
        account_incidents.c.changed_at < read_before,
    )
    return tuple(tx.execute(query.order_by(account_incidents.c.changed_at).limit(limit)).scalars())


def upsert_changes(tx: Transaction, connection_id: str, rows: Sequence[ChangeRow], now: datetime) -> None:
    values = [
        {"connection_id": connection_id, "id": row.id, "at": row.at, "data": row.data, "changed_at": now}
        for row in rows
    ]
    for start in range(0, len(values), BATCH_SIZE):
        tx.execute(upsert(tx, account_changes), values[start : start + BATCH_SIZE])


def list_changes_updated_since(
    tx: Transaction, connection_id: str, since: datetime | None
) -> list[ChangeRow]:
    """Return the changes that were written here since then; all, if there is no then."""
    query = sa.select(account_changes.c.id, account_changes.c.at, account_changes.c.data)
    return [
        ChangeRow(*row) for row in tx.execute(_updated_since(query, account_changes, connection_id, since))
    ]


def count_changes(tx: Transaction, connection_id: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        *_of_connection(account_changes, connection_id), account_changes.c.at >= since
    )
    return int(tx.execute(query).scalar_one())


def count_incidents(tx: Transaction, connection_id: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        *_of_connection(account_incidents, connection_id), account_incidents.c.created_at >= since
    )
    return int(tx.execute(query).scalar_one())


def get_synced_range(tx: Transaction, connection_id: str, kind: str) -> SyncedRange | None:
    query = sa.select(
        account_reads.c.since, account_reads.c.until, account_reads.c.is_whole, account_reads.c.read_at
    ).where(*_of_connection(account_reads, connection_id), account_reads.c.kind == kind)
    row = tx.execute(query).one_or_none()
    return SyncedRange(*row) if row else None


def upsert_synced_range(tx: Transaction, connection_id: str, kind: str, read: SyncedRange) -> None:
    row = {
        "connection_id": connection_id,
        "kind": kind,
        "since": read.since,
        "until": read.until,
        "is_whole": read.is_whole,
        "read_at": read.read_at,
    }
    tx.execute(upsert(tx, account_reads), [row])


def delete_incident(tx: Transaction, connection_id: str, incident_id: str) -> None:
    """Of an incident nothing is remembered any more: PagerDuty has deleted it, or hides it."""
    its = sa.delete(account_incidents).where(account_incidents.c.id == incident_id)
    tx.execute(its.where(*_of_connection(account_incidents, connection_id)))


def _updated_since(
    query: Select[Any], table: sa.Table, connection_id: str, since: datetime | None
) -> Select[Any]:
    query = query.where(*_of_connection(table, connection_id))
    return query if since is None else query.where(table.c.changed_at >= since)


def _of_connection(table: sa.Table, connection_id: str) -> tuple[sa.ColumnElement[bool]]:
    return (table.c.connection_id == connection_id,)
