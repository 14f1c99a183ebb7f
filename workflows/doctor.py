"""Examine a connection's webhooks, enable disabled subscriptions, and start a reconciliation if needed."""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.doctor import DoctorActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.webhooks.doctor_service import (
        ConnectionToExamine,
        ExaminationSummary,
        SubscriptionsToEnable,
    )
    from workflows import activity_options, names
    from workflows.reconcile import ReconcileStart, ReconcileWorkflow


class DoctorStart(FrozenModel):
    """The connection to examine."""

    connection_id: str


@workflow.defn(name=names.DOCTOR_WORKFLOW)
class DoctorWorkflow:
    """Takes no messages. Findings are in our database; the result holds counts and subscription ids."""

    @workflow.run
    async def run(self, start: DoctorStart) -> ExaminationSummary:
        """Examine, enable what PagerDuty switched off, and reconcile if events were lost."""
        examined: ExaminationSummary = await workflow.execute_activity_method(
            DoctorActivities.examine_webhooks,
            ConnectionToExamine(connection_id=start.connection_id),
            task_queue=names.pagerduty_queue(workflow.info().task_queue),
            priority=Priority(fairness_key=start.connection_id),
            summary="examine webhooks",
            **activity_options.RECONCILE,
        )
        enabled = bool(examined.disabled and examined.may_enable) and await self._enable(start, examined)
        if enabled or examined.newly_disabled:
            await self._reconcile(start, examined)
        off = f"{len(examined.disabled)} switched off{' and on again' if enabled else ''}"
        workflow.set_current_details(
            f"{examined.webhooks} webhooks, {examined.findings} findings, {off}: `calmo-pagerduty doctor`"
        )
        return examined

    async def _enable(self, start: DoctorStart, examined: ExaminationSummary) -> bool:
        return await workflow.execute_activity_method(
            DoctorActivities.enable_subscriptions,
            SubscriptionsToEnable(connection_id=start.connection_id, subscription_ids=examined.disabled),
            task_queue=names.pagerduty_queue(workflow.info().task_queue),
            priority=Priority(fairness_key=start.connection_id),
            summary="enable subscriptions",
            **activity_options.RECONCILE,
        )

    async def _reconcile(self, start: DoctorStart, examined: ExaminationSummary) -> None:
        """Start the reconciliation that fetches what PagerDuty didn't deliver. It outlives this workflow."""
        since = f" since {examined.disabled_since:%Y-%m-%d %H:%M} UTC" if examined.disabled_since else ""
        try:
            await workflow.start_child_workflow(
                ReconcileWorkflow.run,
                ReconcileStart(connection_id=start.connection_id, reason=f"subscription disabled{since}"),
                id=names.reconcile_workflow_id(start.connection_id),
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=workflow.info().typed_search_attributes,
            )
        except WorkflowAlreadyStartedError:
            return  # it is already running
