"""REST endpoint that explains why an incident is or is not an issue, from the database and Temporal."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.access.permissions import DELIVERIES_READ
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.deliveries.explanation_queries import ExplanationLookup, get_explanation_input
from calmo_pagerduty.deliveries.explanations import (
    Explanation,
    ExplanationInput,
    StepState,
    WorkflowStatus,
    explain,
)
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.kernel.id_patterns import INCIDENT_ID
from calmo_pagerduty.temporal.handle import TemporalHandle
from ingress.api.endpoints import Endpoint, EndpointRow, Json, NoInput
from ingress.api.errors import ResourceNotFound
from ingress.api.models import Model

QUERY_TIMEOUT_SECONDS = 2.0
_STATUS: Mapping[WorkflowExecutionStatus, WorkflowStatus] = {
    WorkflowExecutionStatus.RUNNING: WorkflowStatus.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: WorkflowStatus.RUNNING,
    WorkflowExecutionStatus.COMPLETED: WorkflowStatus.COMPLETED,
}


class ExplanationStepModel(Model):
    """A step that an incident's events pass. `advice` says what to do if its state is not ok."""

    name: str
    state: StepState
    words: str
    advice: str | None


class ExplanationModel(Model):
    """The steps up to the first that is missing or unknown. If all are ok, `issue_id` is the issue."""

    incident_id: str
    issue_id: str | None
    first_missing: str | None
    advice: str | None
    steps: list[ExplanationStepModel]


class ExplanationEndpoints:
    """The endpoint for explanations. Errors: `ingress.api.errors`."""

    def __init__(self, database: Database, temporal: TemporalHandle, task_queue: str) -> None:
        self._database = database
        self._temporal = temporal
        self._task_queue = task_queue

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "GET",
                "/api/explain/{incident_id}",
                "Explain why an incident is or is not an issue",
                Json(ExplanationModel),
                permission=DELIVERIES_READ,
                takes=NoInput,
                handler=self.show,
                statuses=((404, "no incident's id looks like this"),),
            )
        ]

    async def show(self, request: Request, principal: Principal, _nothing: NoInput) -> ExplanationModel:
        """GET /api/explain/{incident_id}. Raises ResourceNotFound."""
        incident_id = request.path_params["incident_id"]
        if not INCIDENT_ID.fullmatch(incident_id):
            raise ResourceNotFound(f"no incident's id looks like {incident_id[:60]!r}")
        now = datetime.now(UTC)
        lookup = await self._database.read(
            lambda t: get_explanation_input(t, principal.visibility, incident_id, now), principal.visibility
        )
        return _model(incident_id, explain(await self._with_temporal(lookup)), lookup.facts.issue_id)

    async def _with_temporal(self, lookup: ExplanationLookup) -> ExplanationInput:
        """Add the workers and the workflow's status, if the explanation depends on them."""
        stored_states = {DeliveryState.PENDING, DeliveryState.FORWARDED, DeliveryState.APPLIED}
        if lookup.ref is None or lookup.facts.issue_id or stored_states.isdisjoint(lookup.facts.deliveries):
            return lookup.facts
        if not self._temporal.connected:
            return replace(lookup.facts, temporal=False)
        client = self._temporal.client
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_SECONDS):
                workers = await self._workers(client)
                workflow = await _status(client, lookup.ref.workflow_id)
        except (RPCError, TimeoutError):
            return replace(lookup.facts, temporal=False)
        return replace(lookup.facts, workers=workers, workflow=workflow)

    async def _workers(self, client: Client) -> int:
        description = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=self._task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
        return len({poller.identity for poller in description.pollers})


async def _status(client: Client, workflow_id: str) -> WorkflowStatus:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return WorkflowStatus.NONE
        raise
    if description.status is None:
        return WorkflowStatus.UNASKED
    return _STATUS.get(description.status, WorkflowStatus.ENDED)


def _model(incident_id: str, explanation: Explanation, issue_id: str | None) -> ExplanationModel:
    missing = explanation.first_missing
    return ExplanationModel(
        incident_id=incident_id,
        issue_id=issue_id,
        first_missing=None if missing is None else missing.name,
        advice=None if missing is None else missing.advice,
        steps=[ExplanationStepModel.from_row(step) for step in explanation.steps],
    )
