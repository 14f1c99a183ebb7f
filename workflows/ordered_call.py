"""Run a tool call that was filed for a workflow: the call's own workflow is its child."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.tool_calls import CallToRead, ToolCallActivities
    from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState, tool_call_workflow_id
    from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
    from workflows import activity_options
    from workflows.tool_call import ToolCallWorkflow, child_call_workflow_options

#: Pauses between two looks at a call that somebody else started.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
#: Before it, a call that somebody else had started was taken for one that failed.
FOLLOWS_A_STARTED_CALL = "follow-a-started-call"


async def run_call(ticket: ToolCallTicket) -> CallState:
    """Wait for the call's end, also for an approval if it needs one, and return its state.

    If this workflow is cancelled, so is the call. Raises FailureError if the call was cancelled.
    """
    if ticket.state not in OPEN_STATES:
        return ticket.state
    try:
        ended = await workflow.execute_child_workflow(
            ToolCallWorkflow.run,
            **child_call_workflow_options(ticket),
            # A second run would wait for a decision that the first has had.
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
    except WorkflowAlreadyStartedError:
        if not workflow.patched(FOLLOWS_A_STARTED_CALL):
            raise
        return await _follow(ticket)
    return ended.state


async def _follow(ticket: ToolCallTicket) -> CallState:
    """Wait for the end of a call that our sweeper, or whoever decided on it, has started first."""
    pause = FIRST_PAUSE
    try:
        while (state := await _read_state(ticket)) in OPEN_STATES:
            await workflow.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    except (FailureError, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) or is_cancelled_exception(error):
            await _cancel(ticket)
        raise
    return state


async def _read_state(ticket: ToolCallTicket) -> CallState:
    read = await workflow.execute_local_activity_method(
        ToolCallActivities.read_call, CallToRead(call_id=ticket.call_id), **activity_options.STORE
    )
    return read.state


async def _cancel(ticket: ToolCallTicket) -> None:
    own = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
    with contextlib.suppress(FailureError):  # it has ended meanwhile
        await workflow.get_external_workflow_handle(own).cancel()
