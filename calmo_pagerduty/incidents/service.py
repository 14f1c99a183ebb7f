"""Save events and dead letters of an incident. After a crash, each call may safely run again."""

import logging
from datetime import UTC, datetime

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import (
    dead_letter_store as dead_letters,
    response_target_store as target_store,
    store as issues,
)
from calmo_pagerduty.incidents.lifecycle import EventFacts, IncidentState
from calmo_pagerduty.incidents.signals import DeadLetter
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.logs import fault_fields

logger = logging.getLogger(__name__)


class CannotApply(Exception):
    """An event can't be saved, and a retry can't help; the message is the type of the fault."""


class EventsToSave(FrozenModel):
    """What the activity `save_events` gets: facts only; the texts are in the inbox."""

    ref: IncidentRef
    events: tuple[EventFacts, ...]
    #: The workflow's decision for the newest state.
    severity: Severity
    #: True for a run's first save, which loads the state of an earlier run.
    asks_for_state: bool = False


class SavedEvents(FrozenModel):
    """`new` counts new events. `known` is the stored state, if the run asked and the issue existed before.
    `due` is when the next response target becomes near or missed, in UTC.
    """

    new: int
    known: IncidentState | None = None
    due: datetime | None = None


class DeadLettersToSave(FrozenModel):
    """What the activity `save_dead_letters` gets: payloads that the workflow could not understand."""

    ref: IncidentRef
    puzzles: tuple[DeadLetter, ...]


class IssueService:
    """Saves an incident's events on its issue, and its dead letters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, batch: EventsToSave) -> SavedEvents:
        """Put the events on the timeline and refresh the issue.

        Raises StoreUnavailable, UnknownConnection, CannotApply; a retry helps only the first.
        """
        now = datetime.now(UTC)
        try:
            # If a crash loses it, the forwarder notices, and sends the deliveries again.
            return await self._database.write(lambda tx: _save(tx, batch, now), durable=False)
        except (StoreUnavailable, issues.UnknownConnection):
            raise
        # Only a bug of ours gets here, and each retry would meet it again. As CannotApply it is final, and
        # the workflow stores the events as dead letters instead of being blocked by them for ever.
        except Exception as error:
            details = {"workflow_id": batch.ref.workflow_id, **fault_fields(error)}
            logger.error("events_not_applied", extra=details)
            # Temporal writes a cause's message into the history, and it may quote what people wrote.
            raise CannotApply(type(error).__name__) from None

    async def save_dead_letters(self, batch: DeadLettersToSave) -> None:
        """Store dead letters, and have the issue reconciled. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        await self._database.write(
            lambda tx: dead_letters.insert_dead_letters(tx, batch.ref, batch.puzzles, now)
        )
        for letter in batch.puzzles:
            logger.error(
                "event_set_aside",
                extra={"workflow_id": batch.ref.workflow_id, "reason": letter.reason},
            )


def _save(tx: Transaction, batch: EventsToSave, now: datetime) -> SavedEvents:
    saved = issues.insert_events(tx, batch.ref, batch.events, batch.severity, now)
    loads_state = batch.asks_for_state and saved.existed
    tracked = target_store.get_tracked_issue(tx, batch.ref)
    return SavedEvents(
        new=saved.new,
        known=issues.get_state(tx, batch.ref) if loads_state else None,
        due=min((notice.at for notice in tracked.pending), default=None) if tracked else None,
    )
