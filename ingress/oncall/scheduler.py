"""Keep each connection's schedule of on-call analyses, and start runs that have a reason."""

import asyncio
import logging
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.oncall import reason_queries as run_reasons
from calmo_pagerduty.oncall.reason_queries import FIRST_TIME, AnalysedConnection
from calmo_pagerduty.temporal.handle import TemporalHandle, TemporalUnavailable
from ingress.reconciliation import schedules
from workflows.oncall_analysis import OnCallStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 20.0


class OnCallScheduler:
    """Several processes may schedule, because schedules and runs have fixed ids."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue
        self._scheduled: set[str] = set()
        self._has_listed_schedules = False

    async def run(self) -> None:
        while True:
            try:
                await self.schedule_once()
            except (StoreUnavailable, TemporalUnavailable, RPCError) as error:
                logger.warning("scheduling_oncall_failed", extra={"error": type(error).__name__})
            await asyncio.sleep(SWEEP_SECONDS)

    async def schedule_once(self) -> None:
        """Update the schedules, and start runs that have a reason.

        Raises StoreUnavailable, TemporalUnavailable, RPCError.
        """
        if not self._temporal.connected:
            return
        client = self._temporal.client
        analysed = await self._database.read(run_reasons.list_analysed_connections)
        for connection in analysed:
            await self._schedule(client, connection)
        await self._remove(client, {connection.connection_id for connection in analysed})

    async def _schedule(self, client: Client, connection: AnalysedConnection) -> None:
        connection_id = connection.connection_id
        if connection_id not in self._scheduled:
            await schedules.upsert_schedules(client, self._task_queue, connection, schedules.ONCALL)
        now = datetime.now(UTC)
        reason = await self._database.read(lambda t: run_reasons.get_run_reason(t, connection_id, now))
        if reason is not None:
            start = OnCallStart(connection_id=connection_id, reason=reason, is_fresh=reason != FIRST_TIME)
            await schedules.start_oncall(client, self._task_queue, connection.scope, start)
        self._scheduled.add(connection_id)

    async def _remove(self, client: Client, analysed: set[str]) -> None:
        scheduled = (
            set(self._scheduled)
            if self._has_listed_schedules
            else await schedules.list_scheduled_connections(client, schedules.ONCALL)
        )
        for connection_id in scheduled - analysed:
            await schedules.delete_schedules(client, connection_id, schedules.ONCALL)
            self._scheduled.discard(connection_id)
        self._has_listed_schedules = True
