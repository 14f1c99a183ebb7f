"""Runs of the on-call analyses whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.findings.service import FindingService
from calmo_pagerduty.oncall.model import RunState
from calmo_pagerduty.reports.delivery_rules import Outcome
from calmo_pagerduty.reports.model import ReportKind
from tests.support.connected import TOKEN
from tests.support.findings import a_finding, a_result
from tests.support.report_inbox import run_report, running_inbox
from tests.support.snapshots import small_snapshot, store_snapshot_of, taken
from tests.support.system import System
from workflows import names
from workflows.oncall_analysis import OnCallProgress, OnCallStart
from workflows.oncall_digest import DigestStart

#: Returns the workflow's id.
Scenario = Callable[[System], Awaitable[str]]


async def run_oncall(service: System, **start: Any) -> tuple[str, OnCallProgress]:
    """Run the analyses as another service would, by the workflow's name, to their end."""
    order = OnCallStart(connection_id=service.connection_id, **start)
    workflow_id = names.oncall_workflow_id(service.connection_id, order.as_of, order.now)
    ended: OnCallProgress = await service.ingress.services.temporal.client.execute_workflow(
        names.ONCALL_ANALYSIS_WORKFLOW,
        order,
        id=workflow_id,
        task_queue=service.ingress.services.settings.task_queue,
        result_type=OnCallProgress,
    )
    return workflow_id, ended


async def oncall_analysed(service: System) -> str:
    """PagerDuty has trouble once meanwhile."""
    service.site.faults.fail_next("500", operation="listUsers")
    workflow_id, ended = await run_oncall(service)
    assert ended.state is RunState.COMPLETE
    return workflow_id


async def oncall_of_the_past(service: System) -> str:
    snapshot = small_snapshot(connection_id=service.connection_id)
    store_snapshot_of(service.database, snapshot)
    workflow_id, ended = await run_oncall(service, as_of=taken(snapshot), now=taken(snapshot))
    assert ended.snapshot_id == snapshot.id
    return workflow_id


async def oncall_of_no_snapshot(service: System) -> str:
    workflow_id, ended = await run_oncall(service, as_of=datetime(2020, 1, 1, tzinfo=UTC))
    assert ended.state is RunState.FAILED
    return workflow_id


async def oncall_refused(service: System) -> str:
    service.site.revoke_token(TOKEN)
    workflow_id, ended = await run_oncall(service)
    assert ended.problem == "PagerDuty refuses the connection's token"
    return workflow_id


async def report_delivered_late(service: System) -> str:
    """A report of an account is made, refused once by its receiver, and taken at the second attempt."""
    store_snapshot_of(service.database, small_snapshot(connection_id=service.connection_id))
    async with running_inbox() as inbox:
        inbox.script = ["503 Service Unavailable"]
        path = f"/api/connections/{service.connection_id}/report-address"
        await service.http.put(path, json={"url": inbox.url}, headers=service.headers)
        ended = await run_report(service, service.connection_id)
    assert (ended.outcome, ended.attempts) == (Outcome.DELIVERED, 2)
    return names.report_workflow_id(service.connection_id, ReportKind.WEEKLY_OPERATIONS)


async def digest_made(service: System) -> str:
    """An account with a finding; its analysis ran long ago, and the digest says so."""
    await FindingService(service.database).record(service.connection_id, a_result(a_finding()))
    workflow_id = names.digest_workflow_id(service.connection_id)
    await service.ingress.services.temporal.client.execute_workflow(
        names.ONCALL_DIGEST_WORKFLOW,
        DigestStart(connection_id=service.connection_id),
        id=workflow_id,
        task_queue=service.ingress.services.settings.task_queue,
    )
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        oncall_analysed,
        oncall_of_the_past,
        oncall_of_no_snapshot,
        oncall_refused,
        digest_made,
        report_delivered_late,
    )
}
