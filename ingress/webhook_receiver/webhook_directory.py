"""Find webhooks quickly: what was found a moment ago is not asked for again."""

import re
import time
from datetime import UTC, datetime

from cachetools import TLRUCache

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.store import Webhook

#: A paused, deleted or re-keyed webhook is noticed within this time.
TTL_SECONDS = 1.0
MAX_ENTRIES = 10_000

_WEBHOOK_ID = re.compile(r"wh_[a-z2-7]{32}")


class WebhookDirectory:
    """Only what exists is remembered: a guessed address costs the guesser a question each time."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        #: When the database was asked, and what it said.
        self._found: TLRUCache[str, tuple[float, Webhook]] = TLRUCache(
            MAX_ENTRIES, _fresh_until, timer=time.monotonic
        )

    async def get(self, webhook_id: str) -> Webhook | None:
        """Return the webhook, or None if there definitely is none.

        Raises StoreUnavailable and CannotDecrypt: then we can't know.
        """
        if not _WEBHOOK_ID.fullmatch(webhook_id):
            return None
        known = self._found.get(webhook_id)
        if known is not None:
            return known[1]
        # What is read now may have changed by the time it is here: it is as old as the question.
        asked_at, now = time.monotonic(), datetime.now(UTC)
        webhook = await self._database.read(
            lambda connection: webhooks.get_webhook(connection, self._keyring, webhook_id, now)
        )
        if webhook is not None:
            self._found[webhook_id] = (asked_at, webhook)
        return webhook

    def invalidate(self, webhook_id: str) -> None:
        self._found.pop(webhook_id, None)


def _fresh_until(_webhook_id: str, found: tuple[float, Webhook], _now: float) -> float:
    return found[0] + TTL_SECONDS
