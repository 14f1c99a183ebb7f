"""The cost of a workflow's history: its events, and the actions that Temporal Cloud would count.

Actions are: a start, each signal, each start of an activity, each timer, each upsert of search attributes,
and the local activities of one workflow task together. Source: docs.temporal.io, "Temporal Cloud Actions".
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from bench.sides import Side

_ACTIONS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
    EventType.EVENT_TYPE_TIMER_STARTED,
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
}

_MAX_POLLS, _POLL_SECONDS = 200, 0.05


class Cost(NamedTuple):
    history_events: int
    actions: int


async def settle(side: Side, incident_ids: Sequence[str]) -> None:
    """Wait until no workflow task is open: a history is complete only after its events are absorbed."""
    for incident_id in incident_ids:
        handle = side.temporal.get_workflow_handle(side.workflow_id(incident_id))
        for _ in range(_MAX_POLLS):
            if not (await handle.describe()).raw_description.HasField("pending_workflow_task"):
                break
            await asyncio.sleep(_POLL_SECONDS)
        else:
            raise TimeoutError(f"{side.workflow_id(incident_id)} does not come to rest")


async def fetch_cost(side: Side, incident_id: str) -> Cost:
    history = await side.temporal.get_workflow_handle(side.workflow_id(incident_id)).fetch_history()
    return Cost(len(history.events), _actions(history.events))


def _actions(events: Iterable[HistoryEvent]) -> int:
    counted, tasks_with_local_activities = 0, set()
    for event in events:
        if event.event_type in _ACTIONS:
            counted += 1
        elif event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            attributes = event.marker_recorded_event_attributes
            if attributes.marker_name == "core_local_activity":
                tasks_with_local_activities.add(attributes.workflow_task_completed_event_id)
    return counted + len(tasks_with_local_activities)
