"""Import, list and remove calendars of absences. Each change is audited, without its person and times."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from calmo_pagerduty.absences import queries, store
from calmo_pagerduty.absences.model import AbsenceCalendar, CalendarFormat, TooManyCalendars
from calmo_pagerduty.absences.parsing import parse_calendar
from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections.store import Connection
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.intervals import Span

#: What of a calendar is kept: as far as reports look back, and a year for planning.
KNOWN_BACK, KNOWN_AHEAD = timedelta(days=91), timedelta(days=400)
MAX_CALENDARS = 2_000


class AbsenceService:
    """Every method raises StoreUnavailable. The caller has checked whom the key may see."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def import_calendar(
        self,
        principal: Principal,
        connection: Connection,
        user_id: str,
        text: str,
        calendar_format: CalendarFormat,
        zone: ZoneInfo,
        all_events: bool,
    ) -> AbsenceCalendar:
        """Store a person's times away, in place of an earlier calendar. Raises CalendarRefused,
        TooManyCalendars.
        """
        now = datetime.now(UTC)
        window = Span(int((now - KNOWN_BACK).timestamp()), int((now + KNOWN_AHEAD).timestamp()))
        parsed = await asyncio.to_thread(
            parse_calendar, text, calendar_format, window, zone, all_events=all_events
        )
        calendar = AbsenceCalendar(
            connection.id,
            user_id,
            calendar_format,
            parsed.spans,
            window,
            parsed.skipped,
            principal.who,
            now,
        )

        def write(tx: Transaction) -> None:
            if store.count_others(tx, connection.id, user_id) >= MAX_CALENDARS:
                raise TooManyCalendars(f"there are {MAX_CALENDARS} calendars already: remove some first")
            store.upsert_calendar(tx, calendar)
            _audit(tx, principal, connection, "absence calendar imported", now)

        await self._database.write(write, seen_by=principal.visibility)
        return calendar

    async def list_calendars(self, principal: Principal, connection_id: str) -> tuple[AbsenceCalendar, ...]:
        """Return the calendars of all people of the connection."""
        visibility = principal.visibility
        return await self._database.read(
            lambda tx: queries.list_calendars(tx, visibility, connection_id), visibility
        )

    async def remove(self, principal: Principal, connection: Connection, user_id: str) -> bool:
        """Delete a person's calendar. False if there is none."""
        now = datetime.now(UTC)

        def write(tx: Transaction) -> bool:
            is_removed = store.delete_calendar(tx, connection.id, user_id)
            if is_removed:
                _audit(tx, principal, connection, "absence calendar removed", now)
            return is_removed

        return await self._database.write(write, seen_by=principal.visibility)


def _audit(
    tx: Transaction, principal: Principal, connection: Connection, outcome: str, now: datetime
) -> None:
    record = {"connection_id": connection.id, "key_id": principal.key_id, "outcome": outcome}
    audit.insert_audit_row(tx, str(connection.scope), now, record)
