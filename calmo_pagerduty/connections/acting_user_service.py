"""As whom PagerDuty knows each connection's writes, asked once per token and process."""

from datetime import timedelta

from cachetools import LRUCache

from calmo_pagerduty.connections.acting_user import acting_user
from calmo_pagerduty.connections.service import MOST_CONNECTIONS, PagerDutyAccounts
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.pagerduty.webhook_events import Reference, reference_of


class ActingUsers:
    def __init__(self, accounts: PagerDutyAccounts) -> None:
        self._accounts = accounts
        self._known: LRUCache[tuple[str, int, str | None], Reference | None] = LRUCache(MOST_CONNECTIONS)

    async def of(self, connection: Connection, patience: timedelta) -> Reference | None:
        """Return the user; None if PagerDuty doesn't say. Raises PagerDutyError, CannotDecrypt."""
        key = (connection.id, connection.token_version, connection.from_address)
        if key not in self._known:
            client = await self._accounts.client(connection, patience)
            user = await client.run(acting_user(connection.from_address))
            self._known[key] = reference_of({**user, "type": "user_reference"}) if user else None
        return self._known[key]
