"""Send an action to its incident's workflow with update-with-start, which starts a run if none is open."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakValueDictionary

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.incidents.actions import ACTION_REFUSED
from calmo_pagerduty.incidents.lifecycle import IncidentState, publication_of
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from ingress.api.errors import ActionRefused
from ingress.forwarding.incident_starter import IncidentStarter
from workflows import names
from workflows.incident import ActionToAccept

logger = logging.getLogger(__name__)

#: At most this many updates per workflow are in flight. Temporal refuses more than 10.
MAX_CONCURRENT = 4
RETRY_PAUSE_SECONDS = 0.2
_RETRYABLE_CODES = frozenset(
    {
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.NOT_FOUND,
        RPCStatusCode.FAILED_PRECONDITION,
    }
)
#: The run ended after it accepted the update and before it answered. The update is sent to the next run.
_RUN_ENDED = "AcceptedUpdateCompletedWorkflow"
#: If the workflow has not accepted the action after this time, the answer is the open call.
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class IncidentToStart:
    """What a new run of an incident's workflow starts with, as stored in the database."""

    ref: IncidentRef
    scope: Scope
    state: IncidentState
    severities: Mapping[str, Severity]


class ActionSender:
    """Sends actions to the workflows of their incidents."""

    def __init__(self, starter: IncidentStarter) -> None:
        self._starter = starter
        #: By workflow id.
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def send(self, client: Client, incident: IncidentToStart, action: ActionToAccept) -> bool:
        """Send the action until the workflow accepts it. Return False if it did not within TIMEOUT_SECONDS.

        Temporal knows the update by the call's id, so sending it again does not repeat the action.

        Raises ActionRefused, TemporalUnavailable.
        """
        turns = self._turns.setdefault(incident.ref.workflow_id, asyncio.Semaphore(MAX_CONCURRENT))
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS), turns:
                while True:
                    if await self._try_send(client, incident, action):
                        return True
                    await asyncio.sleep(RETRY_PAUSE_SECONDS)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            logger.info("action_not_taken_over_yet", extra={"workflow_id": incident.ref.workflow_id})
            return False

    async def _try_send(self, client: Client, incident: IncidentToStart, action: ActionToAccept) -> bool:
        """Send the action once. Return False if the workflow is busy or has just continued as new."""
        start = self._start(incident)
        try:
            await client.execute_update_with_start_workflow(
                names.UPDATE_ACT, action, start_workflow_operation=start, id=action.filed.call_id
            )
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError) and cause.type == ACTION_REFUSED:
                raise ActionRefused(cause.message) from None
            if isinstance(cause, ApplicationError) and cause.type == _RUN_ENDED:
                return False
            raise TemporalUnavailable(
                f"the workflow did not accept the action ({type(cause).__name__})"
            ) from error
        except RPCError as error:
            if error.status in _RETRYABLE_CODES:
                return False
            raise TemporalUnavailable(str(error.status.name)) from error
        finally:
            await _discard_result(start)
        return True

    def _start(self, incident: IncidentToStart) -> WithStartWorkflowOperation[object, object]:
        run = self._starter.run(
            incident.ref,
            str(incident.scope),
            incident.severities,
            publication_of(incident.state),
            incident.state,
        )
        return WithStartWorkflowOperation(
            names.INCIDENT_WORKFLOW,
            run.start,
            id=run.workflow_id,
            task_queue=run.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            task_timeout=run.task_timeout,
            static_summary=run.summary,
            static_details=run.details,
            search_attributes=run.search_attributes,
        )


async def _discard_result(start: WithStartWorkflowOperation[object, object]) -> None:
    """Await the start's own result. Otherwise asyncio logs that nobody retrieved it."""
    with suppress(Exception):
        async with asyncio.timeout(0.01):
            await start.workflow_handle()
