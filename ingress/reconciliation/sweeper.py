"""See to it that every connection is compared and examined in time, and count what that finds."""

import asyncio
import logging
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.reconciliation import reason_queries as healing_reasons
from calmo_pagerduty.reconciliation.reason_queries import MAX_WATERMARK_AGE, ReconciledConnection
from calmo_pagerduty.temporal.handle import TemporalHandle, TemporalUnavailable
from calmo_pagerduty.webhooks import examination_store as examinations
from ingress.metrics import Metrics
from ingress.reconciliation import schedules
from workflows.reconcile import ReconcileStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0


class ReconcileScheduler:
    """All of it may be done by several processes: schedules and runs are known by their ids."""

    def __init__(
        self, database: Database, metrics: Metrics, temporal: TemporalHandle, task_queue: str
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._temporal = temporal
        self._task_queue = task_queue
        self._kept: dict[str, ReconciledConnection] = {}
        self._knows_schedules = False
        self._known_off: set[str] = set()
        self._counted: int | None = None
        self._found = metrics.reconciled

    async def run(self) -> None:
        while True:
            try:
                await self.schedule_once()
            except (StoreUnavailable, TemporalUnavailable, RPCError) as error:
                logger.warning("keeping_health_failed", extra={"error": type(error).__name__})
            await asyncio.sleep(SWEEP_SECONDS)

    async def schedule_once(self) -> None:
        """Keep schedules, start what has a reason, count. Raises StoreUnavailable, TemporalUnavailable,
        RPCError.
        """
        await self._count()
        if not self._temporal.connected:
            return
        client = self._temporal.client
        found = await self._database.read(healing_reasons.list_reconciled_connections)
        for connection in found:
            await self._schedule(client, connection)
        await self._remove(client, {connection.connection_id for connection in found})

    async def _schedule(self, client: Client, connection: ReconciledConnection) -> None:
        known = self._kept.get(connection.connection_id)
        reason: str | None = None
        if known is None:
            await schedules.upsert_schedules(client, self._task_queue, connection)
            until = connection.reconciled_until
            if until is None or datetime.now(UTC) - until > MAX_WATERMARK_AGE:
                reason = "after a gap" if until else "for the first time"
        else:
            reason = await self._database.read(
                lambda t: healing_reasons.get_reconcile_reason(t, connection.connection_id)
            )
        if reason is not None:
            start = ReconcileStart(connection_id=connection.connection_id, reason=reason)
            await schedules.start_reconcile(client, self._task_queue, connection.scope, start)
        self._kept[connection.connection_id] = connection

    async def _remove(self, client: Client, wanted: set[str]) -> None:
        there = (
            set(self._kept) if self._knows_schedules else await schedules.list_scheduled_connections(client)
        )
        for connection_id in there - wanted:
            await schedules.delete_schedules(client, connection_id)
            self._kept.pop(connection_id, None)
        self._knows_schedules = True

    async def _count(self) -> None:
        off = await self._database.read(examinations.get_disabled_webhooks)
        for _ in set(off) - self._known_off:
            self._metrics.alarms.labels("subscription_disabled").inc()
        self._known_off = set(off)
        if self._counted is None:
            self._counted = await self._database.read(healing_reasons.get_latest_run_id)
        counted = self._counted
        figures = await self._database.read(lambda t: healing_reasons.get_run_totals_since(t, counted))
        for kind, count in figures.counts.items():
            self._found.labels(kind).inc(count)
        self._counted = figures.latest
