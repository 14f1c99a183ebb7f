"""Assess an incident in a thread."""

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

#: The number of connections whose title index stays in memory.
MAX_INDEXES = 20


class Assessor:
    """Assesses incidents and keeps each connection's title index; a worker process has a single instance.

    Every method raises StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._histories = IncidentHistoryCache(database)
        self._indexes: LRUCache[str, TitleIndex] = LRUCache(MAX_INDEXES)
        #: Assessments run one at a time: each is all CPU, and extends the index that the next uses.
        self._lock = asyncio.Lock()

    async def assess(self, ref: IncidentRef, version: int, now: datetime) -> Assessment:
        """Return the assessment of this version's parts."""
        account = await self._histories.get(ref.connection_id)
        records = await self._database.read(lambda t: read_assessment_records(t, ref, version, now, account))
        async with self._lock:
            return await asyncio.to_thread(self._assess, records)

    async def most_similar(
        self, ref: IncidentRef, version: int, now: datetime, history: ContextPart, at_most: int
    ) -> Sequence[str]:
        """Return the ids of the most similar past incidents whose logs were never read.

        `history` is the part of the source HISTORY, which isn't stored yet.
        """
        account = await self._histories.get(ref.connection_id)
        records = await self._database.read(
            lambda t: read_assessment_records(t, ref, version, now, account, history)
        )
        unread = {id_ for id_, incident in account.incidents.items() if incident.is_unread}
        async with self._lock:
            ids = await asyncio.to_thread(self._most_similar, records)
        return [incident_id for incident_id in ids if incident_id in unread][:at_most]

    def _assess(self, records: AssessmentRecords) -> Assessment:
        inputs = build_assessment_input(records)
        assessment: Assessment = _analysis().assess(inputs, self._index(records.ref.connection_id, inputs))
        return assessment

    def _most_similar(self, records: AssessmentRecords) -> list[str]:
        inputs = build_assessment_input(records)
        ids: list[str] = _analysis().most_similar_ids(inputs, self._index(records.ref.connection_id, inputs))
        return ids

    def _index(self, connection_id: str, inputs: AssessmentInput) -> "TitleIndex":
        cached = self._indexes.get(connection_id) or _analysis().TitleIndex()
        index = cached.with_titles([incident.title for incident in inputs.past])
        self._indexes[connection_id] = index
        return index


def _analysis() -> ModuleType:
    # numpy, scipy and networkx take a third of a second to import. A worker that restarts after a crash must
    # resume its incidents within three seconds, so the first assessment imports them.
    from calmo_pagerduty.contexts.analysis import assessment  # noqa: PLC0415 - imports numpy and scipy

    return assessment
