"""Caches each connection's acting user, so that a process asks PagerDuty once per token."""

from datetime import timedelta

from cachetools import LRUCache

from calmo_pagerduty.connections.acting_user import acting_user
from calmo_pagerduty.connections.service import MAX_CONNECTIONS, PagerDutyClients
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.pagerduty.webhook_events import Reference, parse_reference


class ActingUsers:
    """Finds out and remembers as which PagerDuty user a connection acts."""

    def __init__(self, accounts: PagerDutyClients) -> None:
        self._accounts = accounts
        self._users: LRUCache[tuple[str, int, str | None], Reference | None] = LRUCache(MAX_CONNECTIONS)

    async def get(self, connection: Connection, timeout: timedelta) -> Reference | None:
        """Return the user; None if PagerDuty doesn't say. Raises PagerDutyError, CannotDecrypt."""
        key = (connection.id, connection.token_version, connection.from_address)
        if key not in self._users:
            client = await self._accounts.client(connection, timeout)
            user = await client.run(acting_user(connection.from_address))
            self._users[key] = parse_reference({**user, "type": "user_reference"}) if user else None
        return self._users[key]
