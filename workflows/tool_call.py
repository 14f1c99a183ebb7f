"""The workflow of one tool call: a write, or a read that PagerDuty makes wait."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypedDict

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.tool_calls import CallOutcome, CallToCarryOut, CallToEnd, ToolCallActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, tool_call_workflow_id
    from calmo_pagerduty.tool_calls.record_service import CallToCreate, DecisionToRecord, ToolCallTicket
    from workflows import activity_options, names

#: How long an order waits at most before it reads again the state of a call that is already running.
MAX_RETRY_PAUSE = timedelta(minutes=1)


class ToolCallStart(FrozenModel):
    """A run's input: the ticket of a stored call, or another service's order, which must be stored first."""

    filed: ToolCallTicket | None = None
    order: CallToCreate | None = None


class ApproverDecision(FrozenModel):
    """The argument of the update `decide`: an API key's owner approves or denies these exact arguments."""

    approve: bool
    key_id: str
    arguments_sha256: str | None = None
    #: Made by our API for exactly this decision.
    proof: str | None = None


class OperatorDecision(FrozenModel):
    """The argument of the signals `approve` and `deny`, which operators send from the Temporal UI."""

    by: str = ""


@workflow.defn(name=names.TOOL_CALL_WORKFLOW)
class ToolCallWorkflow:
    """Message protocol: while the call waits for approval, the update `decide` and the signals `approve`
    and `deny` bring a person's decision; the query `call_state` returns its state. The result is the
    call's id and state; PagerDuty's answer is in our database.

    Each call has a workflow of its own, whose id is the same for every channel. A run that starts with an
    order stores the call, and starts the call's own workflow as its child.
    """

    @workflow.init
    def __init__(self, start: ToolCallStart) -> None:
        self._ticket = start.filed
        self._ordered = start.order is not None
        self._state = start.filed.state if start.filed else CallState.RUNNING
        self._signal_error = ""

    @workflow.run
    async def run(self, start: ToolCallStart) -> CallOutcome:
        """Wait for an approval if the call needs one, carry it out, and end it."""
        ticket = self._ticket or await self._create_call(start)
        self._ticket = ticket
        if self._is_order(ticket):
            workflow.set_current_details(_child_workflow_note(ticket))
            return await self._order(start, ticket)
        self._describe()
        try:
            if self._state is CallState.WAITING:
                await self._wait_for_decision(ticket)
            if self._state is CallState.RUNNING:
                self._state = await self._carry_out(ticket)
        # A cancellation comes as several types, some of which are no Exception.
        except BaseException as error:
            if is_cancelled_exception(error):
                await self._end(ticket, CallState.DENIED, "an operator cancelled the workflow")
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._describe()
        workflow.upsert_search_attributes([names.STATUS.value_set(str(self._state))])
        return CallOutcome(call_id=ticket.call_id, state=self._state)

    @workflow.update(name=names.UPDATE_DECIDE)
    async def decide(self, decision: ApproverDecision) -> CallState:
        """Return the call's state after the decision. Fails with NotTheirs if the caller may not decide."""
        await workflow.wait_condition(lambda: self._ticket is not None)
        assert self._ticket is not None
        if self._is_order(self._ticket):
            raise ApplicationError(_child_workflow_note(self._ticket), type="NotHere", non_retryable=True)
        return await self._record(
            DecisionToRecord(
                call_id=self._ticket.call_id,
                approve=decision.approve,
                arguments_sha256=decision.arguments_sha256,
                key_id=decision.key_id,
                proof=decision.proof,
            )
        )

    @workflow.signal(
        name=names.SIGNAL_APPROVE,
        description='Let it be done, if operators may. Say who you are: {"by": "name"}',
    )
    async def approve(self, decision: OperatorDecision) -> None:
        """Record a person's approval."""
        await self._record_operator_decision(decision, approve=True)

    @workflow.signal(name=names.SIGNAL_DENY, description='Refuse it. Say who you are: {"by": "name"}')
    async def deny(self, decision: OperatorDecision) -> None:
        """Record a person's denial."""
        await self._record_operator_decision(decision, approve=False)

    @workflow.query(name=names.QUERY_CALL_STATE, description="The call's current state")
    def call_state(self) -> CallState:
        return self._state

    async def _create_call(self, start: ToolCallStart) -> ToolCallTicket:
        if start.order is None:
            raise ApplicationError("neither a call nor an order was given", non_retryable=True)
        ticket: ToolCallTicket = await workflow.execute_local_activity_method(
            ToolCallActivities.file_call,
            start.order,
            **activity_options.STORE,
            summary=f"file {start.order.tool}",
        )
        self._state = ticket.state
        return ticket

    def _is_order(self, ticket: ToolCallTicket) -> bool:
        own = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
        return self._ordered and workflow.info().workflow_id != own

    async def _order(self, start: ToolCallStart, ticket: ToolCallTicket) -> CallOutcome:
        """Run the call's own workflow as a child, and wait for its end."""
        pause = timedelta(seconds=1)
        while ticket.state in OPEN_STATES:
            try:
                return await self._run_in_child(ticket)
            except WorkflowAlreadyStartedError:
                # An earlier order or our sweeper has already started it.
                await workflow.sleep(pause)
                pause = min(pause * 2, MAX_RETRY_PAUSE)
                ticket = await self._create_call(start)
        return CallOutcome(call_id=ticket.call_id, state=ticket.state)

    async def _run_in_child(self, ticket: ToolCallTicket) -> CallOutcome:
        end = await workflow.execute_child_workflow(
            ToolCallWorkflow.run, **child_call_workflow_options(ticket)
        )
        self._state = end.state
        return end

    async def _wait_for_decision(self, ticket: ToolCallTicket) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._state is not CallState.WAITING,
                timeout=_time_left(ticket.expires_at),
                timeout_summary="expires if nobody decides",
            )
        except TimeoutError:
            self._state = await self._end(ticket, CallState.EXPIRED, "nobody approved it in time")

    async def _carry_out(self, ticket: ToolCallTicket) -> CallState:
        self._describe()
        try:
            ended = await workflow.execute_activity_method(
                ToolCallActivities.carry_out,
                CallToCarryOut(call_id=ticket.call_id),
                task_queue=names.pagerduty_queue(workflow.info().task_queue),
                priority=Priority(fairness_key=ticket.connection_id),
                summary=ticket.tool,
                **activity_options.PAGERDUTY,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = "PagerDuty didn't answer as long as we had patience; look there whether it was done"
            return await self._end(ticket, CallState.UNKNOWN, why)
        return ended.state

    async def _end(self, ticket: ToolCallTicket, state: CallState, why: str) -> CallState:
        ended = await workflow.execute_local_activity_method(
            ToolCallActivities.end_call,
            CallToEnd(call_id=ticket.call_id, state=state, why=why),
            **activity_options.STORE,
            cancellation_type=workflow.ActivityCancellationType.ABANDON,
            summary=state.value,
        )
        return ended.state

    async def _record(self, decision: DecisionToRecord) -> CallState:
        ended = await workflow.execute_local_activity_method(
            ToolCallActivities.record_decision,
            decision,
            **activity_options.STORE,
            summary="approve" if decision.approve else "deny",
        )
        if self._state is CallState.WAITING:
            self._state = ended.state
        return ended.state

    async def _record_operator_decision(self, decision: OperatorDecision, approve: bool) -> None:
        await workflow.wait_condition(lambda: self._ticket is not None)
        assert self._ticket is not None
        if self._is_order(self._ticket):
            return  # the operator summary says which workflow takes the signal
        record = DecisionToRecord(call_id=self._ticket.call_id, approve=approve, by=decision.by)
        try:
            await self._record(record)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # A signal has no answer, so the operator summary shows the error.
            self._signal_error = str(error)
            self._describe()

    def _describe(self) -> None:
        assert self._ticket is not None
        workflow.set_current_details(operator_summary(self._ticket, self._state, self._signal_error))


class CallWorkflowOptions(TypedDict):
    """The options with which a client or another workflow starts a call's own workflow."""

    arg: ToolCallStart
    id: str
    static_summary: str
    search_attributes: TypedSearchAttributes


class ChildCallWorkflowOptions(CallWorkflowOptions):
    parent_close_policy: workflow.ParentClosePolicy


def call_workflow_options(ticket: ToolCallTicket) -> CallWorkflowOptions:
    """Return the options with which a client starts a call's own workflow."""
    return {
        "arg": ToolCallStart(filed=ticket),
        "id": tool_call_workflow_id(ticket.connection_id, ticket.call_id),
        "static_summary": f"{ticket.tool} on {ticket.connection_id}",
        "search_attributes": TypedSearchAttributes(
            [
                SearchAttributePair(names.CONNECTION, ticket.connection_id),
                SearchAttributePair(names.SCOPE, ticket.scope),
                SearchAttributePair(names.STATUS, str(ticket.state)),
            ]
        ),
    }


def child_call_workflow_options(ticket: ToolCallTicket) -> ChildCallWorkflowOptions:
    """Return the options for a child workflow. The call continues even if the parent ends."""
    return {**call_workflow_options(ticket), "parent_close_policy": workflow.ParentClosePolicy.ABANDON}


def operator_summary(ticket: ToolCallTicket, state: CallState, signal_error: str = "") -> str:
    """Return what an operator sees of a call in the Temporal UI, as Markdown."""
    state_texts: Mapping[CallState, str] = {
        CallState.WAITING: f"**Waits for a person's approval** until {ticket.expires_at:%Y-%m-%d %H:%M} UTC."
        if ticket.expires_at
        else "**Waits for a person's approval.**",
        CallState.RUNNING: "**Running**: it asks PagerDuty, and retries if needed.",
        CallState.DONE: "**Done.** The result is with the call: `calmo-pagerduty tool show`.",
        CallState.FAILED: "**Failed**: PagerDuty refused it.",
        CallState.UNKNOWN: "**Unknown**: check in PagerDuty whether it was done.",
        CallState.DENIED: "**Denied** by a person.",
        CallState.EXPIRED: "**Expired**: nobody decided in time.",
        CallState.REFUSED: "**Refused**: it was allowed at first, and no longer is.",
    }
    hint = (
        '\n\nSend the signal `approve` or `deny` with `{"by": "your name"}`.'
        if state is CallState.WAITING
        else ""
    )
    failure = f"\n\nThe last decision was not accepted: {signal_error}" if signal_error else ""
    what = f"Call `{ticket.call_id}` of **{ticket.tool}**, connection `{ticket.connection_id}`"
    return f"{what}\n\n{state_texts[state]}{hint}{failure}"


def _child_workflow_note(ticket: ToolCallTicket) -> str:
    own = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
    return f"This is an order only. The call's own workflow runs it and takes decisions: {own}"


def _time_left(moment: datetime | None) -> timedelta | None:
    return None if moment is None else max(moment - workflow.now(), timedelta(milliseconds=1))
