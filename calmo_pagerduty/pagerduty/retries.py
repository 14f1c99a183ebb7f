"""The retry table: after which errors of PagerDuty a request is sent again, how often and when."""

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

#: The number of attempts by error class; None means no retry.
MAX_ATTEMPTS: Mapping[type[PagerDutyError], int | None] = {
    TokenRejected: None,
    NotInPlan: None,
    AccessDenied: None,
    NotFound: None,
    AlreadySo: None,
    InvalidRequest: None,
    OutcomeUnknown: None,
    #: The plan reads the object again before each attempt.
    ChangedMeanwhile: 5,
    #: An answer that isn't JSON may be a proxy's temporary page.
    NotUnderstood: 8,
    #: The workflow's timeout ends these.
    RateLimited: 1_000_000,
    ServerFault: 1_000_000,
    Unreachable: 1_000_000,
}
FIRST_WAIT = timedelta(seconds=1)
MAX_WAIT = timedelta(minutes=1)
#: PagerDuty states whole seconds, and its clock differs from ours.
MARGIN = timedelta(milliseconds=500)


def retry_wait(error: PagerDutyError, attempt: int) -> timedelta | None:
    """Return the wait before the next attempt; None if there is none. `attempt` counts from 1."""
    attempts = MAX_ATTEMPTS[nearest_row(error)]
    if attempts is None or attempt >= attempts:
        return None
    if isinstance(error, RateLimited):
        return error.retry_after + MARGIN
    doubled: int = 2 ** min(attempt - 1, 10)
    return min(MAX_WAIT, FIRST_WAIT * doubled)


def nearest_row(error: PagerDutyError) -> type[PagerDutyError]:
    """Return the class whose row in MAX_ATTEMPTS applies: the error's own or its nearest base class.

    Raises TypeError if no row applies.
    """
    for kind in type(error).__mro__:
        if kind in MAX_ATTEMPTS:
            return kind
    raise TypeError(f"{type(error).__name__} has no row in the table of retries")
