"""Other services have contexts gathered, and watch them, by a typed client or by a child workflow."""

from calmo_pagerduty.clients.contexts import ContextClient
from calmo_pagerduty.contexts.runs import ContextState, RunProgress
from calmo_pagerduty.contexts.sources import Source, SourceState
from tests.support.context_service import SOON, Contexts


async def test_a_service_starts_watches_and_gets_the_version(contexts: Contexts) -> None:
    faults = contexts.hang("listIncidentNotes")
    client = ContextClient(contexts.temporal, contexts.task_queue)
    ref = contexts.trigger()
    told: list[RunProgress] = []
    run = await client.start(ref, "customer asks", SOON)

    def note(progress: RunProgress) -> None:
        told.append(progress)
        if progress.sources and progress.sources[Source.NOTES].state is SourceState.GATHERING:
            faults.release()

    end = await run.end(on_progress=note)
    assert (end.version, end.state) == (1, ContextState.COMPLETE)
    assert contexts.document(ref).reasons == ("customer asks",)
    # The notes hung until that was told.
    assert any(
        progress.sources and progress.sources[Source.NOTES].state is SourceState.GATHERING
        for progress in told
    )
    assert told[-1].state is ContextState.COMPLETE


async def test_starting_twice_is_one_run_that_knows_both_reasons(contexts: Contexts) -> None:
    client = ContextClient(contexts.temporal, contexts.task_queue)
    ref = contexts.trigger()
    async with contexts.without_workers():
        first = await client.start(ref, "one", SOON)
        other = await client.start(ref, "other", SOON)
    assert first.workflow_id == other.workflow_id
    assert (await client.watch(ref).end()).version == 1
    assert contexts.document(ref).reasons == ("one", "other")
