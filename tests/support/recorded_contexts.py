"""Runs of context gatherings whose histories are recorded."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from temporalio.client import WorkflowFailureError

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from pagerduty_simulator.rest.faults import TIMEOUT_BEFORE, Faults
from tests.support.context_service import Contexts, webhooks_arrive
from workflows import names
from workflows.account_memory import BackfillStart

#: Returns the workflow's id.
Scenario = Callable[[Contexts], Awaitable[str]]


async def context_gathered(contexts: Contexts) -> str:
    """Nothing is known of the incident: its service's sources wait for it."""
    ref = contexts.trigger()
    await contexts.gathered(ref, "first event")
    return names.context_id(ref)


async def context_gathered_again(contexts: Contexts) -> str:
    """Reasons come together, and one more while it is gathered: two versions in one run."""
    contexts.service.site.faults = Faults(hang_seconds=1)
    contexts.service.site.faults.fail_next(TIMEOUT_BEFORE, operation="listIncidentNotes")
    ref = contexts.trigger()
    handle = await contexts.start(ref, "first event", debounce=timedelta(milliseconds=200))
    await handle.signal(names.SIGNAL_GATHER_AGAIN, "priority raised")
    while "listIncidentNotes" not in contexts.asked():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await handle.signal(names.SIGNAL_GATHER_AGAIN, "reopened")
    assert (await handle.result()).version == 2
    return names.context_id(ref)


async def context_degraded(contexts: Contexts) -> str:
    """Refusals, faults that pass, and a note that is written back."""
    contexts.database.write_blocking(
        lambda t: connections.update_connection(t, contexts.service.connection_id, context_note=True)
    )
    contexts.service.site.abilities.discard("event_intelligence")
    contexts.service.site.faults.fail_next("500", operation="listIncidentAlerts")
    contexts.service.site.faults.fail_next("access_denied", 9, operation="listOnCalls")
    ref = contexts.trigger()
    await contexts.gathered(ref, "first event")
    return names.context_id(ref)


async def context_without_token(contexts: Contexts) -> str:
    contexts.database.write_blocking(
        lambda t: connections.update_connection(
            t, contexts.service.connection_id, token_kind=None, token_sealed=None
        )
    )
    ref = contexts.trigger()
    await contexts.gathered(ref, "first event")
    return names.context_id(ref)


async def context_cancelled(contexts: Contexts) -> str:
    contexts.service.site.faults = Faults(hang_seconds=2)
    contexts.service.site.faults.fail_next(TIMEOUT_BEFORE, operation="listIncidentNotes")
    ref = contexts.trigger()
    handle = await contexts.start(ref, "first event")
    while "listIncidentNotes" not in contexts.asked():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await handle.cancel()
    try:
        await handle.result()
    except WorkflowFailureError:
        return names.context_id(ref)
    raise AssertionError("it should have been cancelled")


async def context_of_a_removed_connection(contexts: Contexts) -> str:
    ref = IncidentRef(connection_id="con_gonegone", incident_id="QGONE")
    try:
        await (await contexts.start(ref)).result()
    except WorkflowFailureError:
        return names.context_id(ref)
    raise AssertionError("it should have failed")


async def incident_wants_context(contexts: Contexts) -> str:
    """The incident's own workflow: it asks for a context when it begins and when it is reopened."""
    async with webhooks_arrive(contexts):
        told = contexts.account.trigger(contexts.service_id("Search"), "Search is slow")
        ref = contexts.ref(str(told[0].incident_id))
        await contexts.deliver(told)
        await contexts.until_complete(ref, 1)
        await contexts.deliver(contexts.account.resolve(ref.incident_id))
        await contexts.deliver(contexts.account.reopen(ref.incident_id))
        await contexts.until_complete(ref, 2)
    return ref.workflow_id


async def account_remembered(contexts: Contexts) -> str:
    workflow_id = names.account_memory_workflow_id(contexts.service.connection_id)
    await contexts.temporal.execute_workflow(
        names.ACCOUNT_MEMORY_WORKFLOW,
        BackfillStart(connection_id=contexts.service.connection_id),
        id=workflow_id,
        task_queue=contexts.task_queue,
    )
    return workflow_id


SCENARIOS: Mapping[str, Scenario] = {
    scenario.__name__: scenario
    for scenario in (
        context_gathered, context_gathered_again, context_degraded, context_without_token, context_cancelled,
        context_of_a_removed_connection, incident_wants_context, account_remembered,
    )
}  # fmt: skip
