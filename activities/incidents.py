"""The activities of an incident's workflow. Each may safely run again."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from calmo_pagerduty.incidents.response_target_service import (
    ResponseTargetService,
    TargetsChecked,
    TargetsToCheck,
)
from calmo_pagerduty.incidents.service import (
    CannotApply,
    DeadLettersToSave,
    EventsToSave,
    IssueService,
    SavedEvents,
)

#: The error type of events that a retry can't save.
CANNOT_APPLY = "CannotApply"


class IncidentActivities:
    """Every activity is idempotent, and raises StoreUnavailable."""

    def __init__(self, records: IssueService, targets: ResponseTargetService) -> None:
        self._records = records
        self._targets = targets

    @activity.defn
    async def save_events(self, batch: EventsToSave) -> SavedEvents:
        """Put the events on the timeline and refresh the issue.

        Raises UnknownConnection, ApplicationError CANNOT_APPLY: Temporal retries neither.
        """
        try:
            return await self._records.save(batch)
        except CannotApply as error:
            raise ApplicationError(str(error), type=CANNOT_APPLY, non_retryable=True) from error

    @activity.defn(name="set_aside")
    async def save_dead_letters(self, batch: DeadLettersToSave) -> None:
        """Store dead letters, and have the issue reconciled."""
        await self._records.save_dead_letters(batch)

    @activity.defn(name="look_at_targets")
    async def check_targets(self, order: TargetsToCheck) -> TargetsChecked:
        """Insert each due notice and create each escalation, once."""
        return await self._targets.check_targets(order)
