"""Loads stored snapshots for analyses and reports, with the absences that are stored now."""

import asyncio
from dataclasses import replace
from datetime import datetime

from cachetools import LRUCache

from calmo_pagerduty.absences import store as absences
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.instants import format_instant
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.snapshots import queries, store
from calmo_pagerduty.snapshots.codec import EncodedSnapshot, decode_snapshot
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.snapshots.rows import SnapshotState, StoredSnapshot

#: Decoded snapshots in memory. A large account's takes some 100 MB.
MAX_SNAPSHOTS = 3


class SnapshotNotFound(ExplainedError):
    """There is no snapshot (as old as that), or the caller may not see it. The message says what to do."""


class SnapshotUnreadable(ExplainedError):
    """The stored snapshot is damaged, or another version wrote it. The message says what to do."""


class SnapshotReader:
    """Loads snapshots; a process has a single instance. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._decoded: LRUCache[str, AccountSnapshot] = LRUCache(MAX_SNAPSHOTS)
        self._lock = asyncio.Lock()

    async def get(
        self, visibility: Visibility, connection_id: str, as_of: datetime | None = None
    ) -> AccountSnapshot:
        """Return the newest snapshot, taken at or before `as_of` (UTC) if it is given.

        Raises SnapshotNotFound, SnapshotUnreadable.
        """
        stored = await self._database.read(
            lambda t: queries.get_latest_snapshot(t, visibility, connection_id, as_of), visibility
        )
        if stored is None:
            raise SnapshotNotFound(_no_snapshot(connection_id, as_of))
        return await self._load(stored)

    async def get_by_id(self, visibility: Visibility, snapshot_id: str) -> AccountSnapshot:
        """Return a complete snapshot. Raises SnapshotNotFound, SnapshotUnreadable."""
        stored = await self._database.read(
            lambda t: queries.get_snapshot(t, visibility, snapshot_id), visibility
        )
        if stored is None or stored.state is not SnapshotState.COMPLETE:
            raise SnapshotNotFound(f"there is no complete snapshot {snapshot_id[:60]!r}")
        return await self._load(stored)

    async def get_encoded(self, snapshot_id: str) -> EncodedSnapshot:
        """Return a complete snapshot as it is stored, for another process. Raises SnapshotNotFound."""

        def read(tx: Transaction) -> EncodedSnapshot:
            stored = store.get_snapshot(tx, snapshot_id)
            if stored is None or stored.state is not SnapshotState.COMPLETE:
                raise SnapshotNotFound(f"there is no complete snapshot {snapshot_id[:60]!r}")
            parts = store.list_parts(tx, snapshot_id)
            blobs = store.get_blobs(tx, stored.head.connection_id, [part.digest for part in parts])
            away = absences.list_absences(tx, stored.head.connection_id)
            return EncodedSnapshot(stored.head, parts, tuple(sorted(blobs.items())), away)

        return await self._database.read(read)

    async def list_snapshots(
        self, visibility: Visibility, connection_id: str, limit: int = 100
    ) -> tuple[StoredSnapshot, ...]:
        """Return a connection's snapshots, newest first, without their contents."""
        return await self._database.read(
            lambda t: queries.list_snapshots(t, visibility, connection_id, limit), visibility
        )

    async def _load(self, stored: StoredSnapshot) -> AccountSnapshot:
        # Decoding takes a second for a large account: concurrent readers share it.
        async with self._lock:
            snapshot = self._decoded.get(stored.head.id)
            if snapshot is None:
                snapshot = await asyncio.to_thread(self._load_blocking, stored)
                self._decoded[stored.head.id] = snapshot
        away = await self._database.read(lambda t: absences.list_absences(t, stored.head.connection_id))
        return replace(snapshot, absences=away)

    def _load_blocking(self, stored: StoredSnapshot) -> AccountSnapshot:
        head = stored.head

        def read(tx: Transaction) -> AccountSnapshot:
            if store.get_snapshot(tx, head.id) is None:  # deleted meanwhile, and its parts with it
                raise SnapshotNotFound(_no_snapshot(head.connection_id, None))
            parts = store.list_parts(tx, head.id)
            blobs = store.get_blobs(tx, head.connection_id, [part.digest for part in parts])
            return decode_snapshot(head, parts, blobs)

        try:
            return self._database.read_blocking(read)
        except (ValueError, KeyError) as error:
            raise SnapshotUnreadable(
                f"the snapshot {head.id} can't be read by this version: {_advice(head.connection_id)}"
            ) from error


def _no_snapshot(connection_id: str, as_of: datetime | None) -> str:
    when = f" of {format_instant(as_of)} or before" if as_of else ""
    return f"the connection {connection_id[:60]!r} has no snapshot{when}; {_advice(connection_id)}"


def _advice(connection_id: str) -> str:
    return f"take a snapshot: calmo-pagerduty oncall run --connection {connection_id[:60]}"
