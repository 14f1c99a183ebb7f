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
ALL = "*"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Kept:
    """An object as PagerDuty showed it at `fetched_at`."""

    data: Any
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
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


def keep_object(
    tx: Transaction, connection_id: str, kind: str, data: Any, now: datetime, id_: str = ALL
) -> None:
    row = {"connection_id": connection_id, "kind": kind, "id": id_, "data": data, "fetched_at": now}
    tx.execute(upsert(tx, account_objects), [row])


def find_object(tx: Transaction, connection_id: str, kind: str, id_: str = ALL) -> Kept | None:
    query = sa.select(account_objects.c.data, account_objects.c.fetched_at).where(
        *_of(account_objects, connection_id), account_objects.c.kind == kind, account_objects.c.id == id_
    )
    row = tx.execute(query).one_or_none()
    return Kept(row.data, row.fetched_at) if row else None


def objects(tx: Transaction, connection_id: str, kind: str) -> dict[str, Kept]:
    """Return all objects of a kind, by id."""
    query = sa.select(account_objects).where(
        *_of(account_objects, connection_id), account_objects.c.kind == kind
    )
    return {row.id: Kept(row.data, row.fetched_at) for row in tx.execute(query)}


def keep_incidents(tx: Transaction, connection_id: str, rows: Sequence[IncidentRow], now: datetime) -> None:
    """Keep what a list told; what an incident's own log told stays."""
    values = [
        {
            "connection_id": connection_id, "id": row.id, "title": row.title, "service_id": row.service_id,
            "status": row.status, "created_at": row.created_at, "resolved_at": row.resolved_at,
            "data": row.data, "changed_at": now,
        }
        for row in rows
    ]  # fmt: skip
    for start in range(0, len(values), AT_ONCE):
        tx.execute(upsert(tx, account_incidents, "handling"), values[start : start + AT_ONCE])


def keep_handling(
    tx: Transaction, connection_id: str, incident_id: str, handling: Mapping[str, Any], now: datetime
) -> None:
    changed = sa.update(account_incidents).where(
        *_of(account_incidents, connection_id), account_incidents.c.id == incident_id
    )
    tx.execute(changed.values(handling=dict(handling), changed_at=now))


def incidents_changed(tx: Transaction, connection_id: str, since: datetime | None) -> list[IncidentRow]:
    """Return the past incidents that were written here since then; all, if there is no then."""
    query = sa.select(*(account_incidents.c[name] for name in IncidentRow.__slots__))
    return [IncidentRow(*row) for row in tx.execute(_changed(query, account_incidents, connection_id, since))]


def oldest_unresolved(tx: Transaction, connection_id: str, since: datetime) -> datetime | None:
    """Return when the oldest incident began of those that weren't resolved when they were read."""
    query = sa.select(sa.func.min(account_incidents.c.created_at)).where(
        *_of(account_incidents, connection_id),
        account_incidents.c.created_at >= since,
        account_incidents.c.status != "resolved",
    )
    found: datetime | None = tx.execute(query).scalar()
    return found


def unresolved(
    tx: Transaction, connection_id: str, begun_before: datetime, read_before: datetime, limit: int
) -> tuple[str, ...]:
    """Return the ids of old incidents that weren't resolved when they were read, long ago; oldest reading
    first.
    """
    query = sa.select(account_incidents.c.id).where(
        *_of(account_incidents, connection_id),
        account_incidents.c.status != "resolved",
        account_incidents.c.created_at < begun_before,
        account_incidents.c.changed_at < read_before,
    )
    return tuple(tx.execute(query.order_by(account_incidents.c.changed_at).limit(limit)).scalars())


def keep_changes(tx: Transaction, connection_id: str, rows: Sequence[ChangeRow], now: datetime) -> None:
    values = [
        {"connection_id": connection_id, "id": row.id, "at": row.at, "data": row.data, "changed_at": now}
        for row in rows
    ]
    for start in range(0, len(values), AT_ONCE):
        tx.execute(upsert(tx, account_changes), values[start : start + AT_ONCE])


def changes_changed(tx: Transaction, connection_id: str, since: datetime | None) -> list[ChangeRow]:
    """Return the changes that were written here since then; all, if there is no then."""
    query = sa.select(account_changes.c.id, account_changes.c.at, account_changes.c.data)
    return [ChangeRow(*row) for row in tx.execute(_changed(query, account_changes, connection_id, since))]


def count_changes(tx: Transaction, connection_id: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        *_of(account_changes, connection_id), account_changes.c.at >= since
    )
    return int(tx.execute(query).scalar_one())


def count_incidents(tx: Transaction, connection_id: str, since: datetime) -> int:
    query = sa.select(sa.func.count()).where(
        *_of(account_incidents, connection_id), account_incidents.c.created_at >= since
    )
    return int(tx.execute(query).scalar_one())


def span(tx: Transaction, connection_id: str, kind: str) -> Span | None:
    query = sa.select(
        account_reads.c.since, account_reads.c.until, account_reads.c.is_whole, account_reads.c.read_at
    ).where(*_of(account_reads, connection_id), account_reads.c.kind == kind)
    row = tx.execute(query).one_or_none()
    return Span(*row) if row else None


def keep_span(tx: Transaction, connection_id: str, kind: str, read: Span) -> None:
    row = {
        "connection_id": connection_id, "kind": kind, "since": read.since, "until": read.until,
        "is_whole": read.is_whole, "read_at": read.read_at,
    }  # fmt: skip
    tx.execute(upsert(tx, account_reads), [row])


def forget(tx: Transaction, connection_id: str, incident_id: str) -> None:
    """Of an incident nothing is remembered any more: PagerDuty has deleted it, or hides it."""
    its = sa.delete(account_incidents).where(account_incidents.c.id == incident_id)
    tx.execute(its.where(*_of(account_incidents, connection_id)))


def _changed(query: Select[Any], table: sa.Table, connection_id: str, since: datetime | None) -> Select[Any]:
    query = query.where(*_of(table, connection_id))
    return query if since is None else query.where(table.c.changed_at >= since)


def _of(table: sa.Table, connection_id: str) -> tuple[sa.ColumnElement[bool]]:
    return (table.c.connection_id == connection_id,)
