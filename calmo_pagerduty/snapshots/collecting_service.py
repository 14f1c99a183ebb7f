"""Takes snapshots step by step. A step reads some dozens of pages and saves them, so that any other process
may go on after it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.background_client import BackgroundClient, half_share_pace
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.drill_marker_store import list_all_drill_incidents
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.snapshots import store
from calmo_pagerduty.snapshots.assembly import assemble
from calmo_pagerduty.snapshots.codec import (
    EncodedPart,
    SnapshotHead,
    decode_chunk,
    decode_snapshot,
    encode_chunk,
    encode_snapshot,
)
from calmo_pagerduty.snapshots.continuing import ContinueSchedule
from calmo_pagerduty.snapshots.model import AccountSnapshot, Section, SectionName, SectionState
from calmo_pagerduty.snapshots.page_reading_service import USING_BASE, StepReader
from calmo_pagerduty.snapshots.reading import (
    DEPENDENCIES_OF,
    Base,
    ReadingProgress,
    ReadKind,
    ReadTimes,
    add_ids,
    base_of,
    plan_reading,
    rendered_window,
)
from calmo_pagerduty.snapshots.requests import Window
from calmo_pagerduty.snapshots.rows import SnapshotState, StoredSnapshot

#: A reading that was left alone for longer is begun anew: its parts would be of different times.
MAX_READING_AGE = timedelta(hours=6)
#: How long a request waits for its turn within the connection's share of the rate limit.
PERMIT_TIMEOUT = timedelta(seconds=60)
#: Chunks of unfinished snapshots: what a step has read.
STEP_PREFIX = "~"


class SnapshotToTake(FrozenModel):
    """`is_fresh`: the account was changed, so nothing of its configuration is taken over unread."""

    connection_id: str
    is_fresh: bool = False


class SnapshotProgress(FrozenModel):
    """How far a snapshot is, in figures: the tasks of its reading grow while lists are read."""

    snapshot_id: str
    taken_at: int = 0
    is_read: bool = False
    requests: int = 0
    tasks: int = 0
    tasks_done: int = 0


class TakenSnapshot(FrozenModel):
    """A complete snapshot in figures. `incomplete` names the sections that aren't complete."""

    snapshot_id: str
    taken_at: int
    requests: int
    counts: dict[SectionName, int]
    incomplete: dict[SectionName, SectionState]


class SnapshotCollector:
    """Begins, continues and finishes snapshots. Every method raises StoreUnavailable, ConnectionRemoved."""

    def __init__(
        self, database: Database, accounts: PagerDutyClients, continue_schedule: ContinueSchedule
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._continue_schedule = continue_schedule

    async def begin(self, order: SnapshotToTake) -> SnapshotProgress:
        """Begin a snapshot, or continue the one that was begun some time ago."""
        now = datetime.now(UTC)
        connection = await self._connection(order.connection_id)
        return await self._database.write(lambda t: _begin(t, connection.id, order.is_fresh, now))

    async def step(self, snapshot_id: str) -> SnapshotProgress:
        """Read and save some dozens of pages.

        Raises PagerDutyError: what was read before it is saved. A retry may help, or else the token is
        refused.
        """
        stored, progress = await self._stored(snapshot_id)
        if progress.is_done:
            return _progress(stored.head, progress)
        connection = await self._connection(stored.head.connection_id)
        client = await self._client(connection)
        before = await self._before(progress)
        window = Window(stored.head.rendered_since, stored.head.rendered_until)
        reader = StepReader(client, progress, window, stored.head.taken_at, before, self._continue_schedule)
        trouble: PagerDutyError | None = None
        try:
            await reader.read()
        except PagerDutyError as error:
            trouble = error
        saved = reader.progress
        chunk = f"{STEP_PREFIX}{saved.steps:05}"
        parts = tuple(encode_chunk(section, chunk, items) for section, items in reader.items.items())
        await self._database.write(lambda t: _save_step(t, stored.head, parts, saved))
        if trouble is not None:
            raise trouble
        return _progress(stored.head, saved)

    async def finish(self, snapshot_id: str) -> TakenSnapshot:
        """Put the snapshot together, once it is read. Repeating it changes nothing."""
        stored, progress = await self._stored(snapshot_id)
        if stored.state is SnapshotState.COMPLETE:
            return _taken(stored.head.sections, stored.head, stored.requests)
        snapshot = await asyncio.to_thread(self._assemble, stored, progress)
        parts = await asyncio.to_thread(encode_snapshot, snapshot)
        now = int(datetime.now(UTC).timestamp())
        await self._database.write(lambda t: _finish(t, snapshot, parts, progress, now))
        return _taken(snapshot.sections, stored.head, progress.requests)

    async def _connection(self, connection_id: str) -> Connection:
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        return connection

    async def _client(self, connection: Connection) -> BackgroundClient:
        pace = half_share_pace(connection)
        return BackgroundClient(await self._accounts.client(connection, PERMIT_TIMEOUT, pace))

    async def _stored(self, snapshot_id: str) -> tuple[StoredSnapshot, ReadingProgress]:
        stored = await self._database.read(lambda t: store.get_snapshot(t, snapshot_id))
        if stored is None:
            raise ConnectionRemoved("the snapshot was deleted")
        return stored, ReadingProgress.model_validate(stored.progress or {})

    async def _before(self, progress: ReadingProgress) -> AccountSnapshot | None:
        """Return the configuration of the snapshot before: its log and incidents are of no use to a step."""
        if all(task.is_done or task.kind not in USING_BASE for task in progress.tasks):
            return None
        return await asyncio.to_thread(self._load_base, progress, True)

    def _load_base(self, progress: ReadingProgress, configuration_only: bool) -> AccountSnapshot | None:
        base_id = progress.base_id
        if base_id is None:
            return None
        past = (SectionName.INCIDENTS, SectionName.LOG_ENTRIES)

        def read(tx: Transaction) -> AccountSnapshot:
            stored = store.get_snapshot(tx, base_id)
            if stored is None:
                raise ConnectionRemoved("the snapshot before was deleted")
            parts = store.list_parts(tx, base_id)
            if configuration_only:
                parts = tuple(part for part in parts if part.section not in past)
            blobs = store.get_blobs(tx, stored.head.connection_id, [part.digest for part in parts])
            return decode_snapshot(stored.head, parts, blobs)

        return self._database.read_blocking(read)

    def _assemble(self, stored: StoredSnapshot, progress: ReadingProgress) -> AccountSnapshot:
        head = stored.head

        def read(tx: Transaction) -> tuple[Mapping[SectionName, list[Any]], frozenset[str]]:
            parts = [part for part in store.list_parts(tx, head.id) if part.chunk.startswith(STEP_PREFIX)]
            blobs = store.get_blobs(tx, head.connection_id, [part.digest for part in parts])
            items: dict[SectionName, list[Any]] = {}
            for part in sorted(parts, key=lambda part: part.chunk):
                items.setdefault(part.section, []).extend(decode_chunk(part.section, blobs[part.digest]))
            return items, list_all_drill_incidents(tx, head.connection_id)

        items, drills = self._database.read_blocking(read)
        return assemble(head, progress, items, self._load_base(progress, False), drills)


def _begin(tx: Transaction, connection_id: str, is_fresh: bool, at: datetime) -> SnapshotProgress:
    unfinished = store.get_unfinished(tx, connection_id)
    now = int(at.timestamp())
    if unfinished is not None:
        is_young = now - unfinished.head.taken_at < MAX_READING_AGE.total_seconds()
        if is_young and not is_fresh:
            return _progress(unfinished.head, ReadingProgress.model_validate(unfinished.progress or {}))
        store.delete_snapshots(tx, [unfinished.head.id])
    base, services = _base(tx, connection_id)
    progress = plan_reading(now, base, is_fresh)
    if SectionName.SERVICES in progress.reused:
        if SectionName.STANDARDS not in progress.reused:
            progress = add_ids(progress, ReadKind.STANDARDS, services)
        if SectionName.DEPENDENCIES not in progress.reused:
            progress = add_ids(progress, ReadKind.TECHNICAL_DEPENDENCIES, services)
    if base is not None and SectionName.DEPENDENCIES not in progress.reused:
        for service in store.list_services_declared_on(tx, connection_id, base.taken_at):
            progress = add_ids(progress, DEPENDENCIES_OF[service.kind], (service.id,))
    since, until = rendered_window(now, base, is_fresh)
    head = SnapshotHead(store.new_snapshot_id(), connection_id, now, since, until, None, ())
    store.insert_snapshot(tx, head, progress.model_dump(mode="json"))
    return _progress(head, progress)


def _base(tx: Transaction, connection_id: str) -> tuple[Base | None, tuple[str, ...]]:
    """Return the newest complete snapshot as a base, and the ids of its services."""
    latest = store.get_latest_complete(tx, connection_id)
    if latest is None:
        return None, ()
    parts = [part for part in store.list_parts(tx, latest.head.id) if part.section is SectionName.SERVICES]
    blobs = store.get_blobs(tx, connection_id, [part.digest for part in parts])
    services = (service.id for part in parts for service in decode_chunk(part.section, blobs[part.digest]))
    times = ReadTimes.model_validate((latest.progress or {}).get("times") or {})
    return base_of(latest.head, times), tuple(services)


def _save_step(
    tx: Transaction, head: SnapshotHead, parts: tuple[EncodedPart, ...], progress: ReadingProgress
) -> None:
    store.upsert_parts(tx, head.connection_id, head.id, parts)
    store.update_progress(tx, head.id, progress.model_dump(mode="json"), progress.requests)


def _finish(
    tx: Transaction,
    snapshot: AccountSnapshot,
    parts: tuple[EncodedPart, ...],
    progress: ReadingProgress,
    now: int,
) -> None:
    stored = store.list_parts(tx, snapshot.id)
    store.upsert_parts(tx, snapshot.connection_id, snapshot.id, parts)
    for section in SectionName:
        steps = [
            part.chunk for part in stored if part.section is section and part.chunk.startswith(STEP_PREFIX)
        ]
        store.delete_parts(tx, snapshot.id, section, steps)
    store.update_progress(
        tx, snapshot.id, {"times": progress.times.model_dump(mode="json")}, progress.requests
    )
    store.mark_complete(tx, snapshot.id, snapshot.sections, snapshot.time_zone, now)


def _taken(sections: Sequence[Section], head: SnapshotHead, requests: int) -> TakenSnapshot:
    return TakenSnapshot(
        snapshot_id=head.id,
        taken_at=head.taken_at,
        requests=requests,
        counts={section.name: section.count for section in sections},
        incomplete={
            section.name: section.state for section in sections if section.state is not SectionState.COMPLETE
        },
    )


def _progress(head: SnapshotHead, progress: ReadingProgress) -> SnapshotProgress:
    return SnapshotProgress(
        snapshot_id=head.id,
        taken_at=head.taken_at,
        is_read=progress.is_done,
        requests=progress.requests,
        tasks=len(progress.tasks),
        tasks_done=progress.tasks_done,
    )
