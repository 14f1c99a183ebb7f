"""Send events to their incident's workflow with signal-with-start.

The request is built by hand because the SDK gives each call a random request id. Ours is a hash of the
batch, so Temporal drops a repeated signal within a run. Across runs, the workflow's state and the
timeline's UNIQUE constraint make repeated events harmless.
"""

import uuid
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowIdReusePolicy
from temporalio.api.workflowservice.v1 import SignalWithStartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import encode_search_attributes
from temporalio.service import RPCError

from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.incidents.lifecycle import (
    EventFacts,
    IncidentState,
    LifecyclePolicy,
    Publish,
    decide,
    publication_of,
)
from calmo_pagerduty.incidents.signals import RECEIVE_EVENTS, encode_signal
from calmo_pagerduty.temporal.client import ensure_search_attributes
from ingress.forwarding.failures import lacks_search_attribute
from ingress.forwarding.incident_starter import IncidentStarter
from workflows import names

_REQUESTS = uuid.UUID("6f1b9d0c-6c59-5c0e-9d6b-5d0a2b3c7a11")
_JSON = {"encoding": b"json/plain"}


class SignalSender:
    """Sends batches of one incident's deliveries to its workflow."""

    def __init__(self, client: Client, starter: IncidentStarter) -> None:
        self._client = client
        self._starter = starter

    async def send(self, batch: Sequence[PendingDelivery]) -> None:
        """Send the batch in a single signal. All its deliveries are of the same incident.

        If the namespace has lost our search attributes, they are added for the next attempt.
        Raises RPCError, MissingSearchAttributes.
        """
        request = await self._request(batch)
        try:
            await self._client.workflow_service.signal_with_start_workflow_execution(request, retry=True)
        except RPCError as error:
            if lacks_search_attribute(error):
                await ensure_search_attributes(self._client, names.SEARCH_ATTRIBUTES)
            raise

    async def _request(self, batch: Sequence[PendingDelivery]) -> SignalWithStartWorkflowExecutionRequest:
        first = batch[0]
        run = self._starter.run(first.ref, first.scope, first.severities, _will_publish(batch))
        signal = encode_signal([(delivery.seq, delivery.attempts > 0, delivery.facts) for delivery in batch])
        encode = self._client.data_converter.encode
        request = SignalWithStartWorkflowExecutionRequest(
            namespace=self._client.namespace,
            identity=self._client.identity,
            workflow_id=run.workflow_id,
            request_id=_request_id(batch),
            signal_name=RECEIVE_EVENTS,
            # If the workflow has completed, a new run starts and continues the same issue.
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        )
        request.workflow_type.name = names.INCIDENT_WORKFLOW
        request.task_queue.name = run.task_queue
        request.workflow_task_timeout.FromTimedelta(run.task_timeout)
        request.input.payloads.extend(await encode([run.start]))
        raw = RawValue(Payload(metadata=_JSON, data=signal))
        request.signal_input.payloads.extend(await encode([raw]))
        summary, details = await encode([run.summary, run.details])
        request.user_metadata.summary.CopyFrom(summary)
        request.user_metadata.details.CopyFrom(details)
        encode_search_attributes(run.search_attributes, request.search_attributes)
        return request


def _request_id(batch: Sequence[PendingDelivery]) -> str:
    content = ",".join(f"{delivery.seq}.{delivery.attempts}" for delivery in batch)
    return str(uuid.uuid5(_REQUESTS, f"{batch[0].ref.workflow_id}:{content}"))


def _will_publish(batch: Sequence[PendingDelivery]) -> Publish | None:
    """Return the search attributes that a new run would set after this batch, None if unreadable.

    With them as first values, the run need not set them again. A run that exists already ignores them.
    """
    try:
        facts = [EventFacts.from_delivery_row(delivery) for delivery in batch]
    except ValueError:
        return None
    policy = LifecyclePolicy(severities=batch[0].severities)
    return publication_of(decide(IncidentState(), facts, facts[0].occurred_at, policy).state)
