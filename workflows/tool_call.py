"""One call of a tool that endures: a write, or a read that PagerDuty made wait."""

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

#: How long an order waits at most before it looks again how a call stands that goes on already.
MAX_RETRY_PAUSE = timedelta(minutes=1)


class ToolCallStart(FrozenModel):
    """A run's input: a call that is filed already, or the order of another service, to be filed first."""

    filed: ToolCallTicket | None = None
    order: CallToCreate | None = None


class ApproverDecision(FrozenModel):
    """The argument of the update `decide`: an API key's owner says yes or no to these exact arguments."""

    approve: bool
    key_id: str
    arguments_sha256: str | None = None


class OperatorDecision(FrozenModel):
    """The argument of the signals `approve` and `deny`, which operators send from the Temporal UI."""

    by: str = ""


@workflow.defn(name=names.TOOL_CALL_WORKFLOW)
class ToolCallWorkflow:
    """Message protocol: the update `decide` and the signals `approve` and `deny` bring a person's
    decision while the call waits for one; the query `call_state` tells how it stands. The result is the
    call's id and state; what PagerDuty answered is in our database.

    Each call has one workflow of its own, by whose id every face knows it. A run that begins with an
    order files the call, and has the call's own workflow carry it out as its child.
    """

    @workflow.init
    def __init__(self, start: ToolCallStart) -> None:
        self._filed = start.filed
        self._ordered = start.order is not None
        self._state = start.filed.state if start.filed else CallState.RUNNING
        self._last_word = ""

    @workflow.run
    async def run(self, start: ToolCallStart) -> CallOutcome:
        filed = self._filed or await self._create_call(start)
        self._filed = filed
        if self._is_order(filed):
            workflow.set_current_details(_child_workflow_note(filed))
            return await self._order(start, filed)
        self._describe()
        try:
            if self._state is CallState.WAITING:
                await self._wait_for_decision(filed)
            if self._state is CallState.RUNNING:
                self._state = await self._carry_out(filed)
        except BaseException as error:
            if is_cancelled_exception(error):
                await self._end(filed, CallState.DENIED, "an operator cancelled the workflow")
            raise
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._describe()
        workflow.upsert_search_attributes([names.STATUS.value_set(str(self._state))])
        return CallOutcome(call_id=filed.call_id, state=self._state)

    @workflow.update(name=names.UPDATE_DECIDE)
    async def decide(self, decision: ApproverDecision) -> CallState:
        """Returns how the call stands then. Fails with NotTheirs for those who may not decide."""
        await workflow.wait_condition(lambda: self._filed is not None)
        assert self._filed is not None
        if self._is_order(self._filed):
            raise ApplicationError(_child_workflow_note(self._filed), type="NotHere", non_retryable=True)
        return await self._record(
            DecisionToRecord(
                call_id=self._filed.call_id,
                approve=decision.approve,
                arguments_sha256=decision.arguments_sha256,
                key_id=decision.key_id,
            )
        )

    @workflow.signal(name=names.SIGNAL_APPROVE, description='Let it be done. Say who you are: {"by": "name"}')
    async def approve(self, word: OperatorDecision) -> None:
        await self._record_operator_decision(word, approve=True)

    @workflow.signal(name=names.SIGNAL_DENY, description='Refuse it. Say who you are: {"by": "name"}')
    async def deny(self, word: OperatorDecision) -> None:
        await self._record_operator_decision(word, approve=False)

    @workflow.query(name=names.QUERY_CALL_STATE, description="How the call stands")
    def call_state(self) -> CallState:
        return self._state

    async def _create_call(self, start: ToolCallStart) -> ToolCallTicket:
        if start.order is None:
            raise ApplicationError("neither a call nor an order was given", non_retryable=True)
        filed: ToolCallTicket = await workflow.execute_local_activity_method(
            ToolCallActivities.file_call,
            start.order,
            **activity_options.STORE,
            summary=f"file {start.order.tool}",
        )
        self._state = filed.state
        return filed

    def _is_order(self, ticket: ToolCallTicket) -> bool:
        own = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
        return self._ordered and workflow.info().workflow_id != own

    async def _order(self, start: ToolCallStart, ticket: ToolCallTicket) -> CallOutcome:
        """Have the call's own workflow carry it out, and wait for its end."""
        pause = timedelta(seconds=1)
        while ticket.state in OPEN_STATES:
            try:
                return await self._run_in_child(ticket)
            except WorkflowAlreadyStartedError:
                # It was ordered before, or a restart of ours began it again.
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

    async def _record_operator_decision(self, word: OperatorDecision, approve: bool) -> None:
        await workflow.wait_condition(lambda: self._filed is not None)
        assert self._filed is not None
        if self._is_order(self._filed):
            return  # its details say where the signal belongs
        decision = DecisionToRecord(call_id=self._filed.call_id, approve=approve, by=word.by)
        try:
            await self._record(decision)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            # A signal has no answer: what was wrong with it stands in the details.
            self._last_word = str(error)
            self._describe()

    def _describe(self) -> None:
        assert self._filed is not None
        workflow.set_current_details(operator_summary(self._filed, self._state, self._last_word))


class CallWorkflowOptions(TypedDict):
    """How a call's own workflow is started, by a client and by another workflow alike."""

    arg: ToolCallStart
    id: str
    static_summary: str
    search_attributes: TypedSearchAttributes


class ChildCallWorkflowOptions(CallWorkflowOptions):
    parent_close_policy: workflow.ParentClosePolicy


def call_workflow_options(ticket: ToolCallTicket) -> CallWorkflowOptions:
    """Return how a client starts a call's own workflow."""
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
    """Return how another workflow starts it. What is filed goes on, whatever becomes of that one."""
    return {**call_workflow_options(ticket), "parent_close_policy": workflow.ParentClosePolicy.ABANDON}


def operator_summary(ticket: ToolCallTicket, state: CallState, last_word: str = "") -> str:
    """Return, as Markdown, what an operator sees of a call."""
    words: Mapping[CallState, str] = {
        CallState.WAITING: f"**Waits for a person's approval** until {ticket.expires_at:%Y-%m-%d %H:%M} UTC."
        if ticket.expires_at
        else "**Waits for a person's approval.**",
        CallState.RUNNING: "**Asks PagerDuty**, again if need be.",
        CallState.DONE: "**Done.** The result is with the call: `calmo-pagerduty tool show`.",
        CallState.FAILED: "**Failed**: PagerDuty refused it.",
        CallState.UNKNOWN: "**Nobody knows**: look in PagerDuty whether it was done.",
        CallState.DENIED: "**Denied** by a person.",
        CallState.EXPIRED: "**Expired**: nobody decided in time.",
        CallState.REFUSED: "**Refused**: it was allowed when it was asked for, and no longer is.",
    }
    hint = (
        '\n\nSend the signal `approve` or `deny` with `{"by": "your name"}`.'
        if state is CallState.WAITING
        else ""
    )
    said = f"\n\nThe last word was not taken: {last_word}" if last_word else ""
    what = f"Call `{ticket.call_id}` of **{ticket.tool}**, connection `{ticket.connection_id}`"
    return f"{what}\n\n{words[state]}{hint}{said}"


def _child_workflow_note(ticket: ToolCallTicket) -> str:
    own = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
    return f"Ordered only. The call's own workflow carries it out and takes decisions: {own}"


def _time_left(moment: datetime | None) -> timedelta | None:
    return None if moment is None else max(moment - workflow.now(), timedelta(milliseconds=1))
