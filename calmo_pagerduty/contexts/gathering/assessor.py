"""Assessing an incident in a thread: what was gathered in, findings out."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING

from cachetools import LRUCache

from calmo_pagerduty.contexts.account.incident_history import AccountPasts
from calmo_pagerduty.contexts.analysis.surroundings import Surroundings
from calmo_pagerduty.contexts.gathering.assessment_input import Material, read_material, surroundings
from calmo_pagerduty.contexts.model import Assessment
from calmo_pagerduty.contexts.store import Part
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef

if TYPE_CHECKING:
    from calmo_pagerduty.contexts.analysis.title_index import TitleIndex

#: Of how many connections what was computed for titles is kept.
MOST_INDEXES = 20


class Assessor:
    """One per worker process: titles of a connection's past are made ready once. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pasts = AccountPasts(database)
        self._indexes: LRUCache[str, TitleIndex] = LRUCache(MOST_INDEXES)
        #: One assessment at a time: it is all CPU, and the next one uses what this one learns.
        self._turn = asyncio.Lock()

    async def assess(self, ref: IncidentRef, version: int, now: datetime) -> Assessment:
        """Return what is concluded from what the sources of this version brought."""
        account = await self._pasts.of(ref.connection_id)
        material = await self._database.read(lambda t: read_material(t, ref, version, now, account))
        async with self._turn:
            return await asyncio.to_thread(self._assess, material)

    async def alike(
        self, ref: IncidentRef, version: int, now: datetime, history: Part, at_most: int
    ) -> Sequence[str]:
        """Return past incidents that are most like this one and whose logs were never read.

        `history` is what that source brings, which isn't kept yet.
        """
        account = await self._pasts.of(ref.connection_id)
        material = await self._database.read(lambda t: read_material(t, ref, version, now, account, history))
        unread = {id_ for id_, incident in account.incidents.items() if incident.is_unread}
        async with self._turn:
            found = await asyncio.to_thread(self._alike, material)
        return [incident_id for incident_id in found if incident_id in unread][:at_most]

    def _assess(self, material: Material) -> Assessment:
        around = surroundings(material)
        found: Assessment = _analysis().assess(around, self._index(material.ref.connection_id, around))
        return found

    def _alike(self, material: Material) -> list[str]:
        around = surroundings(material)
        ids: list[str] = _analysis().most_alike(around, self._index(material.ref.connection_id, around))
        return ids

    def _index(self, connection_id: str, around: Surroundings) -> "TitleIndex":
        known = self._indexes.get(connection_id) or _analysis().TitleIndex()
        index = known.including([incident.title for incident in around.past])
        self._indexes[connection_id] = index
        return index


def _analysis() -> ModuleType:
    # numpy, scipy and networkx take a third of a second to import, which a worker that is started after a
    # crash has not: its incidents go on within three seconds. So the first assessment waits for them.
    from calmo_pagerduty.contexts.analysis import assessment  # noqa: PLC0415 - a slow import

    return assessment
