"""Make a connection's weekly digest: what is new, what got worse, which gaps lie ahead."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.oncall_digest import DigestActivities
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.oncall.digest_service import DigestSummary, DigestToMake
    from workflows import activity_options, names


class DigestStart(FrozenModel):
    """`until`: the end of the digest's time (UTC); by default the workflow's start."""

    connection_id: str
    until: datetime | None = None


@workflow.defn(name=names.ONCALL_DIGEST_WORKFLOW)
class OnCallDigestWorkflow:
    """Takes no messages. The digest is in our database; the result holds counts.

    A Temporal Schedule starts it each week (`ingress/reconciliation/schedules.py`).
    """

    @workflow.run
    async def run(self, start: DigestStart) -> DigestSummary:
        # The start is in the history, so an activity that tries again makes the same digest.
        until = start.until or workflow.info().start_time
        made: DigestSummary = await workflow.execute_local_activity_method(
            DigestActivities.make_digest,
            DigestToMake(connection_id=start.connection_id, until=until),
            **activity_options.STORE,
        )
        told = ", ".join(f"{count} {part.replace('_', ' ')}" for part, count in made.lines.items())
        silence = "nothing is wrong" if made.is_silent else told or "no analysis ran lately"
        workflow.set_current_details(f"{silence}: `calmo-pagerduty findings digest {start.connection_id}`")
        return made
