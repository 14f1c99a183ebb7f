"""What Temporal knows of our task queues: who polls them, in which release, and how much waits there.

Temporal is asked for a limited time, and rarely: pages that many people look at share an answer.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable

#: Temporal is asked for no longer than this.
ANSWER_SECONDS = 2.0
#: An answer, also that there was none, is good for so long.
KEPT_SECONDS = 10.0
#: Temporal lists a poller for minutes after its last poll. A poll that finds no task lasts a minute.
POLLS_WITHIN = timedelta(seconds=90)


class TaskKind(Enum):
    """The kind of a queue's tasks, with Temporal's number."""

    WORKFLOWS = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@dataclass(frozen=True, slots=True)
class Poller:
    """A worker that polled a queue lately. `release` is None if it does not say any. Times are UTC."""

    identity: str
    release: str | None
    last_poll: datetime

    def polls(self, now: datetime) -> bool:
        """Tell whether it still polls, as far as can be told."""
        return now - self.last_poll <= POLLS_WITHIN


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue. `waiting` is roughly how many tasks nobody took yet, the oldest of them for `waited`."""

    name: str
    kind: TaskKind
    waiting: int
    waited: timedelta
    pollers: tuple[Poller, ...]


class TaskQueues:
    """Our queues as Temporal sees them."""

    def __init__(self, temporal: TemporalHandle, queues: Sequence[tuple[str, TaskKind]]) -> None:
        self._temporal = temporal
        self._queues = queues
        self._answer: Sequence[QueueState] | None = None
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def states(self) -> Sequence[QueueState] | None:
        """Return the queues, at most `KEPT_SECONDS` old; None if Temporal is away or does not answer."""
        async with self._asking:
            if self._asked_at is None or time.monotonic() - self._asked_at > KEPT_SECONDS:
                self._answer = await self._ask()
                # A process that has not connected yet is not to be kept waiting once it has.
                self._asked_at = time.monotonic() if self._temporal.connected else None
            return self._answer

    async def _ask(self) -> Sequence[QueueState] | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return [
                    await describe_queue(self._temporal.client, name, kind) for name, kind in self._queues
                ]
        except (RPCError, TemporalUnavailable, TimeoutError):
            return None


async def describe_queue(client: Client, name: str, kind: TaskKind) -> QueueState:
    """Return a queue's state. Raises RPCError."""
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=kind.value,
            report_stats=True,
        )
    )
    pollers = (
        Poller(
            poller.identity,
            poller.deployment_options.build_id or poller.worker_version_capabilities.build_id or None,
            poller.last_access_time.ToDatetime(UTC),
        )
        for poller in answer.pollers
    )
    return QueueState(
        name,
        kind,
        answer.stats.approximate_backlog_count,
        answer.stats.approximate_backlog_age.ToTimedelta(),
        tuple(sorted(pollers, key=lambda poller: poller.identity)),
    )
