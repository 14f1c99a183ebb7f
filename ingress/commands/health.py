"""calmo-pagerduty health …: what a container's health check asks. Ends with 1 if it is not well."""

import asyncio

import typer
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from calmo_pagerduty.http_client import Client as HttpClient
from calmo_pagerduty.http_client import HTTPError
from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.settings import Settings, load_settings
from calmo_pagerduty.temporal import client as temporal_client

app = typer.Typer(no_args_is_help=True, help="Is a part well? For health checks.")


class NotWell(ExplainedError):
    """A part does not do its work; the message says what was seen."""


@app.command()
def ingress() -> None:
    """Ask the ingress on this machine whether database and Temporal are there."""
    settings = load_settings()
    try:
        with HttpClient(timeout=4.0, trust_env=False) as http:
            answer = http.get(f"http://127.0.0.1:{settings.http_port}/readyz")
    except HTTPError as error:
        raise NotWell(f"the ingress does not answer on port {settings.http_port}: {error}") from None
    typer.echo(answer.text)
    if answer.status_code != 200:
        raise NotWell(f"the ingress answered {answer.status_code}")


@app.command()
def worker() -> None:
    """Ask Temporal whether a worker listens to our task queue."""
    pollers = asyncio.run(_pollers(load_settings()))
    if not pollers:
        raise NotWell("no worker has asked Temporal for work lately")
    typer.echo(f"{len(pollers)} workers: {', '.join(pollers)}")


async def _pollers(settings: Settings) -> list[str]:
    try:
        options = temporal_client.connection_options()
        client = await Client.connect(**options, runtime=temporal_client.runtime())
        described = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=settings.task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
    except (RuntimeError, RPCError) as error:
        raise NotWell(f"Temporal does not answer: {str(error).splitlines()[0]}") from None
    return sorted({poller.identity for poller in described.pollers})
