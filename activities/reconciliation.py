"""The activities of a reconciliation."""

from temporalio import activity

from activities.heartbeats import heartbeating
from activities.retrying import retried
from calmo_pagerduty.reconciliation.service import (
    ReconciliationService,
    RunToFinish,
    RunToStart,
    StartedRun,
    Tally,
    WindowToReconcile,
)


class ReconcileActivities:
    """Every activity is idempotent, and raises StoreUnavailable."""

    def __init__(self, service: ReconciliationService) -> None:
        self._service = service

    @activity.defn
    async def begin_run(self, order: RunToStart) -> StartedRun:
        """Insert a run and return the time span to compare."""
        return await self._service.begin(order)

    @activity.defn(name="heal_window")
    async def reconcile_window(self, order: WindowToReconcile) -> Tally:
        """Repair the drift in a window. Raises ApplicationError, which says if Temporal retries."""
        async with heartbeating():
            with retried() as attempt:
                return await self._service.reconcile(order, attempt)

    @activity.defn
    async def finish_run(self, order: RunToFinish) -> None:
        """Save the report; move the watermark only if all was compared."""
        await self._service.finish(order)
