"""Other services have contexts gathered, and watch them, by a typed client or by a child workflow."""

from calmo_pagerduty.clients.contexts import ContextClient
from calmo_pagerduty.contexts.runs import ContextState, RunProgress
from calmo_pagerduty.contexts.sources import Source, SourceState
from tests.support.system import SOON, System


async def test_a_service_starts_watches_and_gets_the_version(system: System) -> None:
    faults = system.hang("listIncidentNotes")
    client = ContextClient(system.temporal, system.task_queue)
    ref = system.trigger()
    told: list[RunProgress] = []
    run = await client.start(ref, "customer asks", SOON)

    def note(progress: RunProgress) -> None:
        told.append(progress)
        if progress.sources and progress.sources[Source.NOTES].state is SourceState.GATHERING:
            faults.release()

    end = await run.end(on_progress=note)
    assert (end.version, end.state) == (1, ContextState.COMPLETE)
    assert system.document(ref).reasons == ("customer asks",)
    # The notes hung until that was told.
    assert any(
        progress.sources and progress.sources[Source.NOTES].state is SourceState.GATHERING
        for progress in told
    )
    assert told[-1].state is ContextState.COMPLETE


async def test_starting_twice_is_one_run_that_knows_both_reasons(system: System) -> None:
    client = ContextClient(system.temporal, system.task_queue)
    ref = system.trigger()
    async with system.without_workers():
        first = await client.start(ref, "one", SOON)
        other = await client.start(ref, "other", SOON)
    assert first.workflow_id == other.workflow_id
    assert (await client.watch(ref).end()).version == 1
    assert system.document(ref).reasons == ("one", "other")
