"""Read an account's past, a piece at a time: incidents, changes, and what depends on what."""

from datetime import UTC, datetime

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.contexts import account_cache_store as account_memory
from calmo_pagerduty.contexts.account import cache as kinds
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incremental_feed import AccountSpans, Growing
from calmo_pagerduty.contexts.account.requests import Reading
from calmo_pagerduty.contexts.gathering.account_sources import business_services, services
from calmo_pagerduty.contexts.gathering.assessor import Assessor
from calmo_pagerduty.contexts.gathering.change_source import CHANGES
from calmo_pagerduty.contexts.gathering.dependency_source import ask, is_old, remembered
from calmo_pagerduty.contexts.gathering.history_source import INCIDENTS
from calmo_pagerduty.contexts.gathering.source import Gathering
from calmo_pagerduty.contexts.gathering.source_service import ContextSources
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError, Refused
from calmo_pagerduty.pagerduty.retries import retry_wait

#: How many requests of each kind are made in a step: one that is broken off loses no more.
AT_ONCE = 40


class MemoryToRead(FrozenModel):
    connection_id: str


class MemoryStep(FrozenModel):
    """What is known now, in figures."""

    is_whole: bool = False
    #: PagerDuty doesn't let us, or there is nobody to ask as.
    is_refused: bool = False
    requests: int = 0
    incidents: int = 0
    changes: int = 0
    services: int = 0


class AccountRemembering:
    """The steps of a background reading, at the pace that contexts keep."""

    def __init__(self, database: Database, sources: ContextSources, assessor: Assessor) -> None:
        self._database = database
        self._sources = sources
        self._assessor = assessor

    async def step(self, connection_id: str, attempt: int) -> MemoryStep:
        """Read a piece. `attempt` counts from 1.

        Raises PagerDutyError for what is to be tried again, StoreUnavailable.
        """
        connection = await self._database.read(lambda t: connections.find(t, EVERYTHING, connection_id))
        if connection is None or connection.token_kind is None:
            return MemoryStep(is_refused=True)
        try:
            reading = await self._sources.reading(connection)
            whole = [
                await self._grown(INCIDENTS, connection_id, reading),
                await self._grown(CHANGES, connection_id, reading),
                await self._dependencies(connection_id, reading),
            ]
        except PagerDutyError as error:
            if retry_wait(error, attempt) is not None:
                raise
            return MemoryStep(is_refused=True)
        return await self._counted(connection_id, all(whole), reading.requests)

    async def _grown(self, kind: Growing, connection_id: str, reading: Reading) -> bool:
        spans = AccountSpans(self._database, self._sources.memory, connection_id)
        try:
            span = await spans.caught_up(kind, reading, AT_ONCE)
        except Refused:
            return True  # there is nothing more to be had
        return span is None or span.is_whole

    async def _dependencies(self, connection_id: str, reading: Reading) -> bool:
        """Ask some of the services of which nothing is known, or something old."""
        gathering = Gathering(
            ref=IncidentRef(connection_id=connection_id, incident_id=""), version=0, now=datetime.now(UTC),
            reading=reading, memory=self._sources.memory, database=self._database, assessor=self._assessor,
        )  # fmt: skip
        try:
            known = [await services(gathering), await business_services(gathering)]
            kept, hidden = await remembered(self._database, connection_id)
            nodes = [
                (node.kind.value, node.id) for entry in known for node in facts.NODES.of(entry.data["nodes"])
            ]
            old = [node for node in nodes if is_old(node, kept, hidden)]
            await ask(gathering, old[:AT_ONCE])
        except Refused:
            return True
        return len(old) <= AT_ONCE

    async def _counted(self, connection_id: str, is_whole: bool, requests: int) -> MemoryStep:
        now = datetime.now(UTC)
        since, changed = now - INCIDENTS.reach, now - CHANGES.reach
        incidents, changes, kept = await self._database.read(
            lambda t: (
                account_memory.count_incidents(t, connection_id, since),
                account_memory.count_changes(t, connection_id, changed),
                len(account_memory.objects(t, connection_id, kinds.DEPENDENCIES.name)),
            )
        )
        return MemoryStep(
            is_whole=is_whole, requests=requests, incidents=incidents, changes=changes, services=kept
        )
