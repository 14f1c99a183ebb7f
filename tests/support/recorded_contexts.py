"""Runs of context gatherings whose histories are recorded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.client import WorkflowFailureError

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from pagerduty_simulator.rest.faults import TIMEOUT_BEFORE, Faults
from tests.support.system import System, webhooks_arrive
from workflows import names
from workflows.account_memory import BackfillStart

#: Returns the workflow's id.
Scenario = Callable[[System], Awaitable[str]]


async def context_gathered(system: System) -> str:
    """Nothing is known of the incident: its service's sources wait for it."""
    ref = system.trigger()
    await system.gather_context(ref, "first event")
    return names.context_id(ref)


async def context_gathered_again(system: System) -> str:
    """Reasons come together, and one more while it is gathered: two versions in one run."""
    system.site.faults = Faults(hang_seconds=1)
    system.site.faults.fail_next(TIMEOUT_BEFORE, operation="listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "first event", debounce=timedelta(milliseconds=200))
    await handle.signal(names.SIGNAL_GATHER_AGAIN, "priority raised")
    while "listIncidentNotes" not in system.asked():  # noqa: ASYNC110 - the server announces nothing
        await asyncio.sleep(0.02)
    await handle.signal(names.SIGNAL_GATHER_AGAIN, "reopened")
    assert (await handle.result()).version == 2
    return names.context_id(ref)


async def context_degraded(system: System) -> str:
    """Refusals, faults that pass, and a note that is written back."""
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, context_note=True)
    )
    system.site.abilities.discard("event_intelligence")
    system.site.faults.fail_next("500", operation="listIncidentAlerts")
    system.site.faults.fail_next("access_denied", 9, operation="listOnCalls")
    ref = system.trigger()
    await system.gather_context(ref, "first event")
    return names.context_id(ref)


async def context_without_token(system: System) -> str:
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, token_kind=None, token_sealed=None)
    )
    ref = system.trigger()
    await system.gather_context(ref, "first event")
    return names.context_id(ref)


async def context_cancelled(system: System) -> str:
    system.site.faults = Faults(hang_seconds=2)
    system.site.faults.fail_next(TIMEOUT_BEFORE, operation="listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "first event")
    while "listIncidentNotes" not in system.asked():  # noqa: ASYNC110 - the server announces nothing
        await asyncio.sleep(0.02)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError:
        return names.context_id(ref)
    raise AssertionError("it should have been cancelled")


async def context_of_a_removed_connection(system: System) -> str:
    ref = IncidentRef(connection_id="con_gonegone", incident_id="QGONE")
    try:
        await (await system.start_context(ref)).result()
    except WorkflowFailureError:
        return names.context_id(ref)
    raise AssertionError("it should have failed")


async def incident_wants_context(system: System) -> str:
    """The incident's own workflow: it asks for a context when it begins and when it is reopened."""
    async with webhooks_arrive(system):
        told = system.account.trigger(system.service_id("Search"), "Search is slow")
        ref = system.ref(str(told[0].incident_id))
        await system.deliver(told)
        await system.until_complete(ref, 1)
        await system.deliver(system.account.resolve(ref.incident_id))
        await system.deliver(system.account.reopen(ref.incident_id))
        await system.until_complete(ref, 2)
    return ref.workflow_id


async def account_remembered(system: System) -> str:
    workflow_id = names.account_memory_workflow_id(system.connection_id)
    await system.temporal.execute_workflow(
        names.ACCOUNT_MEMORY_WORKFLOW,
        BackfillStart(connection_id=system.connection_id),
        id=workflow_id,
        task_queue=system.task_queue,
    )
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        context_gathered, context_gathered_again, context_degraded, context_without_token, context_cancelled,
        context_of_a_removed_connection, incident_wants_context, account_remembered,
    )
}  # fmt: skip
