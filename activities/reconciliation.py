"""A comparison with PagerDuty as its workflow sees it."""

from temporalio import activity

from activities.heartbeats import beating
from activities.retrying import retried
from calmo_pagerduty.reconciliation.service import (
    ReconciliationService,
    RunBegun,
    RunToBegin,
    RunToFinish,
    Tally,
    WindowToHeal,
)


class Reconciler:
    """Each step may run again: what was added is found again. Raises StoreUnavailable."""

    def __init__(self, service: ReconciliationService) -> None:
        self._service = service

    @activity.defn
    async def begin_run(self, order: RunToBegin) -> RunBegun:
        """Say which time is to be compared."""
        return await self._service.begin(order)

    @activity.defn
    async def heal_window(self, order: WindowToHeal) -> Tally:
        """Make right what differs. Raises ApplicationError for what is to be tried again."""
        async with beating():
            with retried() as attempt:
                return await self._service.heal(order, attempt)

    @activity.defn
    async def finish_run(self, order: RunToFinish) -> None:
        """Keep the report; the watermark moves only if everything is right."""
        await self._service.finish(order)
