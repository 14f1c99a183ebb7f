"""The doctor's activities."""

from temporalio import activity

from activities.heartbeats import heartbeating
from activities.retrying import retried
from calmo_pagerduty.webhooks.doctor_service import (
    ConnectionToExamine,
    DoctorService,
    ExaminationSummary,
    SubscriptionsToEnable,
)


class DoctorActivities:
    """Every activity raises StoreUnavailable, and ApplicationError, which says if Temporal retries."""

    def __init__(self, service: DoctorService) -> None:
        self._service = service

    @activity.defn
    async def examine_webhooks(self, order: ConnectionToExamine) -> ExaminationSummary:
        """Examine the connection's webhooks, and save the findings."""
        async with heartbeating():
            with retried():
                return await self._service.examine(order)

    @activity.defn
    async def enable_subscriptions(self, order: SubscriptionsToEnable) -> bool:
        """Enable the subscriptions if the rules still allow it. Returns True if they were enabled."""
        async with heartbeating():
            with retried() as attempt:
                return await self._service.enable(order, attempt)
