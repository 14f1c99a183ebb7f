"""Run a tool call that was filed for a workflow: the call's own workflow is its child."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from calmo_pagerduty.tool_calls.model import OPEN_STATES, CallState
    from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
    from workflows.tool_call import ToolCallWorkflow, child_call_workflow_options


async def run_call(ticket: ToolCallTicket) -> CallState:
    """Wait for the call's end, also for an approval if it needs one, and return its state.

    Raises FailureError if the child was cancelled, or runs already.
    """
    if ticket.state not in OPEN_STATES:
        return ticket.state
    ended = await workflow.execute_child_workflow(ToolCallWorkflow.run, **child_call_workflow_options(ticket))
    return ended.state
