"""How long each kind of step may take, and how it is tried again."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy


class RegularOptions(TypedDict):
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


class LocalOptions(TypedDict):
    start_to_close_timeout: timedelta
    local_retry_threshold: timedelta
    retry_policy: RetryPolicy


#: A short, idempotent write to our own database. It is tried until it succeeds: the issue must not
#: miss an event. Waits above the threshold become timers, so an outage costs little history.
STORE: LocalOptions = {
    "start_to_close_timeout": timedelta(seconds=15),
    "local_retry_threshold": timedelta(seconds=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=["UnknownConnection", "CannotDecrypt"],
    ),
}

#: Asking PagerDuty. When to try again is `domain.retries`' to say; this is for what it doesn't
#: know, such as our own database being away. A worker that dies is noticed by its heartbeats.
PAGERDUTY: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=15),
    "schedule_to_close_timeout": timedelta(hours=24),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
    ),
}

#: Comparing with PagerDuty. A run that can't in this time is followed by the next one.
RECONCILE: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=20),
    "schedule_to_close_timeout": timedelta(hours=1),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
    ),
}

#: A step of gathering waits for its turn in the queue for so long, beside its own patience: fifty
#: incidents at once are asked for one after the other.
QUEUE_TIMEOUT = timedelta(minutes=10)


def source_options(timeout: timedelta) -> RegularOptions:
    """Reading one source of an incident's context. It ends by itself when its patience does."""
    return {
        "start_to_close_timeout": timeout + timedelta(seconds=15),
        "schedule_to_close_timeout": timeout + QUEUE_TIMEOUT,
        "heartbeat_timeout": timedelta(seconds=10),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=2.0,
            maximum_interval=timedelta(seconds=15),
        ),
    }


#: Asking Temporal itself to gather a context: an incident must never wait for it.
CONTEXT_REQUEST: LocalOptions = {
    "start_to_close_timeout": timedelta(seconds=3),
    "local_retry_threshold": timedelta(seconds=1),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2),
}
