"""The doors' journal: a file of its own beside SQLite's, from which deliveries move into the inbox.

The functions on the journal take a transaction of its file, which has no other tables; `insert_entries`,
`pass_over` and `get_taken` take one of the database. A number is never used again, and the database keeps, in
the same transaction as the deliveries, up to which number it has taken them. So a crash at any point neither
loses a delivery nor takes it twice. The journal's id tells it from a file that stood at its place before.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.db.statements import upsert
from calmo_pagerduty.db.tables import inbox_journals
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.arrival_store import insert_arrival
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.store import NewDelivery

_CREATE = (
    "CREATE TABLE IF NOT EXISTS journal"
    " (number INTEGER PRIMARY KEY AUTOINCREMENT, delivery TEXT NOT NULL, body BLOB NOT NULL)",
    #: What the database refuses, for a person to look at.
    "CREATE TABLE IF NOT EXISTS refused"
    " (number INTEGER PRIMARY KEY, delivery TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL, marked_at TEXT)",
)
_APPEND = "INSERT INTO journal (delivery, body) VALUES (?, ?)"
_LIST = "SELECT number, delivery, body FROM journal WHERE number > ? ORDER BY number LIMIT ?"
_KEEP_REFUSED = "INSERT OR IGNORE INTO refused SELECT * FROM journal WHERE number = ?"
_CUT_REFUSED = "DELETE FROM refused WHERE json_extract(delivery, '$.received_at') < ?"
_LAST_NUMBER = "SELECT seq FROM sqlite_sequence WHERE name = 'journal'"
#: What the database refused is kept this long, for a person to look at.
REFUSED_KEPT = timedelta(days=30)
_TAKEN = sa.select(inbox_journals.c.taken).where(inbox_journals.c.id == bindparam("journal"))

#: All but the body, which has a column of its own.
_FIELDS = tuple(field.name for field in fields(NewDelivery) if field.name != "body")
_TIMES = ("received_at", "occurred_at")


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A delivery with its number in the journal."""

    number: int
    delivery: NewDelivery


def create(tx: Transaction) -> str:
    """Create the journal's tables unless they exist. Returns the journal's id."""
    for statement in _CREATE:
        tx.exec_driver_sql(statement)
    found: str | None = tx.exec_driver_sql("SELECT id FROM identity").scalar()
    if found is None:
        found = secrets.token_hex(16)
        tx.exec_driver_sql("INSERT INTO identity (id) VALUES (?)", (found,))
    return found


def begin_after(tx: Transaction, taken: int) -> None:
    """Let further entries have numbers above `taken`. A journal of an older backup would use some again, and
    the database would pass over those entries.
    """
    last: int | None = tx.exec_driver_sql(_LAST_NUMBER).scalar()
    if last is None:
        tx.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('journal', ?)", (taken,))
    elif last < taken:
        tx.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = 'journal'", (taken,))


def append(tx: Transaction, delivery: NewDelivery) -> None:
    """Append a delivery to the journal."""
    tx.exec_driver_sql(_APPEND, (_encode(delivery), delivery.body))


def list_entries(tx: Transaction, after: int, at_most: int) -> list[JournalEntry]:
    """Return the journal's entries after this number, in the order of their numbers."""
    rows = tx.exec_driver_sql(_LIST, (after, at_most))
    return [JournalEntry(number, _decode(delivery, body)) for number, delivery, body in rows]


def delete_entries(tx: Transaction, up_to: int) -> None:
    """Delete the journal's entries up to this number, and what was refused long ago."""
    tx.exec_driver_sql("DELETE FROM journal WHERE number <= ?", (up_to,))
    tx.exec_driver_sql(_CUT_REFUSED, ((datetime.now(UTC) - REFUSED_KEPT).isoformat(),))


def keep_refused(tx: Transaction, number: int) -> None:
    """Keep a copy of an entry that the database refuses. It is not deleted with the entry."""
    tx.exec_driver_sql(_KEEP_REFUSED, (number,))


def leave_mark(tx: Transaction) -> None:
    """Write what nobody reads, which shows that the journal takes writes."""
    tx.exec_driver_sql("UPDATE identity SET marked_at = ?", (datetime.now(UTC).isoformat(),))


def get_taken(tx: Transaction, journal_id: str) -> int:
    """Return up to which number the database has taken the journal's entries."""
    return tx.execute(_TAKEN, {"journal": journal_id}).scalar() or 0


def insert_entries(tx: Transaction, journal_id: str, entries: Sequence[JournalEntry]) -> list[Verdict]:
    """Put entries into the inbox, but those that it took before. Returns the verdicts of the new ones."""
    taken = get_taken(tx, journal_id)
    verdicts = [insert_arrival(tx, entry.delivery) for entry in entries if entry.number > taken]
    pass_over(tx, journal_id, entries)
    return verdicts


def pass_over(tx: Transaction, journal_id: str, entries: Sequence[JournalEntry]) -> None:
    """Note that the database has taken these entries, in the order of their numbers."""
    number = max(entries[-1].number, get_taken(tx, journal_id))
    row = {"id": journal_id, "taken": number, "taken_at": datetime.now(UTC)}
    tx.execute(upsert(tx, inbox_journals), row)


def _encode(delivery: NewDelivery) -> str:
    values = {name: getattr(delivery, name) for name in _FIELDS}
    return json.dumps(values, default=datetime.isoformat)


def _decode(text: str, body: bytes) -> NewDelivery:
    """Read an entry back. It passes over what another version of this program knows and this does not."""
    values: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in _FIELDS}
    for name in _TIMES:
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(values[name])
    values["verdict"] = Verdict(values["verdict"])
    values["state"] = DeliveryState(values["state"])
    return NewDelivery(body=body, **values)
