"""An incident with any number of events works, and no run of it grows without bound."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType as HistoryEventType
from temporalio.client import WorkflowExecutionStatus

from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from tests.support.builders import NOON, facts, minutes
from tests.support.incident_runs import IncidentRuns
from tests.support.patience import STORY

#: What Temporal warns about; it refuses four times as much.
LARGE_INPUT_BYTES = 512 * 1024


@dataclass(frozen=True)
class RunSize:
    history_events: int
    signals: int
    input_bytes: int


async def sizes_of_runs(runs: IncidentRuns, ref: IncidentRef) -> list[RunSize]:
    """The runs of a chain of continue-as-new, latest first."""
    sizes: list[RunSize] = []
    run_id = (await runs.handle(ref).describe()).run_id
    while run_id:
        handle = runs.client.get_workflow_handle(ref.workflow_id, run_id=run_id)
        history = [event async for event in handle.fetch_history_events()]
        kinds = [event.event_type for event in history]
        start = history[0].workflow_execution_started_event_attributes
        sizes.append(
            RunSize(
                len(kinds),
                kinds.count(HistoryEventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED),
                start.input.ByteSize(),
            )
        )
        run_id = start.continued_execution_run_id
    return sizes


def an_update(number: int) -> EventFacts:
    return facts(EventType.PRIORITY_UPDATED, at=NOON + minutes(number / 60), team_ids=("PTEAM01", "PTEAM02"))


async def test_an_incident_with_ten_thousand_events_works_and_its_histories_stay_short(
    runs: IncidentRuns,
) -> None:
    ref = runs.an_incident()
    runs.continue_as_new_after = 100
    events = [an_update(number) for number in range(9_999)]
    async with runs.worker():
        for first in range(0, len(events), 50):
            await runs.deliver(ref, *events[first : first + 50])
            if first % 2_500 == 0:
                # A worker that keeps up: runs end while events still come.
                await runs.until_saved(ref, len(events[: first + 50]), within=STORY)
        last = facts(EventType.RESOLVED, at=NOON + minutes(600), status=IncidentStatus.RESOLVED)
        await runs.deliver(ref, last)
        issue = await runs.until_saved(ref, 10_000, within=STORY)
        sizes = await sizes_of_runs(runs, ref)
    assert issue.status is IncidentStatus.RESOLVED
    assert sum(size.signals for size in sizes) == 201
    assert len(sizes) > 1
    for size in sizes:
        # A run ends once it has saved what waits: what arrived in the meantime is on top.
        assert size.history_events < runs.continue_as_new_after + 150
        assert size.input_bytes < LARGE_INPUT_BYTES


async def test_a_backlog_is_worked_off_before_a_run_continues_as_new(runs: IncidentRuns) -> None:
    ref = runs.an_incident()
    runs.continue_as_new_after = 100
    events = [an_update(number) for number in range(3_000)]
    for first in range(0, len(events), 20):
        await runs.deliver(ref, *events[first : first + 20])
    async with runs.worker():
        await runs.until_saved(ref, len(events))
        await runs.deliver(ref, an_update(9_999))
        await runs.until_saved(ref, len(events) + 1)
        assert (await runs.handle(ref).describe()).status is WorkflowExecutionStatus.RUNNING
    latest, first_run = await sizes_of_runs(runs, ref)
    assert first_run.signals == 150
    assert latest.input_bytes < LARGE_INPUT_BYTES
