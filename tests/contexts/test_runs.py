"""A run gathers once what belongs together, goes on after a crash, and can be ended."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType as HistoryEventType
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.service import RPCError

from calmo_pagerduty.contexts import store
from calmo_pagerduty.contexts.runs import ContextOutcome, ContextStart, ContextState, RunProgress
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.temporal.dev_server import TemporalDevServer
from tests.support.eventually import eventually
from tests.support.gathering import states
from tests.support.patience import STORY
from tests.support.system import System
from tests.support.worker_processes import TEST_KEYS, StartWorker, worker_processes
from workflows import names


async def test_reasons_that_come_together_are_one_version(system: System) -> None:
    ref = system.trigger()
    async with system.without_workers():
        handle = await system.start_context(ref, "first event")
        for reason in ("reopened", "priority raised", "reopened"):
            await handle.signal(names.SIGNAL_GATHER_AGAIN, reason)
    end = await handle.result()
    assert end.version == 1
    assert system.document(ref).reasons == ("first event", "reopened", "priority raised")


async def test_a_reason_that_comes_while_it_is_gathered_brings_the_next_version(system: System) -> None:
    faults = system.hang("listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "first event")

    async def version() -> int | None:
        progress: RunProgress = await handle.query(names.QUERY_PROGRESS, result_type=RunProgress)
        return progress.version

    await eventually(version, lambda found: found == 1)
    await handle.signal(names.SIGNAL_GATHER_AGAIN, "reopened")
    faults.release()
    end = await handle.result()
    assert end.version == 2
    assert system.document(ref, 1).reasons == ("first event",)
    assert system.document(ref, 2).reasons == ("reopened",)


async def test_a_storm_of_reasons_does_not_put_it_off_for_ever(system: System) -> None:
    ref = system.trigger()
    handle = await system.start_context(ref, "0", debounce=timedelta(seconds=5))

    async def tell() -> None:
        for number in range(1, 1000):
            await handle.signal(names.SIGNAL_GATHER_AGAIN, str(number % 7))
            await asyncio.sleep(0.5)

    telling = asyncio.create_task(tell())
    await system.until_complete(ref)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    # It goes on while reasons come; on a busy machine none may have come in time, and it has ended.
    with contextlib.suppress(RPCError):
        await handle.terminate()


async def test_a_signal_that_nobody_understands_is_a_reason_too(system: System) -> None:
    ref = system.trigger()
    async with system.without_workers():
        handle = await system.start_context(ref)
        await handle.signal(names.SIGNAL_GATHER_AGAIN, {"why": ["not", "a", "text"]})
        await handle.signal(names.SIGNAL_GATHER_AGAIN, "two\nlines\x00" + "x" * 500)
    await handle.result()
    assert system.document(ref).reasons == ("asked for", "twolines" + "x" * 90)


async def test_progress_and_result_tell_figures_source_by_source(system: System) -> None:
    ref = system.trigger()
    handle = await system.start_context(ref, "a test")
    end: ContextOutcome = await handle.result()
    progress: RunProgress = await handle.query(names.QUERY_PROGRESS, result_type=RunProgress)
    assert set(progress.sources) == set(Source)
    assert progress.state is ContextState.COMPLETE
    assert end.counts[Source.PRIORITIES] == progress.sources[Source.PRIORITIES].count == 5
    assert end.requests == sum(source.requests for source in progress.sources.values())
    stored = system.database.read_blocking(lambda t: store.get_progress(t, EVERYTHING, ref.issue_id))
    assert stored is not None and stored.requests == end.requests


async def test_operators_find_it_and_read_how_its_sources_stand(system: System) -> None:
    system.site.abilities.discard("event_intelligence")
    ref = system.trigger()
    handle = await system.start_context(ref, "a test")
    await handle.result()
    described = await handle.describe()
    found = described.typed_search_attributes
    assert found[names.INCIDENT_ID] == ref.incident_id
    assert found[names.CONNECTION] == ref.connection_id
    assert found[names.SCOPE] == "organization:acme"
    assert found[names.STATUS] == "degraded"


async def test_an_operator_may_cancel_it(system: System) -> None:
    faults = system.hang("listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "a test")
    await eventually(lambda: state_of(system, ref), lambda found: found is ContextState.GATHERING)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    assert await state_of(system, ref) is ContextState.FAILED
    faults.release()
    assert (await system.gather_context(ref)).version == 2


async def test_a_version_whose_run_was_terminated_has_failed_when_the_next_begins(system: System) -> None:
    faults = system.hang("listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "a test")
    await eventually(lambda: state_of(system, ref), lambda found: found is ContextState.GATHERING)
    await handle.terminate()
    faults.release()
    assert (await system.gather_context(ref, "again")).version == 2
    found = system.stored(ref, 1)
    assert found is not None and found.state is ContextState.FAILED


async def test_a_removed_connection_ends_it_at_once(system: System) -> None:
    ref = system.trigger().model_copy(update={"connection_id": "con_gonegone"})
    with pytest.raises(WorkflowFailureError):
        await (await system.start_context(ref)).result()


async def state_of(system: System, ref: IncidentRef) -> ContextState | None:
    found = system.stored(ref)
    return found.state if found else None


@pytest.fixture
async def start_worker(
    system: System, temporal_server: TemporalDevServer, tmp_path: Path
) -> AsyncIterator[StartWorker]:
    """Starts `python worker.py` in place of the worker in this process."""
    await system.workers.aclose()
    settings = system.ingress.services.settings
    processes = worker_processes(
        tmp_path,
        temporal_server.address,
        TASK_QUEUE=system.task_queue,
        SIMULATOR_URL=str(settings.simulator_url),
        ENCRYPTION_KEYS=TEST_KEYS,
    )
    async with processes as start:
        yield start


async def test_after_a_workers_kill_in_the_middle_another_goes_on(
    system: System, start_worker: StartWorker
) -> None:
    faults = system.hang("listIncidentNotes")
    ref = system.trigger()
    handle = await system.start_context(ref, "a test")
    first = await start_worker()

    async def hangs() -> bool:
        return "listIncidentNotes" in system.asked() and await state_of(system, ref) is not None

    await eventually(hangs, within=STORY)
    first.kill()
    await first.wait()
    faults.release()
    await start_worker()
    end = await asyncio.wait_for(handle.result(), STORY)
    found = system.document(ref, end.version)
    assert end.version == 1
    assert set(states(found).values()) == {SourceState.COMPLETE}
    kinds = [event.event_type async for event in handle.fetch_history_events()]
    scheduled = HistoryEventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    assert kinds.count(scheduled) == len(Source) + 1


async def test_it_takes_a_start_without_more_than_the_incident(system: System) -> None:
    """As another service writes it, without our types."""
    ref = system.trigger()
    end = await system.temporal.execute_workflow(
        "IncidentContextWorkflow",
        {"ref": {"connection_id": ref.connection_id, "incident_id": ref.incident_id}},
        id=f"pd-context:{ref.incident_id}:{ref.connection_id}",
        task_queue=system.task_queue,
    )
    assert end["version"] == 1
    assert ContextStart(ref=ref).debounce == timedelta(seconds=2)
