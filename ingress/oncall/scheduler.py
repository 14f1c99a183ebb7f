"""Keep each connection's schedules of on-call analyses and digests, and start runs that have a reason."""

import asyncio
import logging
from datetime import UTC, datetime

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.findings import queries as findings
from calmo_pagerduty.oncall import reason_queries as run_reasons
from calmo_pagerduty.oncall.reason_queries import FIRST_TIME, AnalysedConnection
from calmo_pagerduty.temporal.handle import TemporalHandle, TemporalUnavailable
from ingress.reconciliation import schedules
from ingress.reconciliation.schedules import ScheduledWorkflow
from workflows.oncall_analysis import OnCallStart

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 20.0


class OnCallScheduler:
    """Several processes may schedule, because schedules and runs have fixed ids."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue
        self._analyses = KeptSchedules(schedules.ONCALL)
        self._digests = KeptSchedules(schedules.DIGEST)

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
            if not self._analyses.has(connection.connection_id):
                await schedules.upsert_schedules(client, self._task_queue, connection, schedules.ONCALL)
            await self._start(client, connection)
            self._analyses.add(connection.connection_id)
        await self._analyses.remove_others(client, {connection.connection_id for connection in analysed})
        await self._schedule_digests(client)

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
            if not self._digests.has(connection.connection_id):
                await schedules.upsert_schedules(
                    client, self._task_queue, connection, schedules.DIGEST, connection.time_zone
                )
                self._digests.add(connection.connection_id)
        await self._digests.remove_others(client, {connection.connection_id for connection in told})


class KeptSchedules:
    """Which connections have schedules of certain workflows, as far as this process knows."""

    def __init__(self, workflows: tuple[ScheduledWorkflow, ...]) -> None:
        self._workflows = workflows
        self._connection_ids: set[str] = set()
        self._has_listed = False

    def has(self, connection_id: str) -> bool:
        return connection_id in self._connection_ids

    def add(self, connection_id: str) -> None:
        self._connection_ids.add(connection_id)

    async def remove_others(self, client: Client, connection_ids: set[str]) -> None:
        """Delete the schedules of all connections but these. Raises RPCError."""
        scheduled = (
            set(self._connection_ids)
            if self._has_listed
            else await schedules.list_scheduled_connections(client, self._workflows)
        )
        for connection_id in scheduled - connection_ids:
            await schedules.delete_schedules(client, connection_id, self._workflows)
            self._connection_ids.discard(connection_id)
        self._has_listed = True
