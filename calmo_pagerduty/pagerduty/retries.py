"""What is tried again after which error of PagerDuty's, and when: one table."""

from collections.abc import Mapping
from datetime import timedelta

from calmo_pagerduty.pagerduty.errors import (
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

#: None is never tried again; else the attempts after which it is given up.
MAX_ATTEMPTS: Mapping[type[PagerDutyError], int | None] = {
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
FIRST_WAIT = timedelta(seconds=1)
MAX_WAIT = timedelta(minutes=1)
#: PagerDuty says whole seconds; its clock and ours are not the same.
MARGIN = timedelta(milliseconds=500)


def retry_wait(error: PagerDutyError, attempt: int) -> timedelta | None:
    """Return after which time to try again; None if the error is final. `attempt` counts from 1."""
    attempts = MAX_ATTEMPTS[nearest_row(error)]
    if attempts is None or attempt >= attempts:
        return None
    if isinstance(error, RateLimited):
        return error.retry_after + MARGIN
    doubled: int = 2 ** min(attempt - 1, 10)
    return min(MAX_WAIT, FIRST_WAIT * doubled)


def nearest_row(error: PagerDutyError) -> type[PagerDutyError]:
    """Return the row of an error's own class, or of the nearest class above it."""
    for kind in type(error).__mro__:
        if kind in MAX_ATTEMPTS:
            return kind
    raise TypeError(f"{type(error).__name__} has no row in the table of retries")
