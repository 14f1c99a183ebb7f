"""The doors' journal on SQLite, as doors and forwarders use it. See `journal_store.py`."""

from collections.abc import AsyncIterator
from typing import Self

from calmo_pagerduty.db.announcements import Channel
from calmo_pagerduty.db.database import Database, RowRefused
from calmo_pagerduty.deliveries import journal_store as journals
from calmo_pagerduty.deliveries.journal_store import JournalEntry
from calmo_pagerduty.deliveries.model import Verdict
from calmo_pagerduty.deliveries.store import NewDelivery

#: It stands in the file's name, after the database's own.
FILE = "inbox"
#: At most this many deliveries move in one transaction: it keeps the worker from writing.
BATCH = 50


class InboxJournal:
    """A door commits deliveries here, because in the database it would wait for everybody's transactions.

    All raise StoreUnavailable.
    """

    def __init__(self, database: Database, file: Database) -> None:
        self._database = database
        self._file = file
        self._id = file.write_blocking(journals.create)
        self._taken = taken = database.read_blocking(lambda tx: journals.get_taken(tx, self._id))
        file.write_blocking(lambda tx: journals.begin_after(tx, taken))

    @classmethod
    def beside(cls, database: Database) -> Self | None:
        """Open the journal, and create it at first. None on PostgreSQL, whose writers don't wait for each
        other, and in memory.
        """
        file = database.beside(FILE)
        return None if file is None else cls(database, file)

    @property
    def writes_waiting(self) -> int:
        """How many deliveries wait for their commit."""
        return self._file.writes_waiting

    async def append(self, delivery: NewDelivery) -> Verdict:
        """Commit a delivery to the journal, on disk. Returns its verdict: what repeats an earlier delivery or
        contradicts it is found when it moves into the inbox.
        """
        await self._file.write(lambda tx: journals.append(tx, delivery))
        return delivery.verdict

    def listen(self) -> AsyncIterator[None]:
        """Yield at the start, and whenever deliveries may have come. Never ends."""
        return self._file.listen(Channel.JOURNAL)

    async def move(self) -> list[Verdict] | None:
        """Move some deliveries into the inbox. Returns the verdicts of those that were not there yet; None if
        there is nothing to move.
        """
        after = self._taken
        entries = await self._file.read(lambda tx: journals.list_entries(tx, after, BATCH))
        if not entries:
            return None
        try:
            verdicts = await self._database.write(lambda tx: journals.insert_entries(tx, self._id, entries))
        except RowRefused:
            verdicts = [verdict for entry in entries for verdict in await self._take_alone(entry)]
        self._taken = entries[-1].number
        return verdicts

    async def delete_taken(self) -> None:
        """Delete what the database has. If a crash of the machine undoes that, it is passed over."""
        up_to = self._taken
        await self._file.write(lambda tx: journals.delete_entries(tx, up_to), durable=False)

    async def leave_mark(self) -> None:
        """Write what nobody reads, which shows that the journal takes writes."""
        await self._file.write(journals.leave_mark)

    async def _take_alone(self, entry: JournalEntry) -> list[Verdict]:
        """Move one delivery. What the database refuses, like that of a webhook which it does not know, is set
        aside in the journal, so that it does not hold up others.
        """
        try:
            return await self._database.write(lambda tx: journals.insert_entries(tx, self._id, [entry]))
        except RowRefused:
            await self._file.write(lambda tx: journals.keep_refused(tx, entry.number))
            await self._database.write(lambda tx: journals.pass_over(tx, self._id, [entry]))
            return [Verdict.DEAD_LETTER]
