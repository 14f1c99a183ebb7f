"""Fill an account's cache in the background, until it holds all the past that contexts need."""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.contexts import ContextActivities
    from calmo_pagerduty.contexts.gathering.backfill import AccountToBackfill, BackfillStep
    from calmo_pagerduty.kernel.model import FrozenModel
    from workflows import activity_options, names

#: Each step reads some dozens of pages. A larger account continues with its next incident.
MAX_STEPS = 100
#: The lowest: nobody waits for the backfill.
BACKFILL_PRIORITY = 5


class BackfillStart(FrozenModel):
    connection_id: str


@workflow.defn(name=names.ACCOUNT_MEMORY_WORKFLOW)
class AccountMemoryWorkflow:
    """Takes no messages. The result holds counts only; the activity saves what it reads in our database."""

    @workflow.run
    async def run(self, start: BackfillStart) -> BackfillStep:
        """Run steps until the past is read, PagerDuty refuses, or the steps are used up."""
        done = BackfillStep()
        for number in range(MAX_STEPS):
            try:
                step: BackfillStep = await workflow.execute_activity_method(
                    ContextActivities.backfill,
                    AccountToBackfill(connection_id=start.connection_id),
                    task_queue=names.pagerduty_queue(workflow.info().task_queue),
                    priority=Priority(
                        priority_key=BACKFILL_PRIORITY, fairness_key=f"{start.connection_id}:context"
                    ),
                    summary=f"step {number + 1}",
                    **activity_options.RECONCILE,
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                break
            done = step.model_copy(update={"requests": done.requests + step.requests})
            workflow.set_current_details(operator_summary(start, done))
            if done.is_whole or done.is_refused:
                break
        return done


def operator_summary(start: BackfillStart, done: BackfillStep) -> str:
    """Return what an operator sees in the Temporal UI, as Markdown."""
    how = "complete" if done.is_whole else "PagerDuty refuses it" if done.is_refused else "reading continues"
    return (
        f"The past of connection `{start.connection_id}`: {done.incidents} incidents, {done.changes} changes,"
        f" dependencies of {done.services} services, with {done.requests} requests; {how}."
    )
