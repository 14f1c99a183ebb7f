"""Make a connection's report at its time, keep it, and deliver it to the connection's address."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.reports import ReportActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.reports.delivery_rules import RETRY_DELAYS, Outcome
    from calmo_pagerduty.reports.delivery_service import (
        ReportDelivered,
        ReportKept,
        ReportToDeliver,
        ReportToMake,
    )
    from calmo_pagerduty.reports.model import ReportKind
    from workflows import activity_options, names


class ReportStart(FrozenModel):
    """`until`: the end of the report's time (UTC), by default the workflow's start. `days`: how long that
    time is, by default as usual for the kind.
    """

    connection_id: str
    kind: ReportKind
    until: datetime | None = None
    days: int | None = None


class ReportEnd(FrozenModel):
    """`outcome` is None if there was nothing to deliver, or nowhere."""

    report_id: str
    is_kept: bool
    outcome: Outcome | None = None
    attempts: int = 0


@workflow.defn(name=names.REPORT_WORKFLOW)
class ReportWorkflow:
    """Takes no messages. A Temporal Schedule starts it (`ingress/reports/report_schedules.py`)."""

    @workflow.run
    async def run(self, start: ReportStart) -> ReportEnd:
        # Both are in the history, so an activity that tries again makes the same report.
        report_id = f"rep_{workflow.uuid4().hex}"
        until = start.until or workflow.info().start_time
        queue = names.pagerduty_queue(workflow.info().task_queue)
        kept: ReportKept = await workflow.execute_activity_method(
            ReportActivities.keep_report,
            ReportToMake(
                report_id=report_id,
                connection_id=start.connection_id,
                kind=start.kind,
                until=until,
                days=start.days,
            ),
            task_queue=queue,
            **activity_options.REPORT,
        )
        if not (kept.is_kept and kept.is_addressed):
            return ReportEnd(report_id=report_id, is_kept=kept.is_kept)
        attempt = 0
        while True:
            attempt += 1
            delivered: ReportDelivered = await workflow.execute_activity_method(
                ReportActivities.deliver_report,
                ReportToDeliver(report_id=report_id, connection_id=start.connection_id, attempt=attempt),
                task_queue=queue,
                **activity_options.REPORT,
            )
            workflow.set_current_details(f"attempt {attempt}: {delivered.outcome}")
            if delivered.outcome is not Outcome.RETRY:
                return ReportEnd(
                    report_id=report_id, is_kept=True, outcome=delivered.outcome, attempts=attempt
                )
            await workflow.sleep(RETRY_DELAYS[attempt - 1])
