"""The examination of a connection's webhooks as its workflow sees it."""

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
    """Raises ApplicationError for what is to be tried again, StoreUnavailable."""

    def __init__(self, service: DoctorService) -> None:
        self._service = service

    @activity.defn
    async def examine_webhooks(self, order: ConnectionToExamine) -> ExaminationSummary:
        """Look, and keep what was found."""
        async with heartbeating():
            with retried():
                return await self._service.examine(order)

    @activity.defn
    async def enable_subscriptions(self, order: SubscriptionsToEnable) -> bool:
        """Switch them on again if the rules still allow it. Returns whether it was done."""
        async with heartbeating():
            with retried() as attempt:
                return await self._service.enable(order, attempt)
