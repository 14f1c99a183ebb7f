"""Call tools, for all channels: a read at once if possible, all else as a workflow."""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from calmo_pagerduty.access.proofs import ProofKeys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.pagerduty.errors import PagerDutyError, TryAgain
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.authorization_service import Admission, ToolAuthorizer
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, Channel, tool_call_workflow_id
from calmo_pagerduty.tool_calls.proofs import DECISION_LIFETIME, ORDER_LIFETIME, decision_claims, order_claims
from calmo_pagerduty.tool_calls.reading_service import readable_call
from calmo_pagerduty.tool_calls.record_service import CallToCreate, ToolCallTicket
from calmo_pagerduty.tool_calls.service import ToolCallService, error_document
from calmo_pagerduty.tool_calls.store import ToolCall
from calmo_pagerduty.tools.classes import Access
from calmo_pagerduty.tools.model import CallContext
from calmo_pagerduty.tools.permissions import UNTRUSTED_RULE
from ingress.api.errors import AlreadyDecided, CallStored, DecisionRefused
from ingress.api.finding import require
from workflows import names
from workflows.tool_call import ApproverDecision, call_workflow_options

logger = logging.getLogger(__name__)

#: How long a read waits for a permit before it becomes a workflow.
READ_TIMEOUT = timedelta(seconds=2)
MAX_WAIT_SECONDS = 60.0
#: How long a decision waits for a worker.
DECISION_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class CallResult:
    """The state of a call. `call` is None for a read that was answered at once."""

    state: CallState
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None
    call: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order with our proof, which must be filed before `expires_at` (UTC)."""

    order: CallToCreate
    expires_at: datetime


class ToolCallDispatcher:
    """Calls tools. Writes, and reads that must wait, become workflows."""

    def __init__(
        self,
        database: Database,
        authorizer: ToolAuthorizer,
        calls: ToolCallService,
        temporal: TemporalHandle,
        task_queue: str,
        proofs: ProofKeys,
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._calls = calls
        self._temporal = temporal
        self._task_queue = task_queue
        self._proofs = proofs

    async def call(
        self,
        principal: Principal,
        channel: Channel,
        connection_id: str | None,
        tool_name: str,
        arguments: Mapping[str, Any],
        idempotency_key: str | None = None,
        wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> CallResult:
        """Call a tool, and wait up to `wait_seconds` for the result.

        If the result takes longer, the answer holds the open call; ask for its state by its id. A repeated
        `idempotency_key` returns the first call.

        Raises NoSuchTool, NoSuchConnection, InvalidArguments, CallRefused, CapReached,
        IdempotencyKeyReused, CallStored, StoreUnavailable.
        """
        admission = await self._authorizer.admit(principal, channel, connection_id, tool_name, arguments)
        if admission.tool.access is Access.READ and not admission.tool.durable:
            answer = await self._run_read(admission)
            if answer is not None:
                return answer
        call = await self._authorizer.create_call(admission, idempotency_key or secrets.token_hex(16))
        if call.state in OPEN_STATES:
            try:
                handle = await self._start_workflow(call)
            except TemporalUnavailable as error:
                raise CallStored(str(error)) from error
            await _wait(handle, 0.0 if call.state is CallState.WAITING else wait_seconds)
            call = await self.get_call(principal, call.id)
        return CallResult(call.state, call.result, call.error, call)

    async def sign_order(
        self,
        principal: Principal,
        connection_id: str | None,
        tool_name: str,
        arguments: Mapping[str, Any],
        idempotency_key: str,
    ) -> SignedOrder:
        """Return the order of a call for a workflow of another service, with our proof. Nothing is done yet.

        Raises NoSuchTool, NoSuchConnection, InvalidArguments, CallRefused, StoreUnavailable.
        """
        admission = await self._authorizer.admit(
            principal, Channel.TEMPORAL, connection_id, tool_name, arguments
        )
        expires_at = datetime.now(UTC).replace(microsecond=0) + ORDER_LIFETIME
        connection = admission.connection.id
        claims = order_claims(principal.key_id, connection, tool_name, admission.sha256, idempotency_key)
        order = CallToCreate(
            key_id=principal.key_id,
            connection_id=connection,
            tool=tool_name,
            arguments=admission.given,
            idempotency_key=idempotency_key,
            proof=self._proofs.sign(claims, expires_at),
        )
        return SignedOrder(order, expires_at)

    async def get_call(self, principal: Principal, call_id: str) -> ToolCall:
        """Return a call that the principal may see, and of it what it may read.

        Raises ResourceNotFound, StoreUnavailable.
        """
        now = datetime.now(UTC)

        def read(tx: Transaction) -> ToolCall | None:
            call = tool_calls.get_visible_call(tx, principal.visibility, call_id)
            return None if call is None else readable_call(tx, principal, call, now)

        call = await self._database.read(read, principal.visibility)
        return require(call, "call", call_id)

    async def _find_call(self, principal: Principal, call_id: str) -> ToolCall:
        call = await self._database.read(
            lambda t: tool_calls.get_visible_call(t, principal.visibility, call_id), principal.visibility
        )
        return require(call, "call", call_id)

    async def decide(self, principal: Principal, call_id: str, approve: bool, sha256: str | None) -> ToolCall:
        """Send a person's decision to the workflow that waits for it, and return the call.

        `sha256` is the hash of the arguments that the person saw; if None, it is not checked.

        Raises ResourceNotFound, AlreadyDecided, DecisionRefused, TemporalUnavailable, StoreUnavailable.
        """
        call = await self._find_call(principal, call_id)
        if call.state is not CallState.WAITING:
            by = f" by {call.approver}" if call.approver else ""
            raise AlreadyDecided(f"the call doesn't wait for a decision: it is {call.state}{by}")
        if approve and sha256 is None and call.rule.startswith(UNTRUSTED_RULE):
            raise DecisionRefused(
                "an agent that has read texts from outside asked for it: look at its arguments, and send"
                f" their hash with the approval: arguments_sha256 {call.arguments_sha256}"
            )
        claims = decision_claims(call.id, call.arguments_sha256, approve, principal.key_id)
        decision = ApproverDecision(
            approve=approve,
            key_id=principal.key_id,
            arguments_sha256=sha256,
            proof=self._proofs.sign(claims, datetime.now(UTC) + DECISION_LIFETIME),
        )
        handle = await self._start_workflow(call)
        try:
            async with asyncio.timeout(DECISION_SECONDS):
                await handle.execute_update(names.UPDATE_DECIDE, decision, result_type=CallState)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise TemporalUnavailable("no worker took the decision in time: send it again later") from error
        except WorkflowUpdateFailedError as error:
            raise DecisionRefused(_failure_message(error)) from error
        except RPCError as error:
            raise TemporalUnavailable(str(error.status.name)) from error
        return await self.get_call(principal, call_id)

    async def resume(self, call: ToolCall) -> None:
        """Start the workflow of an open call if it has none. Raises TemporalUnavailable."""
        await self._start_workflow(call)

    async def wait(self, call: ToolCall, seconds: float) -> None:
        """Wait until the call's workflow ends, at most for `seconds`."""
        if self._temporal.connected:
            workflow_id = tool_call_workflow_id(call.connection_id, call.id)
            await _wait(self._temporal.client.get_workflow_handle(workflow_id), seconds)

    async def _run_read(self, admission: Admission) -> CallResult | None:
        """Send the read to PagerDuty now. Return None if it must be tried again later, by a workflow."""
        started_at = datetime.now(UTC)
        context = CallContext(
            id=secrets.token_hex(8),
            now=started_at,
            first_attempt_at=started_at,
            from_address=admission.connection.from_address,
        )
        try:
            result = await self._calls.run_tool(
                admission.connection, admission.tool, admission.arguments, context, READ_TIMEOUT
            )
        except TryAgain as error:
            logger.info("read_becomes_a_workflow", extra={"error": str(error), "tool": admission.tool.name})
            return None
        except PagerDutyError as error:
            await self._authorizer.audit(admission, type(error).__name__, datetime.now(UTC) - started_at)
            return CallResult(CallState.FAILED, error=error_document(error))
        await self._authorizer.audit(admission, CallState.DONE, datetime.now(UTC) - started_at)
        return CallResult(CallState.DONE, result)

    async def _start_workflow(self, call: ToolCall) -> WorkflowHandle[Any, Any]:
        client = self._temporal.client
        try:
            return await client.start_workflow(
                names.TOOL_CALL_WORKFLOW,
                task_queue=self._task_queue,
                # An open call without a workflow gets a new run, which looks for earlier attempts first.
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                **call_workflow_options(ToolCallTicket.of(call)),
            )
        except RPCError as error:
            raise TemporalUnavailable(str(error.status.name)) from error


async def _wait(handle: WorkflowHandle[Any, Any], seconds: float) -> None:
    """Wait until the workflow ends, at most for `seconds`. The result is read from the database."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(min(seconds, MAX_WAIT_SECONDS)):
            await handle.result()
    except TimeoutError:
        return
    except Exception as error:  # the call continues, whatever error ended the waiting
        logger.warning("waiting_for_call_failed", extra={"error": type(error).__name__})


def _failure_message(error: WorkflowUpdateFailedError) -> str:
    cause: BaseException | None = error.cause
    while cause is not None and not isinstance(cause, ApplicationError):
        cause = cause.__cause__
    return cause.message if isinstance(cause, ApplicationError) else "the decision could not be stored"
