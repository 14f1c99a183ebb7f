"""The activities of a scheduled report."""

from temporalio import activity

from activities.heartbeats import heartbeating
from calmo_pagerduty.reports.delivery_service import (
    ReportDelivered,
    ReportDeliveryService,
    ReportKept,
    ReportToDeliver,
    ReportToMake,
)


class ReportActivities:
    """Every activity raises StoreUnavailable. Texts stay in the database: results hold ids and outcomes."""

    def __init__(self, service: ReportDeliveryService) -> None:
        self._service = service

    @activity.defn
    async def keep_report(self, order: ReportToMake) -> ReportKept:
        """Make a report and keep it, once. Raises SnapshotUnreadable."""
        async with heartbeating():
            return await self._service.keep(order)

    @activity.defn
    async def deliver_report(self, order: ReportToDeliver) -> ReportDelivered:
        """Send a kept report to the connection's address, and log the attempt."""
        async with heartbeating():
            return await self._service.deliver(order)
