"""The engine hands out no more calls of a connection than its rate, and lets connections take turns."""

import asyncio
import itertools
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from calmo_pagerduty.temporal.rate_limits import limit_each_connection
from workflows import names

PER_SECOND = 4
CALLS = 14
#: By connection, the places of its calls in the order in which they started.
started: dict[str, list[int]] = {}
_places = itertools.count()


@activity.defn
async def ask(connection: str) -> None:
    started.setdefault(connection, []).append(next(_places))


@workflow.defn
class Storm:
    @workflow.run
    async def run(self, connections: list[str]) -> None:
        queue = names.pagerduty_queue(workflow.info().task_queue)
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    ask,
                    connection,
                    task_queue=queue,
                    start_to_close_timeout=timedelta(seconds=30),
                    priority=Priority(fairness_key=connection),
                )
                for connection in connections
            )
        )


async def test_each_connection_has_its_own_rate(temporal: Client, task_queue: str) -> None:
    started.clear()
    queue = names.pagerduty_queue(task_queue)
    await limit_each_connection(temporal, queue, PER_SECOND * 60)
    storm = ["con_stormy"] * CALLS + ["con_calm"] * 2
    async with (
        Worker(
            temporal, task_queue=task_queue, workflows=[Storm], workflow_runner=UnsandboxedWorkflowRunner()
        ),
        Worker(temporal, task_queue=queue, activities=[ask]),
    ):
        await temporal.execute_workflow(Storm.run, storm, id=task_queue, task_queue=task_queue)
    stormy, calm = started["con_stormy"], started["con_calm"]
    assert await _rate_of_each_connection(temporal, queue) == PER_SECOND
    assert len(stormy) == CALLS
    # Asked for last, and yet not behind the storm.
    assert calm[-1] < stormy[-1]


async def _rate_of_each_connection(temporal: Client, queue: str) -> float:
    """Calls a second, as the engine has it: that it keeps to it is measured in the bench."""
    described = await temporal.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=temporal.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_config=True,
        )
    )
    return described.config.fairness_keys_rate_limit_default.rate_limit.requests_per_second
