"""End drills that should have ended: a drill's incident never outlives its deadline for long."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.escalation import drill_store as drills
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.escalation.drill_starting import start_drill
from workflows.escalation_drill import DrillStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 60.0
#: A drill's own workflow ends it before this, after the deadline.
OVERDUE_AFTER = timedelta(minutes=5)
#: A call that waits for an approval expires after a day.
NEVER_OPENED_AFTER = timedelta(hours=26)


class DrillSweeper:
    """Starts a workflow that ends each overdue drill. Several processes may sweep: its id is fixed."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue

    async def run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once(datetime.now(UTC))
            except (StoreUnavailable, TemporalUnavailable) as error:
                logger.warning("ending_drills_failed", extra={"error": type(error).__name__})

    async def sweep_once(self, now: datetime) -> int:
        """End overdue drills and return their number. Raises StoreUnavailable, TemporalUnavailable."""
        if not self._temporal.connected:
            return 0
        overdue = await self._database.read(
            lambda tx: [
                (drill, connections.get_connection(tx, EVERYTHING, drill.connection_id))
                for drill in drills.list_overdue_drills(tx, now - OVERDUE_AFTER, now - NEVER_OPENED_AFTER)
            ]
        )
        ended = 0
        for drill, connection in overdue:
            if connection is None:
                continue
            start = DrillStart(connection_id=connection.id, service_id=drill.service_id, ends=drill.id)
            await start_drill(self._temporal.client, self._task_queue, str(connection.scope), start)
            ended += 1
        return ended
