"""Store account snapshots: a row each, and their parts by digest, so that equal parts are stored once."""

import base64
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.statements import insert_or_ignore, upsert
from calmo_pagerduty.db.tables import (
    account_snapshots,
    connections,
    snapshot_blobs,
    snapshot_parts,
    tool_calls,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.snapshots.codec import (
    EncodedPart,
    SnapshotHead,
    StoredPart,
    encode_snapshot,
    sections_to_json,
)
from calmo_pagerduty.snapshots.dependency_model import ServiceKey, ServiceKind
from calmo_pagerduty.snapshots.model import AccountSnapshot, Section, SectionName
from calmo_pagerduty.snapshots.retention_rules import SnapshotAge
from calmo_pagerduty.snapshots.rows import (
    SNAPSHOTS,
    SnapshotState,
    StoredSnapshot,
    instant,
    snapshot_from_row,
)

BATCH_SIZE = 200


def new_snapshot_id() -> str:
    return f"snap_{base64.b32encode(os.urandom(10)).decode().lower()}"


def insert_snapshot(tx: Transaction, head: SnapshotHead, progress: Mapping[str, Any]) -> None:
    """Begin a snapshot."""
    tx.execute(
        account_snapshots.insert().values(
            id=head.id,
            connection_id=head.connection_id,
            state=SnapshotState.READING,
            taken_at=instant(head.taken_at),
            rendered_since=instant(head.rendered_since),
            rendered_until=instant(head.rendered_until),
            time_zone=head.time_zone,
            sections=sections_to_json(head.sections),
            progress=dict(progress),
        )
    )


def insert_whole_snapshot(tx: Transaction, snapshot: AccountSnapshot) -> None:
    """Store a snapshot that is complete already."""
    head = SnapshotHead(
        id=snapshot.id,
        connection_id=snapshot.connection_id,
        taken_at=snapshot.taken_at,
        rendered_since=snapshot.rendered_since,
        rendered_until=snapshot.rendered_until,
        time_zone=snapshot.time_zone,
        sections=snapshot.sections,
    )
    insert_snapshot(tx, head, {})
    upsert_parts(tx, snapshot.connection_id, snapshot.id, encode_snapshot(snapshot))
    mark_complete(tx, snapshot.id, snapshot.sections, snapshot.time_zone, snapshot.taken_at)


def get_snapshot(tx: Transaction, snapshot_id: str) -> StoredSnapshot | None:
    row = tx.execute(SNAPSHOTS.where(account_snapshots.c.id == snapshot_id)).one_or_none()
    return snapshot_from_row(row) if row else None


def get_unfinished(tx: Transaction, connection_id: str) -> StoredSnapshot | None:
    """Return the connection's newest snapshot that is still being read."""
    query = SNAPSHOTS.where(
        account_snapshots.c.connection_id == connection_id,
        account_snapshots.c.state == SnapshotState.READING,
    )
    row = tx.execute(query.order_by(account_snapshots.c.taken_at.desc()).limit(1)).one_or_none()
    return snapshot_from_row(row) if row else None


def get_latest_complete(tx: Transaction, connection_id: str) -> StoredSnapshot | None:
    query = SNAPSHOTS.where(
        account_snapshots.c.connection_id == connection_id,
        account_snapshots.c.state == SnapshotState.COMPLETE,
    )
    newest = query.order_by(account_snapshots.c.taken_at.desc(), account_snapshots.c.id.desc())
    row = tx.execute(newest.limit(1)).one_or_none()
    return snapshot_from_row(row) if row else None


def list_services_declared_on(tx: Transaction, connection_id: str, since: int) -> tuple[ServiceKey, ...]:
    """Return the services of dependencies that were declared here since then (epoch seconds, UTC)."""
    query = sa.select(tool_calls.c.arguments).where(
        tool_calls.c.connection_id == connection_id,
        tool_calls.c.tool == "add_service_dependency",
        tool_calls.c.state == "done",
        tool_calls.c.finished_at > instant(since),
    )
    ends = {
        ServiceKey(ServiceKind(f"{arguments.get(f'{end}_kind', 'technical')}_service"), service_id)
        for arguments in tx.execute(query).scalars()
        for end in ("supporting", "dependent")
        # Old calls have no contents.
        if isinstance(service_id := arguments.get(f"{end}_service_id"), str)
    }
    return tuple(sorted(ends))


def update_progress(tx: Transaction, snapshot_id: str, progress: Mapping[str, Any], requests: int) -> None:
    """Store how far the reading is. `requests` is the number of all its requests so far."""
    row = account_snapshots.c.id == snapshot_id
    tx.execute(sa.update(account_snapshots).where(row).values(progress=dict(progress), requests=requests))


def mark_complete(
    tx: Transaction, snapshot_id: str, sections: Sequence[Section], time_zone: str | None, finished_at: int
) -> None:
    values: dict[str, Any] = {
        "state": SnapshotState.COMPLETE,
        "sections": sections_to_json(sections),
        "time_zone": time_zone,
        "finished_at": instant(finished_at),
    }
    tx.execute(sa.update(account_snapshots).where(account_snapshots.c.id == snapshot_id).values(**values))


def upsert_parts(tx: Transaction, connection_id: str, snapshot_id: str, parts: Iterable[EncodedPart]) -> None:
    """Write parts, in place of earlier parts of the same chunks."""
    for part in parts:
        row = {"connection_id": connection_id, "digest": part.digest, "data": part.data}
        tx.execute(insert_or_ignore(tx, snapshot_blobs), row)
        _upsert_part(tx, connection_id, snapshot_id, StoredPart(part.section, part.chunk, part.digest))


def copy_parts(tx: Transaction, connection_id: str, snapshot_id: str, parts: Iterable[StoredPart]) -> None:
    """Let the snapshot have parts of an earlier one."""
    for part in parts:
        _upsert_part(tx, connection_id, snapshot_id, part)


def _upsert_part(tx: Transaction, connection_id: str, snapshot_id: str, part: StoredPart) -> None:
    row = {
        "snapshot_id": snapshot_id,
        "section": part.section,
        "chunk": part.chunk,
        "connection_id": connection_id,
        "digest": part.digest,
    }
    tx.execute(upsert(tx, snapshot_parts), [row])


def list_parts(tx: Transaction, snapshot_id: str) -> tuple[StoredPart, ...]:
    query = sa.select(snapshot_parts.c.section, snapshot_parts.c.chunk, snapshot_parts.c.digest)
    query = query.where(snapshot_parts.c.snapshot_id == snapshot_id)
    query = query.order_by(snapshot_parts.c.section, snapshot_parts.c.chunk)
    return tuple(StoredPart(SectionName(row.section), row.chunk, row.digest) for row in tx.execute(query))


def get_blobs(tx: Transaction, connection_id: str, digests: Collection[str]) -> dict[str, bytes]:
    """Return the compressed JSON by digest."""
    wanted = sorted(set(digests))
    found: dict[str, bytes] = {}
    for start in range(0, len(wanted), BATCH_SIZE):
        query = sa.select(snapshot_blobs.c.digest, snapshot_blobs.c.data).where(
            snapshot_blobs.c.connection_id == connection_id,
            snapshot_blobs.c.digest.in_(wanted[start : start + BATCH_SIZE]),
        )
        found |= {row.digest: row.data for row in tx.execute(query)}
    return found


def delete_parts(tx: Transaction, snapshot_id: str, section: SectionName, chunks: Sequence[str]) -> None:
    """Delete chunks of a section, with their content if no other part has it."""
    for start in range(0, len(chunks), BATCH_SIZE):
        of_chunks = sa.and_(
            snapshot_parts.c.snapshot_id == snapshot_id,
            snapshot_parts.c.section == section,
            snapshot_parts.c.chunk.in_(chunks[start : start + BATCH_SIZE]),
        )
        _delete_parts_where(tx, of_chunks)


def list_ages(tx: Transaction) -> tuple[SnapshotAge, ...]:
    """Return what decides how long each snapshot of a connection in use is kept."""
    query = sa.select(
        account_snapshots.c.id,
        account_snapshots.c.connection_id,
        account_snapshots.c.taken_at,
        account_snapshots.c.state,
    ).join(connections, connections.c.id == account_snapshots.c.connection_id)
    return tuple(
        SnapshotAge(row.id, row.connection_id, row.taken_at, row.state == SnapshotState.COMPLETE)
        for row in tx.execute(query.where(connections.c.removed_at.is_(None)))
    )


def list_of_removed_connections(tx: Transaction) -> tuple[str, ...]:
    """Return the ids of the snapshots whose connection was removed."""
    query = sa.select(account_snapshots.c.id).join(
        connections, connections.c.id == account_snapshots.c.connection_id
    )
    removed = query.where(connections.c.removed_at.is_not(None)).order_by(account_snapshots.c.id)
    return tuple(tx.execute(removed).scalars())


def delete_snapshots(tx: Transaction, snapshot_ids: Sequence[str]) -> int:
    """Delete snapshots with their parts, and the content that no other snapshot has."""
    for start in range(0, len(snapshot_ids), BATCH_SIZE):
        ids = snapshot_ids[start : start + BATCH_SIZE]
        _delete_parts_where(tx, snapshot_parts.c.snapshot_id.in_(ids))
        tx.execute(sa.delete(account_snapshots).where(account_snapshots.c.id.in_(ids)))
    return len(snapshot_ids)


def _delete_parts_where(tx: Transaction, condition: sa.ColumnElement[bool]) -> None:
    query = sa.select(snapshot_parts.c.connection_id, snapshot_parts.c.digest).where(condition).distinct()
    contents = tx.execute(query).all()
    tx.execute(sa.delete(snapshot_parts).where(condition))
    for connection_id, digest in contents:
        is_used = sa.exists().where(
            snapshot_parts.c.connection_id == connection_id, snapshot_parts.c.digest == digest
        )
        tx.execute(
            sa.delete(snapshot_blobs).where(
                snapshot_blobs.c.connection_id == connection_id, snapshot_blobs.c.digest == digest, ~is_used
            )
        )
