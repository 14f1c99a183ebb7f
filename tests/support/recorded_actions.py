"""Runs of incidents that were acted on from here, whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.response_targets import ResponseTargets, SeverityTargets
from calmo_pagerduty.connections.severity import Severity
from tests.support.acting_service import Acting
from tests.support.eventually import eventually

#: Returns the workflow's id, and the run's, or None for its latest.
Recorded = tuple[str, str | None]
Scenario = Callable[[Acting], Awaitable[Recorded]]


async def acted_on(acting: Acting) -> Recorded:
    """Taken over, done, told by PagerDuty; and one that makes no sense any more."""
    incident = await acting.an_issue()
    await acting.act(incident, "acknowledge")
    await acting.act(incident, "add_note", content="Seen.")
    assert (await acting.post(incident, "acknowledge")).status_code == 409
    await acting.settled()
    await acting.until_workflow_knows(incident, "acknowledged")
    return acting.ref(incident).workflow_id, None


async def acted_on_after_completion(acting: Acting) -> Recorded:
    """The run that an action starts: it takes the action over and ends, for the incident is resolved."""
    incident = await acting.an_issue()
    await acting.act(incident, "resolve")
    await acting.settled()
    await acting.until_workflow_knows(incident, "resolved")
    workflow_id = acting.ref(incident).workflow_id
    handle = acting.healed.temporal.get_workflow_handle(workflow_id)
    await handle.terminate("as if its day were over")
    acting.hold_webhooks()
    await acting.act(incident, "reopen")
    await acting.until_workflow_knows(incident, "triggered")
    runs = acting.healed.temporal.list_workflows(f'WorkflowId = "{workflow_id}"')
    started = sorted([run async for run in runs], key=lambda run: run.start_time)
    return workflow_id, started[1].run_id


async def target_missed(acting: Acting) -> Recorded:
    """A timer for a target, what is said then, and the escalation that follows."""
    targets = ResponseTargets(
        by_severity=dict.fromkeys(Severity, SeverityTargets(acknowledge_minutes=0.05)),
        escalates_on_miss=True,
        escalation_level=1,
    )
    acting.database.write_blocking(
        lambda t: connections.update_connection(
            t, acting.healed.connection_id, response_targets=targets.model_dump(mode="json")
        )
    )
    incident = await acting.an_issue()
    await eventually(lambda: acting.operations(incident))
    await eventually(lambda: acting.told(incident), lambda told: told[-1].startswith("escalated"))
    await acting.settled()
    return acting.ref(incident).workflow_id, None


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario for scenario in (acted_on, acted_on_after_completion, target_missed)
}
