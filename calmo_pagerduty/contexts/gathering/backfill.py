"""Read an account's past step by step: incidents, changes and dependencies."""

from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.background_client import BackgroundClient
from calmo_pagerduty.contexts import account_cache_store as cache_store
from calmo_pagerduty.contexts.account import cache as cached_kinds, codec
from calmo_pagerduty.contexts.account.incremental_feed import FeedSync, IncrementalFeed
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

#: Requests of each kind per step. An interrupted step loses no more than these.
BATCH_SIZE = 40


class AccountToBackfill(FrozenModel):
    """The connection whose account is read."""

    connection_id: str


class BackfillStep(FrozenModel):
    """The result of a step: counts of what the account cache holds now."""

    is_whole: bool = False
    #: PagerDuty refuses, or the connection is gone or has no token.
    is_refused: bool = False
    requests: int = 0
    incidents: int = 0
    changes: int = 0
    services: int = 0


class AccountBackfillService:
    """Runs the steps of a backfill, within the contexts' share of the rate limit."""

    def __init__(self, database: Database, sources: ContextSourceService, assessor: Assessor) -> None:
        self._database = database
        self._sources = sources
        self._assessor = assessor

    async def step(self, connection_id: str, attempt: int) -> BackfillStep:
        """Run one step. `attempt` counts from 1.

        Raises StoreUnavailable, and PagerDutyError if the step is worth another attempt.
        """
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, connection_id)
        )
        if connection is None or connection.token_kind is None:
            return BackfillStep(is_refused=True)
        try:
            client = await self._sources.source_client(connection)
            whole = [
                await self._sync_feed(INCIDENTS, connection_id, client),
                await self._sync_feed(CHANGES, connection_id, client),
                await self._dependencies(connection_id, client),
            ]
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return BackfillStep(is_refused=True)
        return await self._step_counts(connection_id, all(whole), client.requests)

    async def _sync_feed(self, feed: IncrementalFeed, connection_id: str, client: BackgroundClient) -> bool:
        feed_sync = FeedSync(self._database, self._sources.cache, connection_id)
        try:
            synced = await feed_sync.sync(feed, client, BATCH_SIZE)
        except Refused:
            return True  # nothing more is readable
        return synced is None or synced.is_whole

    async def _dependencies(self, connection_id: str, client: BackgroundClient) -> bool:
        """Read the dependencies of some services where they are missing or stale."""
        job = SourceJob(
            ref=IncidentRef(connection_id=connection_id, incident_id=""),
            version=0,
            now=datetime.now(UTC),
            client=client,
            cache=self._sources.cache,
            database=self._database,
            assessor=self._assessor,
        )
        try:
            service_lists = [await services(job), await business_services(job)]
            cached, hidden = await get_cached_dependencies(self._database, connection_id)
            nodes = [
                (node.kind.value, node.id)
                for entry in service_lists
                for node in codec.NODES.from_json(entry.data["nodes"])
            ]
            missing = [node for node in nodes if needs_fetch(node, cached, hidden)]
            await fetch_dependencies(job, missing[:BATCH_SIZE])
        except Refused:
            return True
        return len(missing) <= BATCH_SIZE

    async def _step_counts(self, connection_id: str, is_whole: bool, requests: int) -> BackfillStep:
        now = datetime.now(UTC)
        since, changes_since = now - INCIDENTS.lookback, now - CHANGES.lookback
        incidents, changes, services = await self._database.read(
            lambda t: (
                cache_store.count_incidents(t, connection_id, since),
                cache_store.count_changes(t, connection_id, changes_since),
                len(cache_store.list_objects(t, connection_id, cached_kinds.DEPENDENCIES.name)),
            )
        )
        return BackfillStep(
            is_whole=is_whole, requests=requests, incidents=incidents, changes=changes, services=services
        )
