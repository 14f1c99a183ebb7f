"""Assessing an incident in a thread: what was gathered in, findings out."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING

from cachetools import LRUCache

from calmo_pagerduty.contexts.account.incident_history import IncidentHistoryCache
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput
from calmo_pagerduty.contexts.gathering.assessment_input import (
    AssessmentRecords,
    build_assessment_input,
    read_assessment_records,
)
from calmo_pagerduty.contexts.model import Assessment
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef

if TYPE_CHECKING:
    from calmo_pagerduty.contexts.analysis.title_index import TitleIndex

#: Of how many connections what was computed for titles is kept.
MAX_INDEXES = 20


class Assessor:
    """One per worker process: titles of a connection's past are made ready once. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pasts = IncidentHistoryCache(database)
        self._indexes: LRUCache[str, TitleIndex] = LRUCache(MAX_INDEXES)
        #: One assessment at a time: it is all CPU, and the next one uses what this one learns.
        self._turn = asyncio.Lock()

    async def assess(self, ref: IncidentRef, version: int, now: datetime) -> Assessment:
        """Return what is concluded from what the sources of this version brought."""
        account = await self._pasts.get(ref.connection_id)
        records = await self._database.read(lambda t: read_assessment_records(t, ref, version, now, account))
        async with self._turn:
            return await asyncio.to_thread(self._assess, records)

    async def most_similar(
        self, ref: IncidentRef, version: int, now: datetime, history: ContextPart, at_most: int
    ) -> Sequence[str]:
        """Return past incidents that are most like this one and whose logs were never read.

        `history` is what that source brings, which isn't kept yet.
        """
        account = await self._pasts.get(ref.connection_id)
        records = await self._database.read(
            lambda t: read_assessment_records(t, ref, version, now, account, history)
        )
        unread = {id_ for id_, incident in account.incidents.items() if incident.is_unread}
        async with self._turn:
            found = await asyncio.to_thread(self._most_similar, records)
        return [incident_id for incident_id in found if incident_id in unread][:at_most]

    def _assess(self, records: AssessmentRecords) -> Assessment:
        inputs = build_assessment_input(records)
        found: Assessment = _analysis().assess(inputs, self._index(records.ref.connection_id, inputs))
        return found

    def _most_similar(self, records: AssessmentRecords) -> list[str]:
        inputs = build_assessment_input(records)
        ids: list[str] = _analysis().most_similar_ids(inputs, self._index(records.ref.connection_id, inputs))
        return ids

    def _index(self, connection_id: str, inputs: AssessmentInput) -> "TitleIndex":
        known = self._indexes.get(connection_id) or _analysis().TitleIndex()
        index = known.with_titles([incident.title for incident in inputs.past])
        self._indexes[connection_id] = index
        return index


def _analysis() -> ModuleType:
    # numpy, scipy and networkx take a third of a second to import, which a worker that is started after a
    # crash has not: its incidents go on within three seconds. So the first assessment waits for them.
    from calmo_pagerduty.contexts.analysis import assessment  # noqa: PLC0415 - a slow import

    return assessment
