"""Rotates the master key while the service runs.

It wraps only the values' own keys again, and renews the signatures of the audit's rows, in batches that
commit, so it can stop and continue at any point. A master key may be removed when it wraps no value and
signs no row any more.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Table

from calmo_pagerduty.db.audit_signatures import signer
from calmo_pagerduty.db.encryption import (
    CannotDecrypt,
    CellAddress,
    Keyring,
    sealed_prefix,
    sealing_key_name,
    segment_cell,
    signed_with,
)
from calmo_pagerduty.db.tables import (
    audit,
    audit_segments,
    connections,
    key_checks,
    report_addresses,
    webhook_secrets,
    webhooks,
)
from calmo_pagerduty.db.transactions import Transaction

BATCH_SIZE = 200
SIGNED_BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True)
class _SealedColumn:
    """A column of sealed values: the query for its rows, and the cell that each value is bound to."""

    table: Table
    column: sa.Column[bytes]
    rows: sa.Select[Any]
    place: Callable[[Any], CellAddress]


_COLUMNS = (
    _SealedColumn(
        webhook_secrets,
        webhook_secrets.c.sealed,
        sa.select(
            webhook_secrets.c.webhook_id,
            webhook_secrets.c.version,
            webhook_secrets.c.sealed,
            webhooks.c.scope,
        ).join(webhooks, webhooks.c.id == webhook_secrets.c.webhook_id),
        lambda row: CellAddress("webhook_secrets", "sealed", row.scope, row.webhook_id, row.version),
    ),
    _SealedColumn(
        connections,
        connections.c.token_sealed,
        sa.select(
            connections.c.id,
            connections.c.scope,
            connections.c.token_version,
            connections.c.token_sealed.label("sealed"),
        ).where(connections.c.token_sealed.is_not(None)),
        lambda row: CellAddress("connections", "token_sealed", row.scope, row.id, row.token_version),
    ),
    _SealedColumn(
        audit_segments,
        audit_segments.c.sealed,
        sa.select(audit_segments.c.first_seq, audit_segments.c.sealed),
        lambda row: segment_cell(row.first_seq),
    ),
    _SealedColumn(
        report_addresses,
        report_addresses.c.sealed,
        sa.select(report_addresses.c.connection_id, report_addresses.c.sealed, connections.c.scope).join(
            connections, connections.c.id == report_addresses.c.connection_id
        ),
        lambda row: CellAddress("report_addresses", "sealed", row.scope, row.connection_id),
    ),
)


def count_values_by_key(tx: Transaction) -> Mapping[str, int]:
    """Return the number of values that each master key wraps, and of rows of the audit that it signs."""
    counted: Counter[str] = Counter()
    for kid in tx.execute(sa.select(key_checks.c.kid)).scalars().all():
        signed = sa.select(sa.func.count()).select_from(audit).where(signed_with(kid))
        counted[kid] += tx.execute(signed).scalar_one()
    for sealed in _COLUMNS:
        for row in tx.execute(sealed.rows):
            counted[sealing_key_name(row.sealed)] += 1
    return counted


def update_sealed_batch(tx: Transaction, keyring: Keyring) -> int:
    """Bring a batch of values, then of signatures, under the primary key. Returns how many, 0 at the end.

    Raises CannotDecrypt if a value's master key isn't configured.
    """
    done = 0
    start = sealed_prefix(keyring.primary)
    for sealed in _COLUMNS:
        under_another = sa.func.substr(sealed.column, 1, len(start)) != start
        for row in tx.execute(sealed.rows.where(under_another).limit(BATCH_SIZE - done)).all():
            # A value that was replaced meanwhile is sealed with the primary key already.
            unchanged = sealed.column == row.sealed
            new = keyring.rewrap(row.sealed, sealed.place(row))
            tx.execute(sa.update(sealed.table).where(unchanged).values({sealed.column.name: new}))
            done += 1
        if done >= BATCH_SIZE:
            break
    return done or _sign_batch(tx, keyring)


def _sign_batch(tx: Transaction, keyring: Keyring) -> int:
    keys = keyring.audit_keys
    by_another = audit.c.signature.is_not(None) & ~signed_with(keyring.primary)
    columns = (audit.c.seq, audit.c.hash, audit.c.signature)
    query = sa.select(*columns).where(by_another).order_by(audit.c.seq).limit(SIGNED_BATCH_SIZE)
    renewed = []
    for row in tx.execute(query):
        if signer(row.signature) not in keys.keys:
            raise CannotDecrypt(f"row {row.seq} of the audit: {keys.fault(row.signature, row.seq, row.hash)}")
        renewed.append({"row": row.seq, "new": keys.renew(row.signature, row.seq, row.hash)})
    if renewed:
        which = audit.c.seq == sa.bindparam("row")
        tx.execute(sa.update(audit).where(which).values(signature=sa.bindparam("new")), renewed)
    return len(renewed)


def delete_unused_keys(tx: Transaction, keyring: Keyring) -> tuple[str, ...]:
    """Delete the checks of master keys that wrap no value, except the primary. Returns their names."""
    idle = [kid for kid, count in count_values_by_key(tx).items() if not count and kid != keyring.primary]
    tx.execute(sa.delete(key_checks).where(key_checks.c.kid.in_(idle)))
    return tuple(idle)
