"""Store what people add to post-incident reports. Times are UTC."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.post_incident_tables import post_incident_additions as additions
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.post_incident.model import MAX_ADDITIONS, PartName, ReportAddition


def insert_addition(
    tx: Transaction, issue_id: str, part: PartName, author: str, text: str, now: datetime
) -> ReportAddition | None:
    """Insert an addition. Returns None if the issue has `MAX_ADDITIONS` already."""
    count = sa.select(sa.func.count()).where(additions.c.issue_id == issue_id)
    if tx.execute(count).scalar_one() >= MAX_ADDITIONS:
        return None
    row = {"issue_id": issue_id, "part": part, "author": author, "at": now, "text": text}
    inserted = tx.execute(sa.insert(additions).values(**row)).inserted_primary_key
    assert inserted is not None, "an inserted row without its number"
    return ReportAddition(id=inserted[0], part=part, author=author, at=now, text=text)


def list_additions(tx: Transaction, issue_id: str) -> tuple[ReportAddition, ...]:
    """Return an issue's additions, oldest first."""
    query = sa.select(additions).where(additions.c.issue_id == issue_id).order_by(additions.c.id)
    return tuple(
        ReportAddition(id=row.id, part=PartName(row.part), author=row.author, at=row.at, text=row.text)
        for row in tx.execute(query)
    )
