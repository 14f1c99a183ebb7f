"""Gathers and watches incidents' contexts for other services of Calmo, through Temporal.

Needs a Temporal client with the data converter `calmo_pagerduty.temporal.client.DATA_CONVERTER`:

    contexts = ContextClient(client, task_queue="calmo-pagerduty")
    run = await contexts.start(IncidentRef(connection_id="con_…", incident_id="Q…"), "customer asks")
    end = await run.end(on_progress=lambda progress: print(progress.sources))
    end.version     # the document of this version: GET /api/issues/{ref.issue_id}/context

A workflow of another service doesn't need this client: it starts the child workflow
`IncidentContextWorkflow` by name, with a `ContextStart`, under the id `context_workflow_id(ref)`.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority
from temporalio.service import RPCError

from calmo_pagerduty.contexts.runs import (
    CONTEXT_WORKFLOW,
    DEBOUNCE,
    GATHER_AGAIN,
    PROGRESS,
    ContextOutcome,
    ContextStart,
    RunProgress,
    context_workflow_id,
)
from calmo_pagerduty.incidents.operator_links import operator_links
from calmo_pagerduty.kernel.incident_ref import IncidentRef

POLL_SECONDS = 0.5
#: Below the default of 3: in a storm, incidents come first.
CONTEXT_PRIORITY = Priority(priority_key=4)

OnProgress = Callable[[RunProgress], None]


class ContextRun:
    """A run of an incident's context workflow."""

    def __init__(self, handle: "WorkflowHandle[object, ContextOutcome]") -> None:
        self._handle = handle

    @property
    def workflow_id(self) -> str:
        return self._handle.id

    async def progress(self) -> RunProgress:
        """Return the progress of each source. Raises RPCError, also if no worker answers."""
        progress: RunProgress = await self._handle.query(PROGRESS, result_type=RunProgress)
        return progress

    async def end(self, on_progress: OnProgress | None = None) -> ContextOutcome:
        """Wait for the newest version and return its figures. `on_progress` gets each new progress.

        Raises WorkflowFailureError if the run was cancelled or its connection was removed.
        """
        ending = asyncio.create_task(self._handle.result())
        try:
            reported: RunProgress | None = None
            while on_progress is not None and not ending.done():
                reported = await self._report(on_progress, reported)
                await asyncio.wait({ending}, timeout=POLL_SECONDS)
            end = await ending
            if on_progress is not None:
                await self._report(on_progress, reported)
            return end
        finally:
            ending.cancel()

    async def _report(self, on_progress: OnProgress, reported: RunProgress | None) -> RunProgress | None:
        try:
            progress = await self.progress()
        except RPCError:
            return reported  # a later report follows
        if progress != reported:
            on_progress(progress)
        return progress


class ContextClient:
    """Starts and watches context runs. Its methods raise RPCError if Temporal can't be reached."""

    def __init__(self, client: Client, task_queue: str, public_address: str | None = None) -> None:
        """`public_address` is the ingress's, for links from the Temporal UI to the incident."""
        self._client = client
        self._task_queue = task_queue
        self._public_address = public_address

    async def start(self, ref: IncidentRef, reason: str, debounce: timedelta = DEBOUNCE) -> ContextRun:
        """Start gathering the context. A run in progress gets `reason` as another reason."""
        handle = await self._client.start_workflow(
            CONTEXT_WORKFLOW,
            ContextStart(ref=ref, debounce=debounce),
            id=context_workflow_id(ref),
            task_queue=self._task_queue,
            start_signal=GATHER_AGAIN,
            start_signal_args=[reason],
            result_type=ContextOutcome,
            static_summary=f"Context of PagerDuty incident {ref.incident_id}",
            static_details=operator_links(self._public_address, ref) if self._public_address else None,
            priority=CONTEXT_PRIORITY,
        )
        return ContextRun(handle)

    def watch(self, ref: IncidentRef) -> ContextRun:
        """Return the current run, or the last run."""
        handle = self._client.get_workflow_handle(context_workflow_id(ref), result_type=ContextOutcome)
        return ContextRun(handle)
