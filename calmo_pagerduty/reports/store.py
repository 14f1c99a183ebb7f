"""Store reports, their address, and each attempt to deliver them. Times are UTC."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from calmo_pagerduty.db.encryption import CellAddress
from calmo_pagerduty.db.report_tables import kept_reports, report_addresses, report_deliveries
from calmo_pagerduty.db.statements import insert_or_ignore, upsert
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.reports.delivery_rules import Outcome
from calmo_pagerduty.reports.model import MadeReport
from calmo_pagerduty.reports.rendering import report_document, report_from_document


@dataclass(frozen=True, slots=True)
class ReportAddress:
    """Where a connection's reports are sent. The secret is sealed."""

    connection_id: str
    url: str
    sealed: bytes
    set_by: str
    set_at: datetime


def address_cell(scope: str, connection_id: str) -> CellAddress:
    """Return the cell that an address' secret is sealed to."""
    return CellAddress("report_addresses", "sealed", scope, connection_id)


def insert_report(tx: Transaction, report_id: str, made: MadeReport) -> bool:
    """Keep a report. Returns False if there is one of this id already."""
    since, until, made_at = (datetime.fromtimestamp(at, UTC) for at in (made.since, made.until, made.made_at))
    row = {
        "id": report_id,
        "connection_id": made.connection_id,
        "kind": str(made.kind),
        "since": since,
        "until": until,
        "made_at": made_at,
        "author": made.author,
        "document": json.dumps(report_document(made), ensure_ascii=False),
    }
    return tx.execute(insert_or_ignore(tx, kept_reports), row).rowcount > 0


def get_report(tx: Transaction, report_id: str) -> MadeReport | None:
    query = sa.select(kept_reports.c.document).where(kept_reports.c.id == report_id)
    document = tx.execute(query).scalar()
    return None if document is None else report_from_document(json.loads(document))


def upsert_address(tx: Transaction, address: ReportAddress) -> None:
    """Write a connection's address in place of an earlier one."""
    tx.execute(
        upsert(tx, report_addresses),
        {
            "connection_id": address.connection_id,
            "url": address.url,
            "sealed": address.sealed,
            "set_by": address.set_by,
            "set_at": address.set_at,
        },
    )


def get_address(tx: Transaction, connection_id: str) -> ReportAddress | None:
    row = tx.execute(
        sa.select(report_addresses).where(report_addresses.c.connection_id == connection_id)
    ).one_or_none()
    return (
        None if row is None else ReportAddress(row.connection_id, row.url, row.sealed, row.set_by, row.set_at)
    )


def delete_address(tx: Transaction, connection_id: str) -> bool:
    """Delete a connection's address. False if there is none."""
    theirs = report_addresses.c.connection_id == connection_id
    return tx.execute(sa.delete(report_addresses).where(theirs)).rowcount > 0


def insert_delivery(
    tx: Transaction,
    report_id: str,
    connection_id: str,
    attempt: int,
    at: datetime,
    outcome: Outcome,
    status: int | None,
    reason: str,
) -> None:
    """Log an attempt to deliver a report."""
    tx.execute(
        report_deliveries.insert().values(
            report_id=report_id,
            connection_id=connection_id,
            attempt=attempt,
            at=at,
            outcome=str(outcome),
            status=status,
            reason=reason,
        )
    )


def delete_old_reports(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete reports made before a time with their deliveries, and those of removed connections."""
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    is_due = sa.or_(kept_reports.c.made_at < older_than, kept_reports.c.connection_id.in_(removed))
    ids = tx.execute(sa.select(kept_reports.c.id).where(is_due).limit(limit)).scalars().all()
    tx.execute(sa.delete(report_deliveries).where(report_deliveries.c.report_id.in_(ids)))
    tx.execute(sa.delete(report_addresses).where(report_addresses.c.connection_id.in_(removed)))
    return tx.execute(sa.delete(kept_reports).where(kept_reports.c.id.in_(ids))).rowcount
