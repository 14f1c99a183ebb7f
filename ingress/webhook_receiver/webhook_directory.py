"""Load webhooks through a cache with a short lifetime."""

import re
import time
from datetime import UTC, datetime

from cachetools import TLRUCache

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.store import Webhook

#: A change to a webhook takes effect within this time.
TTL_SECONDS = 1.0
MAX_ENTRIES = 10_000

_WEBHOOK_ID = re.compile(r"wh_[a-z2-7]{32}")


class WebhookDirectory:
    """Caches only webhooks that exist, so guessed addresses cannot fill the cache."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        #: By webhook id: the monotonic time of the read, and the webhook.
        self._cache: TLRUCache[str, tuple[float, Webhook]] = TLRUCache(
            MAX_ENTRIES, _fresh_until, timer=time.monotonic
        )

    def get_cached(self, webhook_id: str) -> Webhook | None:
        """Return the webhook if it was read within TTL_SECONDS."""
        cached = self._cache.get(webhook_id)
        return None if cached is None else cached[1]

    async def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook, or None if it does not exist.

        Raises StoreUnavailable, CannotDecrypt.
        """
        if not _WEBHOOK_ID.fullmatch(webhook_id):
            return None
        cached = self.get_cached(webhook_id)
        if cached is not None:
            return cached
        # The row may change while the read is under way, so its age counts from before the read.
        asked_at, now = time.monotonic(), datetime.now(UTC)
        webhook = await self._database.read(
            lambda connection: webhooks.get_webhook(connection, self._keyring, webhook_id, now)
        )
        if webhook is not None:
            self._cache[webhook_id] = (asked_at, webhook)
        return webhook

    def invalidate(self, webhook_id: str) -> None:
        """Forget a webhook, so that its next delivery reads it anew."""
        self._cache.pop(webhook_id, None)


def _fresh_until(_webhook_id: str, entry: tuple[float, Webhook], _now: float) -> float:
    return entry[0] + TTL_SECONDS
