"""List the workers that poll Temporal for tasks."""

import asyncio

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.settings import load_settings
from calmo_pagerduty.temporal import client as temporal_client


class TemporalSilent(Exception):
    """Temporal does not answer. The message says why."""


def list_pollers() -> list[str]:
    """Return the identities of workers that polled our task queue lately. Raises TemporalSilent."""
    return asyncio.run(_pollers(load_settings().task_queue))


async def _pollers(task_queue: str) -> list[str]:
    try:
        options = temporal_client.connection_options()
        client = await Client.connect(**options, runtime=temporal_client.runtime())
        description = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
    except (RuntimeError, RPCError) as error:
        raise TemporalSilent(str(error).splitlines()[0]) from None
    return sorted({poller.identity for poller in description.pollers})
