"""Runs of the weekly digest whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping

from temporalio.client import Client

from calmo_pagerduty.findings.service import FindingService
from tests.support.findings import a_finding, a_result
from tests.support.tool_service import ToolService, start_workers
from workflows import names
from workflows.oncall_digest import DigestStart

#: Returns the workflow's id.
Scenario = Callable[[ToolService, Client], Awaitable[str]]


async def digest_made(service: ToolService, client: Client) -> str:
    """An account with a finding; its analysis ran long ago, and the digest says so."""
    await FindingService(service.database).record(service.connection_id, a_result(a_finding()))
    await start_workers(service)
    workflow_id = names.digest_workflow_id(service.connection_id)
    await client.execute_workflow(
        names.ONCALL_DIGEST_WORKFLOW,
        DigestStart(connection_id=service.connection_id),
        id=workflow_id,
        task_queue=service.ingress.services.settings.task_queue,
    )
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {"digest_made": digest_made}
