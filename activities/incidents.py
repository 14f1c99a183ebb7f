"""An incident's issue and response targets as its workflow sees them. Each step may run again."""

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

#: The error type for events that can't be put on an issue however often it is tried.
CANNOT_APPLY = "CannotApply"


class IncidentActivities:
    """Raises StoreUnavailable throughout. The store absorbs repetition."""

    def __init__(self, records: IssueService, targets: ResponseTargetService) -> None:
        self._records = records
        self._targets = targets

    @activity.defn
    async def save_events(self, batch: EventsToSave) -> SavedEvents:
        """Put the events on the timeline and refresh the issue.

        Raises UnknownConnection, ApplicationError CANNOT_APPLY: neither is to be tried again.
        """
        try:
            return await self._records.save(batch)
        except CannotApply as error:
            raise ApplicationError(str(error), type=CANNOT_APPLY, non_retryable=True) from error

    @activity.defn(name="set_aside")
    async def save_dead_letters(self, batch: DeadLettersToSave) -> None:
        """Keep what can't be understood, and say so on the issue."""
        await self._records.save_dead_letters(batch)

    @activity.defn(name="look_at_targets")
    async def check_targets(self, order: TargetsToCheck) -> TargetsChecked:
        """Say what is due, once, and file what follows from it, once."""
        return await self._targets.check_targets(order)
