"""Runs of incidents that were acted on from here, whose histories are recorded."""

from collections.abc import Awaitable, Callable, Mapping

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.connections.response_targets import ResponseTargets, SeverityTargets
from calmo_pagerduty.connections.severity import Severity
from tests.support.eventually import eventually
from tests.support.system import System

#: Returns the workflow's id, and the run's, or None for its latest.
Recorded = tuple[str, str | None]
Scenario = Callable[[System], Awaitable[Recorded]]


async def acted_on(system: System) -> Recorded:
    """Taken over, done, told by PagerDuty; and one that makes no sense any more."""
    incident = await system.page()
    await system.act(incident, "acknowledge")
    await system.act(incident, "add_note", content="Seen.")
    assert (await system.post(incident, "acknowledge")).status_code == 409
    await system.settle()
    await system.until_workflow_knows(incident, "acknowledged")
    return system.ref(incident).workflow_id, None


async def acted_on_after_completion(system: System) -> Recorded:
    """The run that an action starts: it takes the action over and ends, for the incident is resolved."""
    incident = await system.page()
    await system.act(incident, "resolve")
    await system.settle()
    await system.until_workflow_knows(incident, "resolved")
    workflow_id = system.ref(incident).workflow_id
    handle = system.temporal.get_workflow_handle(workflow_id)
    await handle.terminate("as if its day were over")
    system.hold_webhooks()
    await system.act(incident, "reopen")
    await system.until_workflow_knows(incident, "triggered")
    runs = system.temporal.list_workflows(f'WorkflowId = "{workflow_id}"')
    started = sorted([run async for run in runs], key=lambda run: run.start_time)
    return workflow_id, started[1].run_id


async def target_missed(system: System) -> Recorded:
    """A timer for a target, what is said then, and the escalation that follows."""
    targets = ResponseTargets(
        by_severity=dict.fromkeys(Severity, SeverityTargets(acknowledge_minutes=0.05)),
        escalates_on_miss=True,
        escalation_level=1,
    )
    system.database.write_blocking(
        lambda t: connections.update_connection(
            t, system.connection_id, response_targets=targets.model_dump(mode="json")
        )
    )
    incident = await system.page()
    await eventually(lambda: system.operations(incident))
    await eventually(lambda: system.told(incident), lambda told: told[-1].startswith("escalated"))
    await system.settle()
    return system.ref(incident).workflow_id, None


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario for scenario in (acted_on, acted_on_after_completion, target_missed)
}
