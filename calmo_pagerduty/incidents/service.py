"""Save issues. Each call may run again after a crash: the store absorbs repetition."""

import logging
from datetime import UTC, datetime

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db.database import Database, StoreUnavailable, Transaction
from calmo_pagerduty.incidents import (
    dead_letter_store as dead_letters,
)
from calmo_pagerduty.incidents import (
    response_target_store as responses,
)
from calmo_pagerduty.incidents import (
    store as issues,
)
from calmo_pagerduty.incidents.lifecycle import EventFacts, IncidentState
from calmo_pagerduty.incidents.signals import DeadLetter
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel

logger = logging.getLogger(__name__)


class CannotApply(Exception):
    """Events that can't be put on an issue, however often it is tried; the message is the fault's type."""


class EventsToSave(FrozenModel):
    ref: IncidentRef
    events: tuple[EventFacts, ...]
    #: The severity that was decided for the newest picture of the incident.
    severity: Severity
    #: Whether the run asks what an earlier one knew: it is the run's first save.
    asks_for_state: bool = False


class SavedEvents(FrozenModel):
    """How many events were new; the state of an issue that was there before, if it was asked for; when a
    response target is near or missed, if there is one.
    """

    new: int
    known: IncidentState | None = None
    due: datetime | None = None


class DeadLettersToSave(FrozenModel):
    ref: IncidentRef
    puzzles: tuple[DeadLetter, ...]


class IssueService:
    """The database's side of an incident: its issue, and what could not be understood."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, batch: EventsToSave) -> SavedEvents:
        """Put the events on the timeline and refresh the issue.

        Raises StoreUnavailable, and UnknownConnection or CannotApply (not to be tried again).
        """
        now = datetime.now(UTC)
        try:
            return await self._database.write(lambda transaction: _save(transaction, batch, now))
        except (StoreUnavailable, issues.UnknownConnection):
            raise
        except Exception as error:  # a fault of ours over one event: every attempt would meet it
            logger.exception("events_not_applied", extra={"workflow_id": batch.ref.workflow_id})
            raise CannotApply(type(error).__name__) from error

    async def save_dead_letters(self, batch: DeadLettersToSave) -> None:
        """Keep what can't be understood, and say so on the issue. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        await self._database.write(
            lambda connection: dead_letters.insert_dead_letters(connection, batch.ref, batch.puzzles, now)
        )
        for puzzle in batch.puzzles:
            logger.error(
                "event_set_aside",
                extra={"workflow_id": batch.ref.workflow_id, "reason": puzzle.reason},
            )


def _save(tx: Transaction, batch: EventsToSave, now: datetime) -> SavedEvents:
    saved = issues.insert_events(tx, batch.ref, batch.events, batch.severity, now)
    asked = batch.asks_for_state and saved.existed
    tracked = responses.get_tracked_issue(tx, batch.ref)
    return SavedEvents(
        new=saved.new,
        known=issues.get_state(tx, batch.ref) if asked else None,
        due=min((notice.at for notice in tracked.pending), default=None) if tracked else None,
    )
