"""Act on an issue, for all channels.

The tool authorizer admits and stores the tool call, the incident's workflow accepts the action, and the
tool call's workflow carries it out.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.severity import own_severities
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents import action_store as operations, store as issues
from calmo_pagerduty.incidents.action_observer import keep_operation
from calmo_pagerduty.incidents.actions import (
    ACTION_REFUSED,
    ACTIONS,
    Operation,
    StatusAsOf,
    parse_action,
    tool_arguments,
)
from calmo_pagerduty.incidents.lifecycle import IncidentState
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.kernel.scopes import EVERYTHING, Visibility
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.tool_calls import store as tool_calls
from calmo_pagerduty.tool_calls.authorization_service import ToolAuthorizer
from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, Channel
from calmo_pagerduty.tool_calls.record_service import ToolCallRepository, ToolCallTicket
from calmo_pagerduty.tool_calls.store import IdempotencyKeyReused, ToolCall
from ingress.api.errors import ActionRefused, CallStored, ResourceNotFound
from ingress.api.finding import require_incident, require_issue
from ingress.incidents.action_sender import ActionSender, IncidentToStart
from ingress.tools.service import MAX_WAIT_SECONDS, ToolCallDispatcher
from workflows.incident import ActionToAccept


@dataclass(frozen=True, slots=True)
class ActionStatus:
    """An operation, and the tool call that carries it out."""

    operation: Operation
    call: ToolCall


class ActionService:
    """Acts on issues. It calls `wake` so that the forwarder reads the events of the operation at once."""

    def __init__(
        self,
        database: Database,
        authorizer: ToolAuthorizer,
        records: ToolCallRepository,
        dispatcher: ToolCallDispatcher,
        temporal: TemporalHandle,
        sender: ActionSender,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._authorizer = authorizer
        self._records = records
        self._dispatcher = dispatcher
        self._temporal = temporal
        self._sender = sender
        self._wake = wake

    async def act(
        self,
        principal: Principal,
        channel: Channel,
        issue_id: str,
        action_name: str,
        arguments: Mapping[str, Any],
        idempotency_key: str | None = None,
        wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> ActionStatus:
        """Act on an issue, and wait up to `wait_seconds` for the result.

        `issue_id` may also be PagerDuty's id of the incident. `arguments` are the action's. The returned
        call may still be open (see `CallState`). A repeated `idempotency_key` returns the first call.

        Raises ResourceNotFound, Ambiguous, NotAnIncident, InvalidAction, InvalidArguments, NoSuchConnection,
        CallRefused, ActionRefused, CapReached, IdempotencyKeyReused, CallStored, StoreUnavailable.
        """
        issue, _ = await self._get_issue(issue_id, principal.visibility)
        require_incident(issue)
        action = parse_action(action_name)
        call_arguments = tool_arguments(action, issue.ref.incident_id, arguments)
        admission = await self._authorizer.admit(
            principal, channel, issue.ref.connection_id, ACTIONS[action].tool, call_arguments
        )
        # The prefix keeps keys of actions apart from keys of tool calls.
        key = f"act:{idempotency_key or secrets.token_hex(16)}"
        call = await self._authorizer.create_call(admission, key, keep_operation(issue.ref.issue_id, action))
        if call.state in OPEN_STATES:
            try:
                await self.resume(call)
            except TemporalUnavailable as error:
                raise CallStored(str(error)) from error
            await self._dispatcher.wait(call, 0.0 if call.state is CallState.WAITING else wait_seconds)
            self._wake()
        return await self._answer(principal, call.id)

    async def resume(self, call: ToolCall) -> None:
        """Make sure that an open call is carried out; an action by way of its incident's workflow.

        Raises ActionRefused, TemporalUnavailable, StoreUnavailable.
        """
        operation = await self._database.read(lambda t: operations.get_operation(t, call.id))
        if operation is None or operation.accepted_at is not None:
            await self._dispatcher.resume(call)
            return
        try:
            await self._send(call, operation)
        except ResourceNotFound:
            # The issue was deleted meanwhile: the authorizer and PagerDuty decide about the call.
            await self._dispatcher.resume(call)
        except ActionRefused as refused:
            error = {"type": ACTION_REFUSED, "message": str(refused)}
            if await self._records.refuse_unsent(call.id, error):
                raise
            # The workflow had accepted it: the action itself may have caused the state that forbids it.
            await self._mark_accepted(call)
            await self._dispatcher.resume(call)

    async def _send(self, call: ToolCall, operation: Operation) -> None:
        client = self._temporal.client
        issue, incident = await self._get_issue(operation.issue_id, EVERYTHING)
        accept = ActionToAccept(
            action=operation.action,
            standing=StatusAsOf(status=issue.status, as_of=issue.as_of, as_of_seq=issue.as_of_seq),
            filed=ToolCallTicket.of(call),
        )
        if await self._sender.send(client, incident, accept):
            await self._mark_accepted(call)

    async def _mark_accepted(self, call: ToolCall) -> None:
        now = datetime.now(UTC)
        await self._database.write(lambda t: operations.mark_accepted(t, call.id, now))

    async def _get_issue(self, issue_id: str, visibility: Visibility) -> tuple[Issue, IncidentToStart]:
        """`issue_id` may be PagerDuty's id of the incident. Raises ResourceNotFound, Ambiguous."""
        return await self._database.read(lambda t: _read_issue(t, visibility, issue_id), visibility)

    async def _answer(self, principal: Principal, call_id: str) -> ActionStatus:
        """Return the state of the action. Raises ActionRefused, IdempotencyKeyReused, StoreUnavailable."""

        def read(transaction: Transaction) -> tuple[Operation | None, ToolCall | None]:
            call = tool_calls.get_visible_call(transaction, principal.visibility, call_id)
            return operations.get_operation(transaction, call_id), call

        operation, call = await self._database.read(read, principal.visibility)
        if operation is None or call is None:
            raise IdempotencyKeyReused("this idempotency key was used for a tool call")
        if call.error is not None and call.error.get("type") == ACTION_REFUSED:
            raise ActionRefused(str(call.error.get("message")))
        return ActionStatus(operation, call)


def _read_issue(
    transaction: Transaction, visibility: Visibility, issue_id: str
) -> tuple[Issue, IncidentToStart]:
    issue = require_issue(transaction, visibility, issue_id)
    state = issues.get_state(transaction, issue.ref) or IncidentState()
    connection = connections.get_connection(transaction, EVERYTHING, issue.ref.connection_id)
    severities = own_severities(connection.severities if connection else {})
    return issue, IncidentToStart(issue.ref, issue.scope, state, severities)
