"""Convert PagerDuty's errors, so that Temporal retries at the time that `pagerduty.retries` computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from calmo_pagerduty.connections.store import ConnectionRemoved
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.retries import retry_wait

#: The error type of an activity whose connection was removed; Temporal doesn't retry it.
REMOVED = "Removed"


@contextmanager
def retried() -> Iterator[int]:
    """Yield the number of the attempt, from 1.

    Raises ApplicationError for PagerDuty's errors that Temporal retries, and for a removed connection;
    PagerDutyError for final errors.
    """
    attempt = activity.info().attempt
    try:
        yield attempt
    except PagerDutyError as error:
        wait = retry_wait(error, attempt)
        if wait is None:
            raise
        raise _retryable(error, wait) from None
    except ConnectionRemoved as removed:
        raise ApplicationError(str(removed), type=REMOVED, non_retryable=True) from None


def _retryable(error: PagerDutyError, wait: timedelta) -> ApplicationError:
    # The message goes into the history, so it holds only the kind of error.
    return ApplicationError(
        f"PagerDuty: {type(error).__name__}",
        type=type(error).__name__,
        next_retry_delay=wait,
        # It is expected, and its end is audited: the log needs no traceback.
        category=ApplicationErrorCategory.BENIGN,
    )
