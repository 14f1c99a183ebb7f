"""A comparison with PagerDuty as its workflow sees it."""

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
    """Each step may run again: what was added is found again. Raises StoreUnavailable."""

    def __init__(self, service: ReconciliationService) -> None:
        self._service = service

    @activity.defn
    async def begin_run(self, order: RunToStart) -> StartedRun:
        """Say which time is to be compared."""
        return await self._service.begin(order)

    @activity.defn(name="heal_window")
    async def reconcile_window(self, order: WindowToReconcile) -> Tally:
        """Make right what differs. Raises ApplicationError for what is to be tried again."""
        async with heartbeating():
            with retried() as attempt:
                return await self._service.reconcile(order, attempt)

    @activity.defn
    async def finish_run(self, order: RunToFinish) -> None:
        """Keep the report; the watermark moves only if everything is right."""
        await self._service.finish(order)
