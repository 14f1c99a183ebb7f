"""Today's workflow code replays the histories of earlier runs, so that open incidents go on with it.

A failure here means: incidents that are open while this code is rolled out would be stuck. Bring
the change behind `workflow.patched`; record anew (record_histories.py) only what no open run has.
"""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from bootstrap.workers import WORKFLOWS
from calmo_pagerduty.incidents.lifecycle import IncidentState
from calmo_pagerduty.temporal.client import DATA_CONVERTER
from tests.support.patient_workflows import PatientWorkflows
from workflows.incident import IncidentWorkflow

RECORDED = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def history_of(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=WORKFLOWS, data_converter=DATA_CONVERTER, plugins=[PatientWorkflows()])
    await replayer.replay_workflow(history_of(path))


def test_every_way_through_a_run_is_recorded() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in RECORDED)
    for kind in (
        "WORKFLOW_EXECUTION_COMPLETED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        "WORKFLOW_EXECUTION_CANCELED",
        "TIMER_FIRED",
        "TIMER_CANCELED",
        "MARKER_RECORDED",
        "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES",
    ):
        assert f"EVENT_TYPE_{kind}" in text
    assert len(RECORDED) >= 10


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_history_is_small_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert "stackTrace" not in text
    events = json.loads(text)["events"]
    identities = {
        value
        for event in events
        for attributes in event.values()
        if isinstance(attributes, dict) and (value := attributes.get("identity"))
    }
    assert identities == {"recorder"}


async def test_an_extra_timer_makes_the_replay_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = IncidentWorkflow._wait_for_work

    async def wait_longer(self: IncidentWorkflow) -> None:
        await asyncio.sleep(1)
        await wait(self)

    monkeypatch.setattr(IncidentWorkflow, "_wait_for_work", wait_longer)
    await _replay_fails()


async def test_another_order_of_effects_makes_the_replay_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    save = IncidentWorkflow._save

    async def announce_and_save(self: IncidentWorkflow, *of: Any) -> IncidentState:
        workflow.upsert_memo({"saving": True})
        return await save(self, *of)

    monkeypatch.setattr(IncidentWorkflow, "_save", announce_and_save)
    await _replay_fails()


async def test_another_kind_of_step_makes_the_replay_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    async def save_by_a_regular_activity(
        self: IncidentWorkflow, _events: Any, after: IncidentState
    ) -> IncidentState:
        await workflow.execute_activity("save_events", self._ref, start_to_close_timeout=timedelta(seconds=9))
        return after

    monkeypatch.setattr(IncidentWorkflow, "_save", save_by_a_regular_activity)
    await _replay_fails()


async def _replay_fails() -> None:
    """Without the sandbox, which would load the workflow anew, without what was planted."""
    replayer = Replayer(
        workflows=[IncidentWorkflow],
        data_converter=DATA_CONVERTER,
        workflow_runner=UnsandboxedWorkflowRunner(),
        plugins=[PatientWorkflows()],
    )
    life = next(path for path in RECORDED if path.stem == "life")
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history_of(life))
