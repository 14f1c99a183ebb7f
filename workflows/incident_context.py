"""Gather an incident's context: all sources in parallel, each with its own timeout, then the assessment."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.contexts import ContextActivities
    from calmo_pagerduty.contexts.gathering.local_sources import ISSUE_SOURCES
    from calmo_pagerduty.contexts.gathering.source_service import SourceOutcome, SourceToGather
    from calmo_pagerduty.contexts.gathering.version_service import (
        ContextToFinish,
        ContextToStart,
        StartedContext,
    )
    from calmo_pagerduty.contexts.note_service import NoteToWrite
    from calmo_pagerduty.contexts.runs import (
        ContextOutcome,
        ContextStart,
        ContextState,
        RunProgress,
        SourceProgress,
    )
    from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
    from calmo_pagerduty.tool_calls.model import tool_call_workflow_id
    from workflows import activity_options, names
    from workflows.account_memory import AccountMemoryWorkflow, BackfillStart
    from workflows.context_card import operator_summary
    from workflows.context_reasons import ReasonQueue
    from workflows.tool_call import ToolCallStart, ToolCallWorkflow

#: History events after which the next version is gathered by a new run.
MAX_HISTORY_EVENTS = 2000
#: The assessment only computes: if it takes longer, it is a fault.
ASSESS_TIMEOUT = timedelta(seconds=90)
#: The sources that a source needs results from.
SOURCE_DEPENDENCIES: Mapping[Source, tuple[Source, ...]] = {
    Source.CHANGES: (Source.DEPENDENCIES,),
    Source.HISTORY: (Source.INCIDENT, Source.DEPENDENCIES),
}
#: Lower than a tool call's.
CONTEXT_PRIORITY = 4
#: A context has many short activities: Temporal may dispatch them faster than tool calls.
FAIRNESS_WEIGHT = 4.0


@workflow.defn(name=names.INCIDENT_CONTEXT_WORKFLOW)
class IncidentContextWorkflow:
    """Message protocol: the incident's workflow or a signal-with-start starts it. The signal `gather_again`
    adds a reason; the query `progress` returns each source's progress. Reasons that come within a few
    seconds lead to one version; reasons that come while it is gathered lead to the next.

    The result holds the version and counts; the document is in our database. A source that fails degrades
    the document and never fails the run. Histories hold ids, states and counts, no texts.
    """

    @workflow.init
    def __init__(self, start: ContextStart) -> None:
        self._ref = start.ref
        self._reasons = ReasonQueue(start.reasons, start.debounce)
        self._progress = RunProgress(version=start.version)
        self._sources: dict[Source, SourceProgress] = {}
        self._service_id: str | None = None
        self._policy_id: str | None = None
        self._wants_more = False
        self._knows_incident = False
        self._gatherings = 0

    @workflow.run
    async def run(self, start: ContextStart) -> ContextOutcome:
        """Gather the context, and again as long as reasons arrive."""
        while True:
            end = await self._gather_version(await self._reasons.collect())
            if not self._reasons:
                return end
            if workflow.info().get_current_history_length() >= MAX_HISTORY_EVENTS:
                update = {"reasons": self._reasons.waiting(), "version": end.version}
                workflow.continue_as_new(start.model_copy(update=update))

    @workflow.signal(
        name=names.SIGNAL_GATHER_AGAIN,
        description='Gather the context once more: a reason, such as "reopened"',
    )
    def gather_again(self, reason: Any = None) -> None:
        """Ask for another version. The signal is coalesced with others that arrive within two seconds."""
        self._reasons.add(reason)

    @workflow.query(name=names.QUERY_PROGRESS, description="The progress of each source")
    def progress(self) -> RunProgress:
        """Return how far the gathering is, source by source."""
        return self._progress.model_copy(update={"sources": dict(self._sources)})

    async def _gather_version(self, reasons: tuple[str, ...]) -> ContextOutcome:
        started: StartedContext = await workflow.execute_local_activity_method(
            ContextActivities.begin_context,
            ContextToStart(ref=self._ref, reasons=reasons, begun_by=self._name()),
            **activity_options.STORE,
            summary=", ".join(reasons)[:200],
        )
        self._begin(started, reasons)
        try:
            await self._gather(started)
            end = await self._assess(started)
        # A cancellation comes as several types, some of which are no Exception.
        except BaseException as error:
            if is_cancelled_exception(error):
                await self._fail(started)
            raise
        self._progress = self._progress.model_copy(update={"state": end.state})
        self._publish("degraded" if end.is_degraded else str(end.state))
        self._describe()
        await self._follow_up(started, end)
        return end

    def _name(self) -> str:
        """Return a name that is unique to this gathering, among all runs."""
        self._gatherings += 1
        return f"{workflow.info().run_id}:{self._gatherings}"

    def _begin(self, started: StartedContext, reasons: tuple[str, ...]) -> None:
        sources = Source if started.has_token else [source for source in Source if source in ISSUE_SOURCES]
        self._sources = {source: SourceProgress() for source in sources}
        self._service_id, self._policy_id = started.service_id, started.policy_id
        self._wants_more = False
        self._knows_incident = started.service_id is not None
        self._progress = RunProgress(version=started.version, reasons=reasons)
        self._publish(
            str(ContextState.GATHERING),
            names.INCIDENT_ID.value_set(self._ref.incident_id),
            names.CONNECTION.value_set(self._ref.connection_id),
            names.SCOPE.value_set(started.scope),
            names.SERVICE.value_set(started.service_id or ""),
        )
        self._describe()

    async def _gather(self, started: StartedContext) -> None:
        """Gather all sources in parallel. A source waits for those that it needs, even if they fail."""
        done = {source: asyncio.Event() for source in self._sources}

        async def ask(source: Source) -> None:
            for needed in self._source_dependencies(started, source):
                if needed in done:
                    await done[needed].wait()
            try:
                await self._gather_source(started.version, source)
            finally:
                done[source].set()

        await asyncio.gather(*(ask(source) for source in self._sources))

    def _source_dependencies(self, started: StartedContext, source: Source) -> tuple[Source, ...]:
        """Return the sources that `source` waits for; none for ids that the issue already has."""
        if source in {Source.SERVICE, Source.DEPENDENCIES}:
            return () if started.service_id else (Source.INCIDENT,)
        if source is Source.ON_CALL:
            return () if started.policy_id else (Source.INCIDENT,)
        return SOURCE_DEPENDENCIES.get(source, ())

    async def _gather_source(self, version: int, source: Source) -> None:
        rule = SOURCES[source]
        try:
            outcome: SourceOutcome = await workflow.execute_activity_method(
                ContextActivities.gather_source,
                SourceToGather(
                    ref=self._ref,
                    version=version,
                    source=source,
                    service_id=self._service_id,
                    policy_id=self._policy_id,
                    knows_incident=self._knows_incident,
                ),
                task_queue=names.pagerduty_queue(workflow.info().task_queue),
                priority=_priority(self._ref.connection_id, CONTEXT_PRIORITY),
                summary=rule.title,
                **activity_options.source_options(rule.timeout),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            outcome = SourceOutcome(state=SourceState.UNAVAILABLE)
        if source is Source.INCIDENT:
            self._service_id = outcome.service_id or self._service_id
            self._policy_id = outcome.policy_id or self._policy_id
            self._knows_incident = self._knows_incident or outcome.count > 0
        self._wants_more = self._wants_more or outcome.wants_more
        self._sources[source] = SourceProgress(
            state=outcome.state, count=outcome.count, requests=outcome.requests, seconds=outcome.seconds
        )
        self._describe()

    async def _assess(self, started: StartedContext) -> ContextOutcome:
        try:
            return await workflow.execute_activity_method(
                ContextActivities.assess_context,
                ContextToFinish(ref=self._ref, version=started.version),
                task_queue=names.pagerduty_queue(workflow.info().task_queue),
                # Before other incidents' sources, so that contexts finish in the order of their start.
                priority=_priority(self._ref.connection_id, CONTEXT_PRIORITY - 1),
                summary="assess",
                **activity_options.source_options(ASSESS_TIMEOUT),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("context_not_assessed")
            return await self._fail(started)

    async def _fail(self, started: StartedContext) -> ContextOutcome:
        return await workflow.execute_local_activity_method(
            ContextActivities.fail_context,
            ContextToFinish(ref=self._ref, version=started.version),
            **activity_options.STORE,
            cancellation_type=workflow.ActivityCancellationType.ABANDON,
            summary="mark as failed",
        )

    async def _follow_up(self, started: StartedContext, end: ContextOutcome) -> None:
        """Start the account's backfill and the note, which the document doesn't wait for."""
        if self._wants_more:
            await self._start(
                AccountMemoryWorkflow.run,
                BackfillStart(connection_id=self._ref.connection_id),
                names.account_memory_workflow_id(self._ref.connection_id),
                started.scope,
            )
        if started.writes_note and end.state is ContextState.COMPLETE:
            await self._write_note(started)

    async def _write_note(self, started: StartedContext) -> None:
        """Create the tool call that writes the note, and start the call's own workflow."""
        try:
            ticket = await workflow.execute_local_activity_method(
                ContextActivities.create_note_call,
                NoteToWrite(ref=self._ref, version=started.version),
                **activity_options.STORE,
                summary="create the note's call",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("note_not_filed")
            return
        if ticket is not None:
            workflow_id = tool_call_workflow_id(ticket.connection_id, ticket.call_id)
            await self._start(ToolCallWorkflow.run, ToolCallStart(filed=ticket), workflow_id, started.scope)

    async def _start(self, run: Any, argument: Any, workflow_id: str, scope: str) -> None:
        attributes = [
            SearchAttributePair(names.CONNECTION, self._ref.connection_id),
            SearchAttributePair(names.SCOPE, scope),
        ]
        try:
            await workflow.start_child_workflow(
                run,
                argument,
                id=workflow_id,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=TypedSearchAttributes(attributes),
            )
        except WorkflowAlreadyStartedError:
            return  # it is already running

    def _publish(self, status: str, *more: Any) -> None:
        workflow.upsert_search_attributes([*more, names.STATUS.value_set(status)])

    def _describe(self) -> None:
        workflow.set_current_details(operator_summary(self._ref, self.progress()))


def _priority(connection_id: str, priority: int) -> Priority:
    """Return a priority with a fairness key of the connection's contexts only: many contexts at once
    don't delay its tool calls.
    """
    return Priority(
        priority_key=priority, fairness_key=f"{connection_id}:context", fairness_weight=FAIRNESS_WEIGHT
    )
