"""Letting Temporal try a step again, at the moment that `domain.retries` says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait

#: The error type of a step whose connection was removed: it isn't tried again.
REMOVED = "Removed"


@contextmanager
def retried() -> Iterator[int]:
    """Yield which attempt it is, from 1. An error of PagerDuty's that isn't final is tried again.

    Raises ApplicationError for what is to be tried again, and for a connection that was removed;
    PagerDutyError for what is final.
    """
    attempt = activity.info().attempt
    try:
        yield attempt
    except PagerDutyError as error:
        wait = retry_wait(error, attempt)
        if wait is None:
            raise
        raise _again(error, wait) from None
    except ConnectionRemoved as removed:
        raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None


def _again(error: PagerDutyError, wait: timedelta) -> ApplicationError:
    # The message goes into the history: it says no more than the kind of error.
    return ApplicationError(
        f"PagerDuty: {type(error).__name__}",
        type=type(error).__name__,
        next_retry_delay=wait,
        # To be expected, and audited in the end: no traceback in the log for each.
        category=ApplicationErrorCategory.BENIGN,
    )
