"""What is tried again after which error of PagerDuty's, and when: one table."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from calmo_pagerduty.domain.api_errors import (
    AccessDenied,
    AlreadySo,
    ChangedMeanwhile,
    InvalidRequest,
    NotFound,
    NotInPlan,
    NotUnderstood,
    OutcomeUnknown,
    PagerDutyError,
    RateLimited,
    ServerFault,
    TokenRejected,
    Unreachable,
)
from calmo_pagerduty.domain.tool_calls import CallState

#: None is never tried again; else the attempts after which it is given up.
ATTEMPTS: Mapping[type[PagerDutyError], int | None] = {
    TokenRejected: None,
    NotInPlan: None,
    AccessDenied: None,
    NotFound: None,
    AlreadySo: None,
    InvalidRequest: None,
    OutcomeUnknown: None,
    #: Somebody else is changing it too; the plan reads it anew each time.
    ChangedMeanwhile: 5,
    #: What isn't JSON may be a proxy's page that goes away.
    NotUnderstood: 8,
    #: As long as the workflow has patience.
    RateLimited: 1_000_000,
    ServerFault: 1_000_000,
    Unreachable: 1_000_000,
}
_ENDED_AS: Mapping[type[PagerDutyError], CallState] = {
    AlreadySo: CallState.DONE,
    OutcomeUnknown: CallState.UNKNOWN,
}
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=1)
#: PagerDuty says whole seconds; its clock and ours are not the same.
MARGIN = timedelta(milliseconds=500)


def to_be_tried_again(error: PagerDutyError, attempt: int) -> ApplicationError | None:
    """Return the error that lets the engine try again at the right moment; None if it is final."""
    attempts = ATTEMPTS[_row_of(error)]
    if attempts is None or attempt >= attempts:
        return None
    if isinstance(error, RateLimited):
        wait = error.retry_after + MARGIN
    else:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt - 1, 10))
    # The message goes into the history: it says no more than the kind of error.
    return ApplicationError(
        f"PagerDuty: {type(error).__name__}",
        type=type(error).__name__,
        next_retry_delay=wait,
        # To be expected, and audited in the end: no traceback in the log for each.
        category=ApplicationErrorCategory.BENIGN,
    )


def ended_as(error: PagerDutyError) -> CallState:
    """Return how a call ended that met a final error."""
    return _ENDED_AS.get(_row_of(error), CallState.FAILED)


def _row_of(error: PagerDutyError) -> type[PagerDutyError]:
    """Return the row of an error's own class, or of the nearest class above it."""
    for kind in type(error).__mro__:
        if kind in ATTEMPTS:
            return kind
    raise TypeError(f"{type(error).__name__} has no row in the table of retries")
