"""Give each connection whose account was analysed the schedule of its weekly digest."""

import asyncio
import logging

from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.findings import queries
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.temporal.handle import TemporalHandle, TemporalUnavailable
from ingress.findings import digest_schedules
from ingress.findings.digest_schedules import DigestTime

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0


class DigestScheduler:
    """Several processes may schedule, because a schedule has a fixed id and is made once."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue
        self._scheduled: set[str] = set()

    async def run(self) -> None:
        """Look for connections without a schedule, again and again, until cancelled."""
        while True:
            try:
                await self.schedule_once()
            except (StoreUnavailable, TemporalUnavailable, RPCError) as error:
                logger.warning("digests_not_scheduled", extra={"error": type(error).__name__})
            await asyncio.sleep(SWEEP_SECONDS)

    async def schedule_once(self) -> None:
        """Raises StoreUnavailable, TemporalUnavailable, RPCError."""
        if not self._temporal.connected:
            return
        analysed = await self._database.read(queries.list_analysed_connections)
        for connection in analysed:
            if connection.id not in self._scheduled:
                # PagerDuty may name a zone as Rails does; Temporal knows IANA's names only.
                zone = time_zone(connection.time_zone)
                time = DigestTime() if zone is None else DigestTime(time_zone=zone.key)
                await digest_schedules.create_schedule(
                    self._temporal.client, self._task_queue, connection.id, connection.scope, time
                )
                self._scheduled.add(connection.id)
        for gone in self._scheduled - {connection.id for connection in analysed}:
            await digest_schedules.delete_schedule(self._temporal.client, gone)
            self._scheduled.discard(gone)
