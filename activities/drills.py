"""The activities of an escalation drill."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeats import heartbeating
from activities.retrying import REMOVED, retried
from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.escalation.drill_service import (
    BegunDrill,
    DrillHolder,
    DrillRef,
    DrillStepToFile,
    DrillToBegin,
    DrillToFinish,
    FinishedDrill,
    Sighting,
)


class DrillActivities:
    """Every activity is idempotent, and raises StoreUnavailable, or ApplicationError if the drill is gone."""

    def __init__(self, holder: DrillHolder) -> None:
        self._holder = holder

    @activity.defn
    async def begin_drill(self, order: DrillToBegin) -> BegunDrill:
        """Check that the drill may be held, and file the call that opens the incident."""
        return await self._holder.begin(order)

    @activity.defn
    async def file_drill_step(self, order: DrillStepToFile) -> BegunDrill:
        """File the call of a step, once."""
        try:
            return await self._holder.file_step(order)
        except ConnectionRemoved as removed:
            raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None

    @activity.defn
    async def mark_drill_opened(self, order: DrillRef) -> bool:
        """Save the incident that the call created. False if we know of none."""
        return await self._holder.mark_opened(order)

    @activity.defn
    async def mark_drill_step_done(self, order: DrillStepToFile) -> None:
        """Save when a step was done."""
        await self._holder.mark_step_done(order)

    @activity.defn
    async def look_at_drill(self, order: DrillRef) -> Sighting:
        """Look at the incident and its log."""
        async with heartbeating():
            with retried():
                return await self._holder.look(order)

    @activity.defn
    async def finish_drill(self, order: DrillToFinish) -> FinishedDrill:
        """Compare what PagerDuty did with the simulation, and save both."""
        async with heartbeating():
            with retried():
                return await self._holder.finish(order)
