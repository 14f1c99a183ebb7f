"""Gather one source of an incident's context. A failure degrades this source only, with a reason."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.background_client import BackgroundClient, half_share_pace
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.account.cache import REFUSED, AccountCache
from calmo_pagerduty.contexts.gathering import (
    account_sources,
    change_source,
    dependency_source,
    history_source,
    incident_sources,
    local_sources,
)
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.source import SourceJob, SourceReader, SourceResult
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import AccessDenied, NotInPlan, PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait

logger = logging.getLogger(__name__)

SOURCE_READERS: Mapping[Source, SourceReader] = {
    **incident_sources.SOURCE_READERS,
    **account_sources.SOURCE_READERS,
    **dependency_source.SOURCE_READERS,
    **change_source.SOURCE_READERS,
    **history_source.SOURCE_READERS,
}
#: How long a request waits for a permit of the rate limit. After that it fails, and Temporal retries.
PERMIT_TIMEOUT = timedelta(seconds=5)


#: Called with the number of requests of all attempts together.
RequestCountReporter = Callable[[int], None]


class SourceToGather(FrozenModel):
    """The source to read. `service_id` and `policy_id` are the incident's; None if unknown."""

    ref: IncidentRef
    version: int
    source: Source
    service_id: str | None = None
    policy_id: str | None = None
    #: True if the incident itself was read.
    knows_incident: bool = True


class SourceOutcome(FrozenModel):
    """The outcome in figures. The data and the reason are in our database, not in Temporal's history."""

    state: SourceState
    count: int = 0
    requests: int = 0
    seconds: float = 0.0
    #: The backfill should read the rest.
    wants_more: bool = False
    service_id: str | None = None
    policy_id: str | None = None


class ContextSourceService:
    """Reads sources, each within its own timeout, and stores their parts."""

    def __init__(self, database: Database, accounts: PagerDutyClients, assessor: Assessor) -> None:
        self._database = database
        self._accounts = accounts
        self._assessor = assessor
        self.cache = AccountCache(database)

    async def source_client(self, connection: Connection) -> BackgroundClient:
        """Return a client for this connection, within the contexts' share of the rate limit.

        Raises InvalidRequest.
        """
        pace = half_share_pace(connection)
        return BackgroundClient(await self._accounts.client(connection, PERMIT_TIMEOUT, pace))

    async def gather(
        self,
        order: SourceToGather,
        began: datetime,
        earlier_requests: int,
        number: int,
        report_requests: RequestCountReporter,
    ) -> SourceOutcome:
        """Read one source and store its part.

        `began` is the start of the first attempt (UTC), `earlier_requests` the number of requests in earlier
        attempts, `number` that of this attempt, from 1. Raises ConnectionRemoved, StoreUnavailable, and,
        after a call of `report_requests`, PagerDutyError if the source is worth another attempt.
        """
        attempt = _Attempt(order, began, earlier_requests)
        try:
            async with asyncio.timeout(attempt.seconds_left):
                result = await self._read_source(attempt)
        except PagerDutyError as error:
            wait = retry_wait(error, number)
            if wait is not None and attempt.has_time_for(wait):
                report_requests(attempt.requests)
                raise
            result = _refused_result(error)
            if isinstance(error, NotInPlan):
                await self._cache_refusal(order)
        except TimeoutError:
            seconds = int(SOURCES[order.source].timeout.total_seconds())
            result = SourceResult(
                None, 0, SourceState.UNAVAILABLE, f"PagerDuty did not answer within {seconds} seconds"
            )
        except (StoreUnavailable, ConnectionRemoved):
            raise
        # Each source reads other JSON, so a bug may raise anything. It degrades this source, which the
        # document names, and the other sources still count.
        except Exception as error:
            # Log the type only: the message may hold people's texts.
            details = {"source": order.source.value, "error": type(error).__name__}
            logger.error("source_not_gathered", extra=details)
            result = SourceResult(
                None, 0, SourceState.UNAVAILABLE, f"a fault of ours: {type(error).__name__}"
            )
        return await self._save_part(attempt, result)

    async def _read_source(self, attempt: "_Attempt") -> SourceResult:
        order = attempt.order
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, order.ref.connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        now = datetime.now(UTC)
        if connection.token_kind is None:
            return await local_sources.read_from_issues(order.source, self._database, order.ref, now)
        if await self._is_cached_refusal(order):
            return SourceResult(None, 0, SourceState.NOT_IN_PLAN, "the PagerDuty account's plan lacks it")
        attempt.client = await self.source_client(connection)
        return await SOURCE_READERS[order.source](
            SourceJob(
                ref=order.ref,
                version=order.version,
                now=now,
                client=attempt.client,
                cache=self.cache,
                database=self._database,
                assessor=self._assessor,
                service_id=order.service_id,
                policy_id=order.policy_id,
                knows_incident=order.knows_incident,
            )
        )

    async def _save_part(self, attempt: "_Attempt", result: SourceResult) -> SourceOutcome:
        order, now = attempt.order, datetime.now(UTC)
        part = ContextPart(
            order.source,
            result.state,
            result.reason,
            result.count,
            attempt.requests,
            round((now - attempt.began).total_seconds(), 3),
            now,
            result.data,
        )
        await self._database.write(lambda t: contexts.upsert_part(t, order.ref, order.version, part))
        return SourceOutcome(
            state=part.state,
            count=part.count,
            requests=part.requests,
            seconds=part.seconds,
            wants_more=result.wants_more,
            service_id=result.service_id,
            policy_id=result.policy_id,
        )

    async def _is_cached_refusal(self, order: SourceToGather) -> bool:
        row = await self.cache.get_stale(order.ref.connection_id, REFUSED, order.source)
        return row is not None and datetime.now(UTC) - row.fetched_at < REFUSED.ttl

    async def _cache_refusal(self, order: SourceToGather) -> None:
        await self.cache.put(order.ref.connection_id, REFUSED, {}, order.source)


@dataclass(slots=True)
class _Attempt:
    """One attempt to read a source. `began` is the start of the first attempt."""

    order: SourceToGather
    began: datetime
    earlier_requests: int
    client: BackgroundClient | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds until the source's timeout."""
        return (self.began + SOURCES[self.order.source].timeout - datetime.now(UTC)).total_seconds()

    @property
    def requests(self) -> int:
        return self.earlier_requests + (self.client.requests if self.client else 0)

    def has_time_for(self, wait: timedelta) -> bool:
        return self.seconds_left > wait.total_seconds()


def _refused_result(error: PagerDutyError) -> SourceResult:
    match error:
        case NotInPlan():
            state = SourceState.NOT_IN_PLAN
        case AccessDenied():
            state = SourceState.FORBIDDEN
        case _:
            state = SourceState.UNAVAILABLE
    return SourceResult(None, 0, state, str(error))
