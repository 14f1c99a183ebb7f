"""Delete expired secrets, subscriptions that were replaced or left over, and interrupted tests."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import (
    evidence_store as webhook_evidence,
    management_store as webhook_management,
)
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from ingress.webhooks.end_to_end_check import remove_test_incident
from ingress.webhooks.subscriber import Subscriber

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 300.0
#: No test takes longer than this.
MAX_TEST_AGE = timedelta(minutes=2)


class WebhookSweeper:
    """Cleans up webhooks. Several processes may sweep, because each deletion may happen twice."""

    def __init__(self, database: Database, subscriber: Subscriber, temporal: TemporalHandle) -> None:
        self._database = database
        self._subscriber = subscriber
        self._temporal = temporal

    async def run(self) -> None:
        """Delete replaced subscriptions, expired secrets and leftover tests, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self.sweep_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("keeping_webhooks_failed", extra={"error": str(error)})

    async def sweep_once(self, now: datetime) -> None:
        """Delete what is due at `now` (UTC). Raises StoreUnavailable."""
        for webhook in await self._database.read(
            lambda t: webhook_management.list_webhooks_to_sweep(t, EVERYTHING, now)
        ):
            try:
                await self._sweep(webhook, now)
            except (PagerDutyError, CannotDecrypt) as error:
                logger.warning(
                    "subscription_not_ended", extra={"webhook": webhook.handle, "error": type(error).__name__}
                )
        for ref in await self._database.read(
            lambda t: webhook_evidence.list_leftover_tests(t, now - MAX_TEST_AGE)
        ):
            await remove_test_incident(self._database, self._temporal, ref)

    async def _sweep(self, webhook: ManagedWebhook, now: datetime) -> None:
        if webhook.deleted_at is not None:
            await self._subscriber.delete_subscriptions(webhook)
            await self._database.write(lambda t: webhook_management.delete_secrets(t, webhook.id))
        elif webhook.managed:
            await self._subscriber.delete_replaced_subscriptions(webhook)
        await self._database.write(lambda t: webhook_management.delete_expired_secrets(t, webhook.id, now))
