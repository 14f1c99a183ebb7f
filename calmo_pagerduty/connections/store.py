"""Connections to PagerDuty and their sealed tokens. Every read for callers takes their Visibility."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from calmo_pagerduty.connections.response_targets import ResponseTargets
from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db.encryption import CellAddress, Keyring
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind
from calmo_pagerduty.pagerduty.tokens import TokenInfo
from calmo_pagerduty.tools.permissions import ConnectionRules


class ConnectionRemoved(Exception):
    """The connection was removed while work for it was in progress."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One PagerDuty account in one scope. Without a token, it serves webhooks only. Times are UTC."""

    id: str
    name: str
    scope: Scope
    region: Region
    token_kind: TokenKind | None
    token_version: int
    from_address: str | None
    rules: ConnectionRules
    facts: TokenInfo
    severities: Mapping[str, Severity]
    requests_per_minute: int | None
    created_at: datetime
    #: True if each incident's context is written back as a note.
    context_note: bool = False
    #: How soon its incidents must be acknowledged and resolved; None means no targets.
    response_targets: ResponseTargets | None = None


def new_connection_id() -> str:
    return f"con_{base64.b32encode(os.urandom(5)).decode().lower()}"


def insert_connection(
    tx: Transaction,
    name: str,
    scope: Scope,
    now: datetime,
    region: Region = Region.US,
    rules: ConnectionRules | None = None,
    from_address: str | None = None,
    severities: Mapping[str, Severity] | None = None,
    requests_per_minute: int | None = None,
) -> str:
    """Insert a connection without a token and return its id."""
    connection_id = new_connection_id()
    tx.execute(
        connections.insert().values(
            id=connection_id,
            name=name,
            scope=str(scope),
            region=region,
            rules=(rules or ConnectionRules()).model_dump(mode="json"),
            from_address=from_address,
            severities=dict(severities or {}),
            requests_per_minute=requests_per_minute,
            created_at=now,
        )
    )
    return connection_id


def get_connection(tx: Transaction, visibility: Visibility, connection_id: str) -> Connection | None:
    """Return the connection; None if it doesn't exist, was removed, or is not visible."""
    row = tx.execute(_FIND, {"connection": connection_id}).one_or_none()
    if row is None or not visibility.admits(Scope.parse(row.scope)):
        return None
    return _connection(row)


def list_connections(tx: Transaction, visibility: Visibility) -> tuple[Connection, ...]:
    """Return the connections that the caller may see, by name."""
    query = _LIVE.where(visible_to(connections.c.scope, visibility))
    query = query.order_by(connections.c.name, connections.c.id)
    return tuple(_connection(row) for row in tx.execute(query))


def update_token(
    tx: Transaction, keyring: Keyring, connection: Connection, kind: TokenKind, token: SecretStr
) -> int:
    """Replace the token and clear the facts about the old one. Returns the new token's version.

    Calls in progress continue with the old token; later calls use the new token.
    """
    # Another process may have set a token meanwhile, and each token needs its own version.
    query = sa.select(connections.c.token_version).where(connections.c.id == connection.id)
    version = tx.execute(query.with_for_update()).scalar_one() + 1
    sealed = keyring.seal(
        token.get_secret_value().encode(), _token_cell(connection.scope, connection.id, version)
    )
    update_connection(
        tx,
        connection.id,
        token_kind=kind,
        token_sealed=sealed,
        token_version=version,
        token_facts=None,
    )
    return int(version)


def get_token(tx: Transaction, keyring: Keyring, connection: Connection) -> SecretStr | None:
    """Return the connection's token; None if there is none, or if it was replaced since the read.

    Raises CannotDecrypt.
    """
    sealed = tx.execute(
        sa.select(connections.c.token_sealed).where(
            connections.c.id == connection.id, connections.c.token_version == connection.token_version
        )
    ).scalar()
    if sealed is None:
        return None
    cell = _token_cell(connection.scope, connection.id, connection.token_version)
    return SecretStr(keyring.open(sealed, cell).decode())


def update_connection(tx: Transaction, connection_id: str, **values: Any) -> None:
    """Update columns of a connection, unless it was removed meanwhile."""
    live = connections.c.removed_at.is_(None)
    tx.execute(sa.update(connections).where(connections.c.id == connection_id, live).values(**values))


def update_rules(tx: Transaction, connection_id: str, rules: ConnectionRules) -> None:
    """Replace the connection's rules."""
    update_connection(tx, connection_id, rules=rules.model_dump(mode="json"))


def update_token_info(tx: Transaction, connection: Connection, facts: TokenInfo) -> None:
    """Store what a test found out, unless the token was replaced meanwhile."""
    tx.execute(
        sa.update(connections)
        .where(connections.c.id == connection.id, connections.c.token_version == connection.token_version)
        .values(token_facts=facts.model_dump(mode="json"))
    )


def mark_removed(tx: Transaction, connection_id: str, now: datetime) -> None:
    """Mark the connection removed and delete its token. Its issues and its audit stay."""
    update_connection(tx, connection_id, removed_at=now, token_sealed=None, token_kind=None, token_facts=None)


_LIVE = sa.select(connections).where(connections.c.removed_at.is_(None))
_FIND = _LIVE.where(connections.c.id == sa.bindparam("connection"))


def _connection(row: Any) -> Connection:
    return Connection(
        id=row.id,
        name=row.name,
        scope=Scope.parse(row.scope),
        region=Region(row.region),
        token_kind=TokenKind(row.token_kind) if row.token_kind else None,
        token_version=row.token_version,
        from_address=row.from_address,
        rules=ConnectionRules.model_validate(row.rules),
        facts=TokenInfo.model_validate(row.token_facts or {}),
        severities={name: Severity(value) for name, value in row.severities.items()},
        requests_per_minute=row.requests_per_minute,
        created_at=row.created_at,
        context_note=row.context_note,
        response_targets=(
            None if row.response_targets is None else ResponseTargets.model_validate(row.response_targets)
        ),
    )


def _token_cell(scope: Scope, connection_id: str, version: int) -> CellAddress:
    return CellAddress("connections", "token_sealed", str(scope), connection_id, version)
