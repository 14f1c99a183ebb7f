"""Gather one source of an incident's context. What goes wrong is the source's own trouble, told in words."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.service import PagerDutyAccounts
from calmo_pagerduty.connections.store import Connection, ConnectionRemoved
from calmo_pagerduty.connections.throttle import Pace
from calmo_pagerduty.contexts import store as contexts
from calmo_pagerduty.contexts.account.cache import REFUSED, AccountMemory
from calmo_pagerduty.contexts.account.requests import Reading, pace_of
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
from calmo_pagerduty.contexts.gathering.source import Found, Gather, Gathering
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.contexts.store import Part
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import AccessDenied, NotInPlan, PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait

logger = logging.getLogger(__name__)

GATHERS: Mapping[Source, Gather] = {
    **incident.GATHERS,
    **account.GATHERS,
    **dependencies.GATHERS,
    **changes.GATHERS,
    **history.GATHERS,
}
#: How long a request waits for its turn at PagerDuty's limit before the engine waits instead.
TURN_PATIENCE = timedelta(seconds=5)


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


class ContextSources:
    """All sources, each with its own patience."""

    def __init__(self, database: Database, accounts: PagerDutyAccounts, assessor: Assessor) -> None:
        self._database = database
        self._accounts = accounts
        self._assessor = assessor
        self.memory = AccountMemory(database)
        self._paces: dict[tuple[str, int | None], Pace] = {}

    async def reading(self, connection: Connection) -> Reading:
        """Return what asks as this connection, at the pace of contexts. Raises InvalidRequest."""
        key = (connection.id, connection.requests_per_minute)
        pace = self._paces.get(key)
        if pace is None:
            pace = self._paces[key] = pace_of(connection)
        return Reading(await self._accounts.client(connection, TURN_PATIENCE, pace))

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
            async with asyncio.timeout(attempt.left):
                found = await self._ask(attempt)
        except PagerDutyError as error:
            wait = retry_wait(error, number)
            if wait is not None and attempt.has_time_for(wait):
                asked_so_far(attempt.requests)
                raise
            found = _refused(error)
            if isinstance(error, NotInPlan):
                await self._note_refusal(order)
        except TimeoutError:
            waited = int(SOURCES[order.source].patience.total_seconds())
            found = Found(
                None, 0, SourceState.UNAVAILABLE, f"PagerDuty did not answer within {waited} seconds"
            )
        except (StoreUnavailable, ConnectionRemoved):
            raise
        except Exception as error:  # any fault of ours with one source: the others' context stands
            # Its type alone is told: its message may hold people's texts.
            words = {"source": order.source.value, "error": type(error).__name__}
            logger.error("source_not_gathered", extra=words)
            found = Found(None, 0, SourceState.UNAVAILABLE, f"a fault of ours: {type(error).__name__}")
        return await self._keep(attempt, found)

    async def _ask(self, attempt: "_Attempt") -> Found:
        order = attempt.order
        connection = await self._database.read(
            lambda t: connections.find(t, EVERYTHING, order.ref.connection_id)
        )
        if connection is None:
            raise ConnectionRemoved("the connection was removed")
        now = datetime.now(UTC)
        if connection.token_kind is None:
            return await own_records.gather(order.source, self._database, order.ref, now)
        if await self._is_known_to_be_refused(order):
            return Found(None, 0, SourceState.NOT_IN_PLAN, "the PagerDuty account's plan lacks it")
        attempt.reading = await self.reading(connection)
        return await GATHERS[order.source](
            Gathering(
                ref=order.ref, version=order.version, now=now, reading=attempt.reading, memory=self.memory,
                database=self._database, assessor=self._assessor, service_id=order.service_id,
                policy_id=order.policy_id,
                knows_incident=order.knows_incident,
            )
        )  # fmt: skip

    async def _keep(self, attempt: "_Attempt", found: Found) -> SourceOutcome:
        order, now = attempt.order, datetime.now(UTC)
        part = Part(
            order.source, found.state, found.reason, found.count, attempt.requests,
            round((now - attempt.began).total_seconds(), 3), now, found.data,
        )  # fmt: skip
        await self._database.write(lambda t: contexts.note_part(t, order.ref, order.version, part))
        return SourceOutcome(
            state=part.state, count=part.count, requests=part.requests, seconds=part.seconds,
            wants_more=found.wants_more, service_id=found.service_id, policy_id=found.policy_id,
        )  # fmt: skip

    async def _is_known_to_be_refused(self, order: SourceToGather) -> bool:
        kept = await self.memory.remembered(order.ref.connection_id, REFUSED, order.source)
        return kept is not None and datetime.now(UTC) - kept.fetched_at < REFUSED.holds

    async def _note_refusal(self, order: SourceToGather) -> None:
        await self.memory.keep(order.ref.connection_id, REFUSED, {}, order.source)


@dataclass(slots=True)
class _Attempt:
    """One attempt at a source. `began` is when the first one did, `asked` what those before asked."""

    order: SourceToGather
    began: datetime
    asked: int
    reading: Reading | None = None

    @property
    def left(self) -> float:
        """Seconds of patience."""
        return (self.began + SOURCES[self.order.source].patience - datetime.now(UTC)).total_seconds()

    @property
    def requests(self) -> int:
        return self.asked + (self.reading.requests if self.reading else 0)

    def has_time_for(self, wait: timedelta) -> bool:
        return self.left > wait.total_seconds()


def _refused(error: PagerDutyError) -> Found:
    match error:
        case NotInPlan():
            state = SourceState.NOT_IN_PLAN
        case AccessDenied():
            state = SourceState.FORBIDDEN
        case _:
            state = SourceState.UNAVAILABLE
    return Found(None, 0, state, str(error))
