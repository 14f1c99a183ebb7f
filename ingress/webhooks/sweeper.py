"""Tidies up after webhooks: expired secrets, replaced and left subscriptions, tests that were cut off."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.encryption import CannotDecrypt
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from ingress.webhooks.end_to_end_test import end_test
from ingress.webhooks.subscriber import Subscriber

logger = logging.getLogger(__name__)

LOOK_SECONDS = 300.0
#: Longer than any test lasts.
TEST_IS_OVER_AFTER = timedelta(minutes=2)


class WebhookKeeper:
    """Whatever it does may be done twice, so several processes may keep."""

    def __init__(self, database: Database, subscriber: Subscriber, temporal: TemporalHandle) -> None:
        self._database = database
        self._subscriber = subscriber
        self._temporal = temporal

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look_once(datetime.now(UTC))
            except StoreUnavailable as error:
                logger.warning("keeping_webhooks_failed", extra={"error": str(error)})

    async def look_once(self, now: datetime) -> None:
        """Tidy up what is due at this moment (UTC). Raises StoreUnavailable."""
        for webhook in await self._database.read(
            lambda t: webhook_management.list_to_tidy(t, EVERYTHING, now)
        ):
            try:
                await self._tidy(webhook, now)
            except (PagerDutyError, CannotDecrypt) as error:
                logger.warning(
                    "subscription_not_ended", extra={"webhook": webhook.handle, "error": type(error).__name__}
                )
        for ref in await self._database.read(
            lambda t: webhook_evidence.left_tests(t, now - TEST_IS_OVER_AFTER)
        ):
            await end_test(self._database, self._temporal, ref)

    async def _tidy(self, webhook: ManagedWebhook, now: datetime) -> None:
        if webhook.deleted_at is not None:
            await self._subscriber.end(webhook)
            await self._database.write(lambda t: webhook_management.forget_secrets(t, webhook.id))
        elif webhook.managed:
            await self._subscriber.end_replaced(webhook)
        await self._database.write(lambda t: webhook_management.forget_expired(t, webhook.id, now))
