"""The activities of a request for cover after a rough night."""

from temporalio import activity

from calmo_pagerduty.workload.cover_service import (
    CoverAdvanced,
    CoverProposed,
    CoverService,
    CoverToAdvance,
    NightToCover,
)


class CoverActivities:
    """Every activity is idempotent, and raises StoreUnavailable."""

    def __init__(self, service: CoverService) -> None:
        self._service = service

    @activity.defn
    async def propose_cover(self, order: NightToCover) -> CoverProposed:
        """Ask the least loaded eligible person, once. Raises SnapshotNotFound, SnapshotUnreadable."""
        return await self._service.propose(order)

    @activity.defn
    async def advance_cover(self, order: CoverToAdvance) -> CoverAdvanced:
        """Ask the next person too, or let the request expire."""
        return await self._service.advance(order)
