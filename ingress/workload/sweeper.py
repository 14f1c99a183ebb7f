"""Start a workflow for each rough night, and let requests for cover expire."""

import asyncio
import logging
from datetime import UTC, datetime

from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.workload import store
from calmo_pagerduty.workload.cover_service import CoverService
from workflows import names
from workflows.rough_night import RoughNightStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 300.0


class RoughNightSweeper:
    """Several processes may sweep: a night has one workflow, whose id is computed from it."""

    def __init__(
        self, database: Database, covers: CoverService, temporal: TemporalHandle, task_queue: str
    ) -> None:
        self._database = database
        self._covers = covers
        self._temporal = temporal
        self._task_queue = task_queue

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once(datetime.now(UTC))
            except (StoreUnavailable, TemporalUnavailable, RPCError) as error:
                logger.warning("rough_nights_not_swept", extra={"error": type(error).__name__})

    async def sweep_once(self, now: datetime) -> int:
        """Start the workflows of new rough nights and return their number.

        Raises StoreUnavailable, TemporalUnavailable, RPCError.
        """
        await self._covers.expire_due(now)
        if not self._temporal.connected:
            return 0
        started = 0
        for connection_id, scope in await self._database.read(store.list_connections):
            for night, ask_at in await self._covers.find_rough_nights(connection_id, now):
                at = datetime.fromtimestamp(ask_at, UTC)
                start = RoughNightStart(connection_id=connection_id, night=night, ask_at=at)
                started += await self._start(start, scope)
        return started

    async def _start(self, start: RoughNightStart, scope: str) -> bool:
        attributes = TypedSearchAttributes(
            [
                SearchAttributePair(names.CONNECTION, start.connection_id),
                SearchAttributePair(names.SCOPE, scope),
            ]
        )
        try:
            await self._temporal.client.start_workflow(
                names.ROUGH_NIGHT_WORKFLOW,
                start,
                id=names.rough_night_workflow_id(start.night),
                task_queue=self._task_queue,
                # A night that was handled is not handled again.
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                static_summary=f"cover after a rough night, {start.connection_id}",
                search_attributes=attributes,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True
