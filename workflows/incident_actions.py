"""What people, agents and services do to an incident: each an update, taken over and carried out by the
tool call's own workflow.

An update carries ids and how the incident stands; who acts and with which words is in our database.
"""

from temporalio import workflow
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.tool_records import Filed
    from calmo_pagerduty.domain.incident_lifecycle import (
        EventFacts,
        IncidentState,
        LifecyclePolicy,
        decide,
    )
    from calmo_pagerduty.domain.operations import ACTION_REFUSED, Action, Standing, refusal_of
    from calmo_pagerduty.kernel.model import FrozenModel
    from workflows import names
    from workflows.tool_call import ToolCallWorkflow, own_workflow


class ActionToTake(FrozenModel):
    """An action that is filed. `standing` is the incident as our database has it: it may be ahead of the
    workflow, never behind what the workflow has saved.
    """

    action: Action
    filed: Filed
    standing: Standing


class IncidentActions:
    """The part of an incident's workflow that takes actions over."""

    _policy: LifecyclePolicy
    _state: IncidentState
    _waiting: list[EventFacts]

    @workflow.update(name=names.UPDATE_ACT, description="Filed by the API: see `issues act`")
    async def act(self, order: ActionToTake) -> None:
        """Have the action carried out. Fails with ActionRefused, in words, if it makes no sense now."""
        try:
            await workflow.start_child_workflow(ToolCallWorkflow.run, **own_workflow(order.filed))
        except WorkflowAlreadyStartedError:
            pass  # It was taken over before, by an earlier run perhaps.

    @act.validator
    def check_act(self, order: ActionToTake) -> None:
        why = refusal_of(order.action, order.standing, self._standing())
        if why is not None:
            raise ApplicationError(why, type=ACTION_REFUSED, non_retryable=True)

    def _standing(self) -> Standing:
        """How the incident stands with what has arrived and isn't saved yet."""
        state = self._state
        try:
            state = decide(state, self._waiting, workflow.now(), self._policy).state
        except Exception:
            workflow.logger.exception("decision_failed")
        return Standing(status=state.status, as_of=state.as_of, as_of_seq=state.as_of_seq)
