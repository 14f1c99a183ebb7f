"""Read an account's past, a piece at a time: incidents, changes, and what depends on what."""

from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import cache as kinds
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import FeedSync, IncrementalFeed
from calmo_pagerduty.contexts.account.requests import SourceClient
from calmo_pagerduty.contexts.gathering.account_sources import business_services, services
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.change_source import CHANGES
from calmo_pagerduty.contexts.gathering.dependency_source import (
    fetch_dependencies,
    get_cached_dependencies,
    needs_fetch,
)
from calmo_pagerduty.contexts.gathering.history_source import INCIDENTS
from calmo_pagerduty.contexts.gathering.source import SourceJob
from calmo_pagerduty.contexts.gathering.source_service import ContextSourceService
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError, Refused
from calmo_pagerduty.pagerduty.retries import retry_wait

#: How many requests of each kind are made in a step: one that is broken off loses no more.
BATCH_SIZE = 40


class AccountToBackfill(FrozenModel):
    connection_id: str


class BackfillStep(FrozenModel):
    """What is known now, in figures."""

    is_whole: bool = False
    #: PagerDuty doesn't let us, or there is nobody to ask as.
    is_refused: bool = False
    requests: int = 0
    incidents: int = 0
    changes: int = 0
    services: int = 0


class AccountBackfillService:
    """The steps of a background reading, at the pace that contexts keep."""

    def __init__(self, database: Database, sources: ContextSourceService, assessor: Assessor) -> None:
        self._database = database
        self._sources = sources
        self._assessor = assessor

    async def step(self, connection_id: str, attempt: int) -> BackfillStep:
        """Read a piece. `attempt` counts from 1.

        Raises PagerDutyError for what is to be tried again, StoreUnavailable.
        """
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, connection_id)
        )
        if connection is None or connection.token_kind is None:
            return BackfillStep(is_refused=True)
        try:
            reading = await self._sources.source_client(connection)
            whole = [
                await self._sync_feed(INCIDENTS, connection_id, reading),
                await self._sync_feed(CHANGES, connection_id, reading),
                await self._dependencies(connection_id, reading),
            ]
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return BackfillStep(is_refused=True)
        return await self._step_counts(connection_id, all(whole), reading.requests)

    async def _sync_feed(self, feed: IncrementalFeed, connection_id: str, client: SourceClient) -> bool:
        spans = FeedSync(self._database, self._sources.memory, connection_id)
        try:
            span = await spans.sync(feed, client, BATCH_SIZE)
        except Refused:
            return True  # there is nothing more to be had
        return span is None or span.is_whole

    async def _dependencies(self, connection_id: str, client: SourceClient) -> bool:
        """Ask some of the services of which nothing is known, or something old."""
        job = SourceJob(
            ref=IncidentRef(connection_id=connection_id, incident_id=""),
            version=0,
            now=datetime.now(UTC),
            client=client,
            cache=self._sources.memory,
            database=self._database,
            assessor=self._assessor,
        )
        try:
            known = [await services(job), await business_services(job)]
            kept, hidden = await get_cached_dependencies(self._database, connection_id)
            nodes = [
                (node.kind.value, node.id)
                for entry in known
                for node in facts.NODES.from_json(entry.data["nodes"])
            ]
            old = [node for node in nodes if needs_fetch(node, kept, hidden)]
            await fetch_dependencies(job, old[:BATCH_SIZE])
        except Refused:
            return True
        return len(old) <= BATCH_SIZE

    async def _step_counts(self, connection_id: str, is_whole: bool, requests: int) -> BackfillStep:
        now = datetime.now(UTC)
        since, changed = now - INCIDENTS.lookback, now - CHANGES.lookback
        incidents, changes, kept = await self._database.read(
            lambda t: (
                account_memory.count_incidents(t, connection_id, since),
                account_memory.count_changes(t, connection_id, changed),
                len(account_memory.list_objects(t, connection_id, kinds.DEPENDENCIES.name)),
            )
        )
        return BackfillStep(
            is_whole=is_whole, requests=requests, incidents=incidents, changes=changes, services=kept
        )
