"""Load and save issues. Each call may run again after a crash: the store absorbs repetition."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from temporalio import activity
from temporalio.exceptions import ApplicationError

from calmo_pagerduty.domain.frozen import Frozen
from calmo_pagerduty.domain.incident_lifecycle import EventFacts, IncidentState
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.domain.incident_signals import Puzzle
from calmo_pagerduty.domain.severity import Severity
from calmo_pagerduty.store import dead_letters, issues
from calmo_pagerduty.store.database import Database, StoreUnavailable

logger = logging.getLogger(__name__)

#: The error type for events that can't be put on an issue however often it is tried.
CANNOT_APPLY = "CannotApply"


class LoadedIncident(Frozen):
    """What is known of an incident when a run of its workflow begins."""

    state: IncidentState | None
    severities: Mapping[str, Severity] = {}


class EventsToSave(Frozen):
    ref: IncidentRef
    events: tuple[EventFacts, ...]
    #: The severity that was decided for the newest picture of the incident.
    severity: Severity


class PuzzlesToSetAside(Frozen):
    ref: IncidentRef
    puzzles: tuple[Puzzle, ...]


class IssueRecords:
    """The issue as the workflow sees it: load, save, set aside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn
    async def load_incident(self, ref: IncidentRef) -> LoadedIncident:
        """Return the incident's last known state and its connection's severities.

        Raises StoreUnavailable, and UnknownConnection (not to be tried again).
        """
        return await self._database.read(
            lambda connection: LoadedIncident(
                state=issues.load_state(connection, ref),
                severities=issues.load_severities(connection, ref.connection_id),
            )
        )

    @activity.defn
    async def save_events(self, batch: EventsToSave) -> int:
        """Put the events on the timeline and refresh the issue; returns how many were new.

        Raises StoreUnavailable, and UnknownConnection or CANNOT_APPLY (not to be tried again).
        """
        now = datetime.now(UTC)
        try:
            return await self._database.write(
                lambda connection: issues.save_events(
                    connection, batch.ref, batch.events, batch.severity, now
                )
            )
        except (StoreUnavailable, issues.UnknownConnection):
            raise
        except Exception as error:
            # A fault of ours over one event: every attempt would meet it, and the others would wait.
            logger.exception("events_not_applied", extra={"workflow_id": batch.ref.workflow_id})
            raise ApplicationError(type(error).__name__, type=CANNOT_APPLY, non_retryable=True) from error

    @activity.defn
    async def set_aside(self, batch: PuzzlesToSetAside) -> None:
        """Keep what can't be understood, and say so on the issue. Raises StoreUnavailable."""
        now = datetime.now(UTC)
        await self._database.write(
            lambda connection: dead_letters.set_aside(connection, batch.ref, batch.puzzles, now)
        )
        for puzzle in batch.puzzles:
            logger.error(
                "event_set_aside",
                extra={"workflow_id": batch.ref.workflow_id, "reason": puzzle.reason},
            )
