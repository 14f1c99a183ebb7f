"""Keep the schedules of connections: those that somebody deleted, or that Temporal lost, come back."""

import time
from datetime import timedelta

from temporalio.client import Client

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.reconciliation.reason_queries import list_connection_ids
from calmo_pagerduty.temporal.client import ensure_search_attributes
from ingress.reconciliation import schedules
from ingress.reconciliation.schedules import ScheduledConnection, ScheduledWorkflow
from workflows import names

#: How often all schedules are looked at again, though this process made them.
KEEP_AGAIN = timedelta(minutes=10)


class KeptSchedules:
    """The schedules of certain workflows, for the connections that should have them.

    Another installation may use the same namespace: only schedules of connections that are in our own
    database are ever deleted.
    """

    def __init__(self, workflows: tuple[ScheduledWorkflow, ...], database: Database, task_queue: str) -> None:
        self._workflows = workflows
        self._database = database
        self._task_queue = task_queue
        #: When each connection's schedules were made or looked at last (monotonic).
        self._kept_at: dict[str, float] = {}
        self._listed_at: float | None = None

    async def keep(self, client: Client, connection: ScheduledConnection, zone: str | None = None) -> bool:
        """Make the connection's schedules, and what they need of the namespace, if it is time to. Return
        whether this process had not made them before.

        Raises RPCError, MissingSearchAttributes.
        """
        kept_at = self._kept_at.get(connection.connection_id)
        if kept_at is not None and not _is_due(kept_at):
            return False
        await ensure_search_attributes(client, names.SEARCH_ATTRIBUTES)
        await schedules.upsert_schedules(
            client, self._task_queue, connection, self._workflows, zone, replaces=kept_at is None
        )
        self._kept_at[connection.connection_id] = time.monotonic()
        return kept_at is None

    def forget(self, connection_id: str) -> None:
        """Let the next `keep` make the connection's schedules as if for the first time."""
        self._kept_at.pop(connection_id, None)

    async def remove_others(self, client: Client, wanted: set[str]) -> None:
        """Delete our other connections' schedules. Raises RPCError, StoreUnavailable."""
        scheduled = set(self._kept_at)
        if self._listed_at is None or _is_due(self._listed_at):
            listed = await schedules.list_scheduled_connections(client, self._workflows)
            scheduled |= await self._ours(listed)
            self._listed_at = time.monotonic()
        for connection_id in scheduled - wanted:
            await schedules.delete_schedules(client, connection_id, self._workflows)
            self.forget(connection_id)

    async def _ours(self, connection_ids: set[str]) -> set[str]:
        return connection_ids & await self._database.read(list_connection_ids)


def _is_due(since: float) -> bool:
    return time.monotonic() - since >= KEEP_AGAIN.total_seconds()
