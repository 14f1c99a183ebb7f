"""Delete executions and schedules from Temporal, with their histories, before its retention would."""

from collections.abc import Iterable, Iterator, Sequence

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

#: Ids in a query: servers bound its length.
IDS_IN_QUERY = 50


def queries_of(workflow_ids: Iterable[str]) -> Iterator[str]:
    """Return queries that find the executions with these ids."""
    ids = tuple(workflow_ids)
    for start in range(0, len(ids), IDS_IN_QUERY):
        yield f"WorkflowId IN ({', '.join(map(_quoted, ids[start : start + IDS_IN_QUERY]))})"


def query_of(**search_attributes: str) -> str:
    """Return the query for what has all these search attributes."""
    return " AND ".join(f"{name} = {_quoted(value)}" for name, value in search_attributes.items())


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


async def list_executions(client: Client, queries: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return id and run of all executions that a query finds, running or closed. Raises RPCError."""
    found = {
        (execution.id, execution.run_id): None
        for query in queries
        async for execution in client.list_workflows(query)
    }
    return tuple(found)


async def delete_executions(client: Client, executions: Iterable[tuple[str, str]]) -> int:
    """Delete executions with their histories; the server terminates those that run. Return how many.

    The server deletes in the background, within seconds. Raises RPCError, also if it allows no deletion.
    """
    deleted = 0
    for workflow_id, run_id in executions:
        request = DeleteWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        )
        try:
            await client.workflow_service.delete_workflow_execution(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        else:
            deleted += 1
    return deleted


async def delete_schedules(client: Client, query: str) -> int:
    """Delete the schedules that a query finds. Return how many. Raises RPCError."""
    ids = [listed.id async for listed in await client.list_schedules(query)]
    for schedule_id in ids:
        try:
            await client.get_schedule_handle(schedule_id).delete()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    return len(ids)
