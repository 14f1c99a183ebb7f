"""Keep each connection's schedules of on-call analyses and digests, and start runs that have a reason."""

import asyncio
import logging
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.findings import queries as findings
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.oncall import reason_queries as run_reasons
from calmo_pagerduty.oncall.reason_queries import FIRST_TIME, AnalysedConnection
from calmo_pagerduty.temporal.client import MissingSearchAttributes
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.reconciliation import schedules
from ingress.reconciliation.kept_schedules import KeptSchedules
from ingress.reports.report_schedules import REPORTS
from workflows.oncall_analysis import OnCallStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 20.0


class OnCallScheduler:
    """Several processes may schedule, because schedules and runs have fixed ids."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue
        self._analyses = KeptSchedules(schedules.ONCALL, database, task_queue)
        self._digests = KeptSchedules(schedules.DIGEST, database, task_queue)
        self._reports = KeptSchedules(REPORTS, database, task_queue)

    async def run(self) -> None:
        while True:
            try:
                await self.schedule_once()
            except (StoreUnavailable, TemporalUnavailable, MissingSearchAttributes, RPCError) as error:
                logger.warning("scheduling_oncall_failed", extra={"error": type(error).__name__})
            await asyncio.sleep(SWEEP_SECONDS)

    async def schedule_once(self) -> None:
        """Update the schedules, and start runs that have a reason.

        Raises StoreUnavailable, TemporalUnavailable, MissingSearchAttributes, RPCError.
        """
        if not self._temporal.connected:
            return
        client = self._temporal.client
        analysed = await self._database.read(run_reasons.list_analysed_connections)
        for connection in analysed:
            await self._analyses.keep(client, connection)
            await self._start(client, connection)
        await self._analyses.remove_others(client, {connection.connection_id for connection in analysed})
        await self._schedule_digests(client)
        # People make the schedules of reports. What is left of removed connections ends with them.
        live = await self._database.read(lambda t: connections.list_connections(t, EVERYTHING))
        await self._reports.remove_others(client, {connection.id for connection in live})

    async def _start(self, client: Client, connection: AnalysedConnection) -> None:
        """Start a run if there is a reason."""
        connection_id, now = connection.connection_id, datetime.now(UTC)
        reason = await self._database.read(lambda t: run_reasons.get_run_reason(t, connection_id, now))
        if reason is not None:
            start = OnCallStart(connection_id=connection_id, reason=reason, is_fresh=reason != FIRST_TIME)
            await schedules.start_oncall(client, self._task_queue, connection.scope, start)

    async def _schedule_digests(self, client: Client) -> None:
        """Give each connection whose account was analysed its weekly digest, also without a token now."""
        told = await self._database.read(findings.list_analysed_connections)
        for connection in told:
            await self._digests.keep(client, connection, connection.time_zone)
        await self._digests.remove_others(client, {connection.connection_id for connection in told})
