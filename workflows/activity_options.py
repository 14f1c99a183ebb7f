"""Timeouts and retry policies of each kind of activity."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import Priority, RetryPolicy


class RegularOptions(TypedDict):
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy


class LocalOptions(TypedDict):
    start_to_close_timeout: timedelta
    local_retry_threshold: timedelta
    retry_policy: RetryPolicy


#: A short, idempotent write to our own database. Temporal retries it until it succeeds: the issue must
#: not miss an event. Waits above the threshold become timers, so an outage adds little history.
STORE: LocalOptions = {
    "start_to_close_timeout": timedelta(seconds=15),
    "local_retry_threshold": timedelta(seconds=5),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=100),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=["UnknownConnection", "CannotDecrypt", "RowRefused"],
    ),
}

#: A request to PagerDuty. `pagerduty.retries` decides when to retry PagerDuty's errors; this policy covers
#: all others, such as an outage of our own database. Missing heartbeats reveal a dead worker.
PAGERDUTY: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=15),
    "schedule_to_close_timeout": timedelta(hours=24),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=["RowRefused"],
    ),
}

#: A comparison with PagerDuty. If a run doesn't finish in this time, the next run catches up.
RECONCILE: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=20),
    "schedule_to_close_timeout": timedelta(hours=1),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
        non_retryable_error_types=["RowRefused"],
    ),
}

#: How long a source may wait in the task queue, in addition to its own timeout: when fifty incidents
#: come at once, the workers read their sources one after the other.
QUEUE_TIMEOUT = timedelta(minutes=10)


def source_options(timeout: timedelta) -> RegularOptions:
    """Return the options for reading one source of a context. The activity itself ends at `timeout`."""
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


#: A request to Temporal to gather a context. An incident must never wait for it.
CONTEXT_REQUEST: LocalOptions = {
    "start_to_close_timeout": timedelta(seconds=3),
    "local_retry_threshold": timedelta(seconds=1),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=2),
}


class PagerDutyOptions(RegularOptions):
    """Options with the queue for PagerDuty's activities and the connection's share of it."""

    task_queue: str
    priority: Priority
    summary: str


#: A look at a drill's incident. Its deadline passes while PagerDuty doesn't answer.
DRILL: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=2),
    "schedule_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=30),
    ),
}


class PlainOptions(TypedDict):
    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


#: A decision on a stored snapshot, whose loading takes a second for a large account. Temporal retries it
#: without end: a proposal that comes late is better than none, and it expires.
COVER: PlainOptions = {
    "start_to_close_timeout": timedelta(minutes=1),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
    ),
}

#: Making or sending a report: it loads a stored snapshot, or waits for a receiver. Missing heartbeats
#: reveal a dead worker. A report whose making fails for a day is made at its next time.
REPORT: RegularOptions = {
    "start_to_close_timeout": timedelta(minutes=10),
    "schedule_to_close_timeout": timedelta(hours=24),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=5),
        non_retryable_error_types=["SnapshotUnreadable", "RowRefused"],
    ),
}
