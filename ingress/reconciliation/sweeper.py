"""Keep each connection's schedules, start reconciliations that have a reason, and count their results."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.reconciliation import reason_queries as reconcile_reasons
from calmo_pagerduty.reconciliation.reason_queries import MAX_WATERMARK_AGE, ReconciledConnection
from calmo_pagerduty.temporal.client import MissingSearchAttributes
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.webhooks import examination_store as examinations
from ingress.metrics import Metrics
from ingress.reconciliation import schedules
from ingress.reconciliation.kept_schedules import KeptSchedules
from workflows.reconcile import ReconcileStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0


class ReconcileScheduler:
    """Several processes may schedule, because schedules and runs have fixed ids; the leading one counts."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        temporal: TemporalHandle,
        task_queue: str,
        leading: Callable[[], bool],
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._temporal = temporal
        self._task_queue = task_queue
        self._leading = leading
        self._schedules = KeptSchedules(schedules.HEALTH, database, task_queue)
        self._disabled: set[str] = set()
        self._last_run_id: int | None = None
        self._reconciled = metrics.reconciled

    async def run(self) -> None:
        """Keep the connections' Temporal schedules as they should be, until cancelled."""
        while True:
            try:
                await self.schedule_once()
            except (StoreUnavailable, TemporalUnavailable, MissingSearchAttributes, RPCError) as error:
                logger.warning("keeping_health_failed", extra={"error": type(error).__name__})
            await asyncio.sleep(SWEEP_SECONDS)

    async def schedule_once(self) -> None:
        """Update the metrics and schedules, and start reconciliations that have a reason.

        Raises StoreUnavailable, TemporalUnavailable, MissingSearchAttributes, RPCError.
        """
        await self._count()
        reconciled = await self._database.read(reconcile_reasons.list_reconciled_connections)
        now = datetime.now(UTC)
        ages = [(now - connection.as_of).total_seconds() for connection in reconciled]
        self._metrics.reconciled_age.set(max(ages, default=0.0))
        if not self._temporal.connected:
            return
        client = self._temporal.client
        for connection in reconciled:
            await self._schedule(client, connection)
        await self._schedules.remove_others(client, {connection.connection_id for connection in reconciled})

    async def _schedule(self, client: Client, connection: ReconciledConnection) -> None:
        reason: str | None = None
        if await self._schedules.keep(client, connection):
            until = connection.reconciled_until
            if until is None or datetime.now(UTC) - until > MAX_WATERMARK_AGE:
                reason = "after a gap" if until else "for the first time"
        else:
            reason = await self._database.read(
                lambda t: reconcile_reasons.get_reconcile_reason(t, connection.connection_id)
            )
        if reason is not None:
            start = ReconcileStart(connection_id=connection.connection_id, reason=reason)
            try:
                await schedules.start_reconcile(client, self._task_queue, connection.scope, start)
            except TemporalUnavailable:
                self._schedules.forget(connection.connection_id)
                raise

    async def _count(self) -> None:
        disabled = await self._database.read(examinations.get_disabled_webhooks)
        counts = self._leading()
        if counts:
            self._metrics.alarms.labels("subscription_disabled").inc(len(set(disabled) - self._disabled))
        self._disabled = set(disabled)
        if self._last_run_id is None:
            self._last_run_id = await self._database.read(reconcile_reasons.get_latest_run_id)
        last_run_id = self._last_run_id
        totals = await self._database.read(lambda t: reconcile_reasons.get_run_totals_since(t, last_run_id))
        for kind, count in totals.counts.items() if counts else ():
            self._reconciled.labels(kind).inc(count)
        self._last_run_id = totals.latest
