"""The engine hands out no more calls of a connection than its rate, and lets connections take turns."""

import asyncio
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from calmo_pagerduty.temporal_limits import limit_each_connection
from workflows import names

PER_SECOND = 4
CALLS = 14
#: The server may hand out two seconds' worth at the start.
BURST = 2 * PER_SECOND + 1

started: dict[str, list[float]] = {}


@activity.defn
async def ask(connection: str) -> None:
    started.setdefault(connection, []).append(time.monotonic())


@workflow.defn
class Storm:
    @workflow.run
    async def run(self, connections: list[str]) -> None:
        queue = names.calls_queue(workflow.info().task_queue)
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    ask,
                    one,
                    task_queue=queue,
                    start_to_close_timeout=timedelta(seconds=30),
                    priority=Priority(fairness_key=one),
                )
                for one in connections
            )
        )


async def test_each_connection_has_its_own_rate(temporal: Client, task_queue: str) -> None:
    started.clear()
    queue = names.calls_queue(task_queue)
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
    assert len(stormy) == CALLS
    assert stormy[-1] - stormy[0] >= (CALLS - BURST) / PER_SECOND
    # Asked for last, and yet not behind the storm.
    assert calm[-1] < stormy[-1]
