"""Store calendars of absences: one for each person of a connection. Times are UTC."""

from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.absences.model import Absence, AbsenceCalendar
from calmo_pagerduty.absences.rows import calendar_values
from calmo_pagerduty.db.statements import upsert
from calmo_pagerduty.db.tables import absence_calendars, connections
from calmo_pagerduty.db.transactions import Transaction


def upsert_calendar(tx: Transaction, calendar: AbsenceCalendar) -> None:
    """Write a person's calendar in place of an earlier one."""
    tx.execute(upsert(tx, absence_calendars), calendar_values(calendar))


def count_others(tx: Transaction, connection_id: str, user_id: str) -> int:
    """Return how many other people of the connection have a calendar."""
    table = absence_calendars.c
    query = sa.select(sa.func.count()).where(table.connection_id == connection_id, table.user_id != user_id)
    return tx.execute(query).scalar_one()


def delete_calendar(tx: Transaction, connection_id: str, user_id: str) -> bool:
    """Delete a person's calendar. False if there is none."""
    table = absence_calendars.c
    of_person = sa.and_(table.connection_id == connection_id, table.user_id == user_id)
    return tx.execute(sa.delete(absence_calendars).where(of_person)).rowcount > 0


def list_absences(tx: Transaction, connection_id: str) -> tuple[Absence, ...]:
    """Return when whom of an account is away, in the order of people and times."""
    query = sa.select(absence_calendars.c.user_id, absence_calendars.c.spans).where(
        absence_calendars.c.connection_id == connection_id
    )
    rows = tx.execute(query.order_by(absence_calendars.c.user_id))
    return tuple(Absence(row.user_id, start, end) for row in rows for start, end in row.spans)


def delete_past_calendars(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete calendars that told of a time before only, and those of removed connections."""
    table = absence_calendars.c
    removed = sa.select(connections.c.id).where(connections.c.removed_at.is_not(None))
    is_due = sa.or_(table.known_until < older_than, table.connection_id.in_(removed))
    due = sa.select(table.connection_id, table.user_id).where(is_due).limit(limit)
    rows = tx.execute(due).all()
    return sum(delete_calendar(tx, *row) for row in rows)
