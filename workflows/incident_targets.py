"""An incident's response targets: the one wait of its workflow also ends when a target is due."""

from abc import abstractmethod
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.response_records import ResponseRecords, TargetsLookedAt, TargetsToLookAt
    from calmo_pagerduty.domain.incident_lifecycle import IncidentState
    from calmo_pagerduty.domain.incident_references import IncidentRef
    from workflows import activity_options
    from workflows.tool_call import ToolCallWorkflow, own_workflow


class IncidentTargets:
    """The part of an incident's workflow that keeps an eye on response targets. The saves say when."""

    _ref: IncidentRef
    #: When a target is near or missed; None: nothing is due, and no timer runs.
    _due: datetime | None

    _state: IncidentState

    @abstractmethod
    def _has_work(self) -> bool: ...

    @abstractmethod
    def _is_over(self) -> bool: ...

    async def _wait(self) -> None:
        """Wait for events, until a target is due, or until a resolved incident has been quiet for long."""
        if self._has_work() or self._is_over() or self._is_due():
            return
        deadlines = [one for one in (self._state.completes_at, self._due) if one is not None]
        if not deadlines:
            await workflow.wait_condition(self._has_work)
            return
        deadline = min(deadlines)
        ends = deadline == self._state.completes_at
        try:
            await workflow.wait_condition(
                self._has_work,
                timeout=max(deadline - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary="completes if it isn't reopened" if ends else "a response target is due",
            )
        except TimeoutError:
            return

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= workflow.now()

    async def _look_at_targets(self) -> None:
        """Say on the timeline what is near or missed, and escalate it if the connection wants that."""
        if not self._is_due():
            return
        try:
            looked: TargetsLookedAt = await workflow.execute_local_activity_method(
                ResponseRecords.look_at_targets,
                TargetsToLookAt(ref=self._ref, as_of=workflow.now()),
                **activity_options.STORE,
                summary="response targets",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.exception("targets_not_looked_at")
            self._due = None
            return
        self._due = looked.due
        if looked.escalation is not None:
            try:
                await workflow.start_child_workflow(ToolCallWorkflow.run, **own_workflow(looked.escalation))
            except WorkflowAlreadyStartedError:
                pass
