"""Gather one source of an incident's context. What goes wrong is the source's own trouble, told in words."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyClients
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import Pacer
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.account.cache import REFUSED, AccountCache
from calmo_pagerduty.contexts.account.requests import SourceClient, context_pacer
from calmo_pagerduty.contexts.gathering import (
    account_sources as account,
)
from calmo_pagerduty.contexts.gathering import (
    change_source as changes,
)
from calmo_pagerduty.contexts.gathering import (
    dependency_source as dependencies,
)
from calmo_pagerduty.contexts.gathering import (
    history_source as history,
)
from calmo_pagerduty.contexts.gathering import (
    incident_sources as incident,
)
from calmo_pagerduty.contexts.gathering import (
    local_sources as own_records,
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
    **incident.SOURCE_READERS,
    **account.SOURCE_READERS,
    **dependencies.SOURCE_READERS,
    **changes.SOURCE_READERS,
    **history.SOURCE_READERS,
}
#: How long a request waits for its turn at PagerDuty's limit before the engine waits instead.
PERMIT_TIMEOUT = timedelta(seconds=5)


#: Is told how many requests were made, all attempts together.
AskedSoFar = Callable[[int], None]


class SourceToGather(FrozenModel):
    """`service_id` and `policy_id` are the incident's, as far as they are known."""

    ref: IncidentRef
    version: int
    source: Source
    service_id: str | None = None
    policy_id: str | None = None
    #: Whether the incident itself could be read.
    knows_incident: bool = True


class SourceOutcome(FrozenModel):
    """How it went, in figures: what was found, and what is wrong in words, is in our database."""

    state: SourceState
    count: int = 0
    requests: int = 0
    seconds: float = 0.0
    #: A part is left to be read in the background.
    wants_more: bool = False
    service_id: str | None = None
    policy_id: str | None = None


class ContextSourceService:
    """All sources, each with its own patience."""

    def __init__(self, database: Database, accounts: PagerDutyClients, assessor: Assessor) -> None:
        self._database = database
        self._accounts = accounts
        self._assessor = assessor
        self.memory = AccountCache(database)
        self._paces: dict[tuple[str, int | None], Pacer] = {}

    async def source_client(self, connection: Connection) -> SourceClient:
        """Return what asks as this connection, at the pace of contexts. Raises InvalidRequest."""
        key = (connection.id, connection.requests_per_minute)
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = context_pacer(connection)
        return SourceClient(await self._accounts.client(connection, PERMIT_TIMEOUT, pace))

    async def gather(
        self, order: SourceToGather, began: datetime, asked: int, number: int, asked_so_far: AskedSoFar
    ) -> SourceOutcome:
        """Read one source and keep what it brings.

        `began` is when the first attempt did, `asked` how many requests those before made, `number` which
        attempt it is, from 1. Raises PagerDutyError for what is to be tried again, after it has told
        `asked_so_far` how many requests there were; ConnectionRemoved, StoreUnavailable.
        """
        attempt = _Attempt(order, began, asked)
        try:
            async with asyncio.timeout(attempt.seconds_left):
                found = await self._read_source(attempt)
        except PagerDutyError as error:
            wait = retry_wait(error, number)
            if wait is not None and attempt.has_time_for(wait):
                asked_so_far(attempt.requests)
                raise
            found = _refused_result(error)
            if isinstance(error, NotInPlan):
                await self._cache_refusal(order)
        except TimeoutError:
            waited = int(SOURCES[order.source].timeout.total_seconds())
            found = SourceResult(
                None, 0, SourceState.UNAVAILABLE, f"PagerDuty did not answer within {waited} seconds"
            )
        except (StoreUnavailable, ConnectionRemoved):
            raise
        except Exception as error:  # any fault of ours with one source: the others' context stands
            # Its type alone is told: its message may hold people's texts.
            words = {"source": order.source.value, "error": type(error).__name__}
            logger.error("source_not_gathered", extra=words)
            found = SourceResult(None, 0, SourceState.UNAVAILABLE, f"a fault of ours: {type(error).__name__}")
        return await self._save_part(attempt, found)

    async def _read_source(self, attempt: "_Attempt") -> SourceResult:
        order = attempt.order
        connection = await self._database.read(
            lambda t: connections.get_connection(t, EVERYTHING, order.ref.connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        now = datetime.now(UTC)
        if connection.token_kind is None:
            return await own_records.read_from_issues(order.source, self._database, order.ref, now)
        if await self._is_cached_refusal(order):
            return SourceResult(None, 0, SourceState.NOT_IN_PLAN, "the PagerDuty account's plan lacks it")
        attempt.reading = await self.source_client(connection)
        return await SOURCE_READERS[order.source](
            SourceJob(
                ref=order.ref,
                version=order.version,
                now=now,
                client=attempt.reading,
                cache=self.memory,
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
        kept = await self.memory.get_stale(order.ref.connection_id, REFUSED, order.source)
        return kept is not None and datetime.now(UTC) - kept.fetched_at < REFUSED.ttl

    async def _cache_refusal(self, order: SourceToGather) -> None:
        await self.memory.put(order.ref.connection_id, REFUSED, {}, order.source)


@dataclass(slots=True)
class _Attempt:
    """One attempt at a source. `began` is when the first one did, `asked` what those before asked."""

    order: SourceToGather
    began: datetime
    earlier_requests: int
    reading: SourceClient | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds of patience."""
        return (self.began + SOURCES[self.order.source].timeout - datetime.now(UTC)).total_seconds()

    @property
    def requests(self) -> int:
        return self.earlier_requests + (self.reading.requests if self.reading else 0)

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
