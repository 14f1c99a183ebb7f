"""List the workers that poll Temporal for tasks."""

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.settings import load_settings
from calmo_pagerduty.temporal import client as temporal_client
from calmo_pagerduty.temporal.task_queues import TaskKind, describe_queue


class TemporalSilent(Exception):
    """Temporal does not answer. The message says why."""


def list_pollers() -> list[str]:
    """Return the identities of workers that polled our task queue lately. Raises TemporalSilent."""
    return asyncio.run(_pollers(load_settings().task_queue))


async def _pollers(task_queue: str) -> list[str]:
    try:
        options = temporal_client.connection_options()
        client = await Client.connect(**options, runtime=temporal_client.runtime())
        state = await describe_queue(client, task_queue, TaskKind.WORKFLOWS)
    except (RuntimeError, RPCError) as error:
        raise TemporalSilent(str(error).splitlines()[0]) from None
    return sorted({poller.identity for poller in state.pollers})
