"""Read calendars for callers. Whose absences a reader may see is decided by persons, by the caller."""

import sqlalchemy as sa

from calmo_pagerduty.absences.model import AbsenceCalendar
from calmo_pagerduty.absences.rows import calendar_from_row
from calmo_pagerduty.db.tables import absence_calendars, connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.scopes import Visibility


def list_calendars(
    tx: Transaction, visibility: Visibility, connection_id: str
) -> tuple[AbsenceCalendar, ...]:
    """Return a connection's calendars in the order of people's ids."""
    query = (
        sa.select(absence_calendars)
        .join(connections, connections.c.id == absence_calendars.c.connection_id)
        .where(
            visible_to(connections.c.scope, visibility),
            connections.c.removed_at.is_(None),
            absence_calendars.c.connection_id == connection_id,
        )
    )
    rows = tx.execute(query.order_by(absence_calendars.c.user_id))
    return tuple(calendar_from_row(row) for row in rows)
