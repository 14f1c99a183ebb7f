"""Connections to the simulated PagerDuty, and webhooks of them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.tools.permissions import ConnectionRules, Switch
from tests.support.doors import make_webhook

TOKEN = "u+simulatedtoken-0123456789"
WRITES_ON = ConnectionRules(
    switches={"risk:medium": Switch.ALLOW, "risk:high": Switch.ALLOW},
    approve=frozenset(),
    writes_per_hour=100_000,
)


def add_connection(
    database: Database,
    keyring: Keyring,
    scope: str,
    token: str = TOKEN,
    rules: ConnectionRules = WRITES_ON,
    **values: Any,
) -> str:
    """Make a connection to the simulator and return its id."""
    now = datetime.now(UTC)

    def write(transaction: Transaction) -> str:
        made = connections.insert_connection(
            transaction, "Simulated", Scope.parse(scope), now, Region.SIMULATOR, rules, **values
        )
        found = connections.get_connection(transaction, EVERYTHING, made)
        assert found is not None
        connections.update_token(transaction, keyring, found, TokenKind.API_TOKEN, SecretStr(token))
        return made

    return database.write_blocking(write)


def add_webhook(database: Database, keyring: Keyring, connection_id: str) -> str:
    """Make an armed webhook of the connection, in its scope, and return its id."""
    scope = database.read_blocking(
        lambda t: t.execute(
            sa.select(tables.connections.c.scope).where(tables.connections.c.id == connection_id)
        ).scalar_one()
    )
    return make_webhook(database, keyring, scope=scope, connection_id=connection_id)
