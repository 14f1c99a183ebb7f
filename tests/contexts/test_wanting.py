"""A webhook lets an incident's context be gathered, and the incident itself waits for none of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType as HistoryEventType
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.contexts import ContextRequestActivities
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.deliveries.store import PendingDelivery
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.temporal.client import DATA_CONVERTER
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX
from ingress.forwarding.incident_starter import IncidentStarter
from ingress.forwarding.signal_sender import SignalSender
from tests.support.builders import facts
from tests.support.eventually import eventually
from tests.support.gathering import states
from tests.support.incident_runs import SCOPE, IncidentRuns
from tests.support.system import System, webhooks_arrive
from workflows import names
from workflows.incident import IncidentWorkflow

COMPLETED = HistoryEventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
MARKER = HistoryEventType.EVENT_TYPE_MARKER_RECORDED


async def test_a_webhook_brings_a_context_and_a_reopening_the_next(system: System) -> None:
    async with webhooks_arrive(system):
        service_id = system.service_id("Checkout API")
        told = system.account.trigger(service_id, "Checkout API: latency above 900 ms")
        ref = system.ref(str(told[0].incident_id))
        await system.deliver(told)
        first = await system.until_complete(ref, 1)
        assert first.reasons == ("first event",)
        assert set(states(first).values()) == {SourceState.COMPLETE}
        await system.deliver(system.account.resolve(ref.incident_id))
        await system.deliver(system.account.reopen(ref.incident_id))
        second = await system.until_complete(ref, 2)
        assert second.reasons == ("reopened",)


async def test_a_raised_priority_brings_the_next(system: System) -> None:
    async with webhooks_arrive(system):
        told = system.account.trigger(
            system.service_id("Search"), "Search is slow", priority_id=system.priority("P4")
        )
        ref = system.ref(str(told[0].incident_id))
        await system.deliver(told)
        await system.until_complete(ref, 1)
        await system.deliver(system.account.set_priority(ref.incident_id, system.priority("P1")))
        found = await system.until_complete(ref, 2)
        assert found.reasons == ("priority raised",)
        assert found.assessment.incident.priority == "P1"


async def test_the_issue_tells_the_sources_what_it_is_about(system: System) -> None:
    """Known from the webhook, the service's sources needn't wait for the incident's."""
    system.site.faults.fail_next("access_denied", 100, operation="getIncident")
    async with webhooks_arrive(system):
        told = system.account.trigger(system.service_id("Search"), "Search is slow")
        ref = system.ref(str(told[0].incident_id))
        await system.deliver(told)
        found = await system.until_complete(ref)
    told_by = states(found)
    assert told_by.pop(Source.INCIDENT) is SourceState.FORBIDDEN
    assert set(told_by.values()) == {SourceState.COMPLETE}
    assert found.assessment.incident.title.text == "Search is slow"


def a_worker(runs: IncidentRuns, requests: ContextRequestActivities) -> Worker:
    incidents = runs.services.incident_activities
    return Worker(
        runs.client,
        task_queue=runs.task_queue,
        workflows=[IncidentWorkflow],
        activities=[incidents.save_events, incidents.save_dead_letters, requests.request_context],
        workflow_runner=SandboxedWorkflowRunner(),
    )


def sender(runs: IncidentRuns) -> SignalSender:
    starter = IncidentStarter(runs.task_queue, timedelta(hours=24), 250, gathers_context=True)
    return SignalSender(runs.client, starter)


@pytest.fixture
def runs(system: System) -> IncidentRuns:
    return IncidentRuns(system.temporal, system.database, system.keyring, f"{system.task_queue}-incidents")


async def test_wanting_costs_the_incident_one_marker_and_no_step(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    await deliver(runs, ref.incident_id)
    async with a_worker(runs, runs.services.context_request_activities):
        await runs.until_saved(ref, 1)
        await runs.until_idle(ref)
        handle = runs.client.get_workflow_handle(names.context_id(ref))
        await eventually(lambda: exists(handle))
    events = [event.event_type async for event in runs.handle(ref).fetch_history_events()]
    assert events.count(COMPLETED) == 1
    assert events.count(MARKER) == 2  # what was saved, and this
    await handle.terminate()


async def test_an_incident_goes_on_when_its_context_cannot_be_asked_for(runs: IncidentRuns) -> None:
    nobody = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True, data_converter=DATA_CONVERTER)
    ref = runs.an_incident()
    await deliver(runs, ref.incident_id)
    async with a_worker(runs, ContextRequestActivities(TemporalHandle(nobody), runs.task_queue, "")):
        await runs.until_saved(ref, 1)
        await runs.deliver(ref, facts(EventType.ACKNOWLEDGED))
        await runs.until_saved(ref, 2)


async def test_a_test_of_a_webhook_has_no_context(runs: IncidentRuns) -> None:
    incident_id = f"{SYNTHETIC_PREFIX}0001"
    ref = await deliver(runs, incident_id)
    async with a_worker(runs, runs.services.context_request_activities):
        await runs.until_saved(ref, 1)
        await runs.until_idle(ref)
    events = [event.event_type async for event in runs.handle(ref).fetch_history_events()]
    assert events.count(MARKER) == 1


async def deliver(runs: IncidentRuns, incident_id: str) -> IncidentRef:
    """Send the first event of an incident, just now, as a forwarder does that has contexts gathered."""
    ref = IncidentRef(connection_id=runs.connection_id, incident_id=incident_id)
    event = facts(EventType.TRIGGERED, at=datetime.now(UTC))
    text = event.model_dump_json(exclude={"seq"})
    await sender(runs).send([PendingDelivery(event.seq, ref, str(SCOPE), {}, text, attempts=0)])
    return ref


async def exists(handle: WorkflowHandle[Any, Any]) -> bool:
    try:
        await handle.describe()
    except RPCError:
        return False
    return True
