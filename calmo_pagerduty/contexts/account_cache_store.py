"""Store the account cache, so that the next context requests only new data from PagerDuty.

Callers never see these rows: contexts are made of them, and the scope restricts who sees contexts. Every
function works on one connection, whose id it takes. Times are UTC.
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

#: The row id of a kind that is cached as one document.
WHOLE_KIND = "*"
BATCH_SIZE = 500


@dataclass(frozen=True, slots=True)
class CachedRow:
    """An object as PagerDuty showed it at `fetched_at`."""

    data: Any
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class SyncedRange:
    """The span of time that was read of a kind; `is_whole` if it covers the whole lookback."""

    since: datetime
    until: datetime
    is_whole: bool
    read_at: datetime


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """A past incident. `data` comes from a list of incidents, `handling` from its own log (see `codec`)."""

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
    """Write incidents from a list; the handling of an existing row stays."""
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
    update = sa.update(account_incidents).where(
        *_of_connection(account_incidents, connection_id), account_incidents.c.id == incident_id
    )
    tx.execute(update.values(handling=dict(handling), changed_at=now))


def list_incidents_updated_since(
    tx: Transaction, connection_id: str, since: datetime | None
) -> list[IncidentRow]:
    """Return the past incidents whose rows were written since `since`; all if it is None."""
    query = sa.select(*(account_incidents.c[name] for name in IncidentRow.__slots__))
    return [
        IncidentRow(*row)
        for row in tx.execute(_updated_since(query, account_incidents, connection_id, since))
    ]


def get_oldest_unresolved(tx: Transaction, connection_id: str, since: datetime) -> datetime | None:
    """Return the start of the oldest incident since `since` that was unresolved when it was read."""
    query = sa.select(sa.func.min(account_incidents.c.created_at)).where(
        *_of_connection(account_incidents, connection_id),
        account_incidents.c.created_at >= since,
        account_incidents.c.status != "resolved",
    )
    oldest: datetime | None = tx.execute(query).scalar()
    return oldest


def list_stale_unresolved(
    tx: Transaction, connection_id: str, begun_before: datetime, read_before: datetime, limit: int
) -> tuple[str, ...]:
    """Return the ids of incidents begun before `begun_before` that were unresolved when they were read,
    before `read_before`; the oldest reading first.
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
    """Return the changes whose rows were written since `since`; all if it is None."""
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
    """Delete an incident that PagerDuty has deleted or hides."""
    delete = sa.delete(account_incidents).where(account_incidents.c.id == incident_id)
    tx.execute(delete.where(*_of_connection(account_incidents, connection_id)))


def _updated_since(
    query: Select[Any], table: sa.Table, connection_id: str, since: datetime | None
) -> Select[Any]:
    query = query.where(*_of_connection(table, connection_id))
    return query if since is None else query.where(table.c.changed_at >= since)


def _of_connection(table: sa.Table, connection_id: str) -> tuple[sa.ColumnElement[bool]]:
    return (table.c.connection_id == connection_id,)
