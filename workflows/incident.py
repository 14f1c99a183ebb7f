"""The workflow of one PagerDuty incident, from its first event until some time after it is resolved."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import assert_never

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from activities.contexts import ContextRequestActivities, ContextToRequest
    from activities.incidents import CANNOT_APPLY, IncidentActivities
    from calmo_pagerduty.connections.severity import Severity
    from calmo_pagerduty.incidents.action_names import Action
    from calmo_pagerduty.incidents.actions import ACTION_REFUSED, StatusAsOf, refusal_of
    from calmo_pagerduty.incidents.lifecycle import (
        Decision,
        Effect,
        EventFacts,
        IncidentState,
        LifecyclePolicy,
        Publish,
        RememberedEvent,
        RequestContext,
        SaveEvents,
        context_request_after_merge,
        decide,
        merge_states,
        publication_of,
    )
    from calmo_pagerduty.incidents.operator_summary import operator_summary
    from calmo_pagerduty.incidents.response_target_service import TargetsToCheck
    from calmo_pagerduty.incidents.service import DeadLettersToSave, EventsToSave
    from calmo_pagerduty.incidents.signals import DeadLetter, decode_signal
    from calmo_pagerduty.kernel.incident_ref import IncidentRef
    from calmo_pagerduty.kernel.model import FrozenModel
    from calmo_pagerduty.logs import fault_fields
    from calmo_pagerduty.pagerduty.event_types import IncidentStatus
    from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
    from workflows import activity_options, names
    from workflows.searchable import incident_search_attributes
    from workflows.tool_call import ToolCallWorkflow, child_call_workflow_options

#: How many events one transaction saves; more wait for the next round.
MAX_BATCH = 200
#: How many waiting events the next run may get: its input must stay below Temporal's 2 MiB.
MAX_CARRIED_EVENTS = 1000


class IncidentStart(FrozenModel):
    """A run's input. The previous run sets `state`, `waiting` and `puzzles` when it continues as new."""

    ref: IncidentRef
    complete_after: timedelta = timedelta(hours=24)
    #: History events after which the workflow continues as new.
    continue_as_new_after: int = 250
    #: The connection's own priority names, in lower case.
    severities: Mapping[str, Severity] = {}
    #: The values that the search attributes have at the start.
    published: Publish | None = None
    state: IncidentState | None = None
    waiting: tuple[EventFacts, ...] = ()
    puzzles: tuple[DeadLetter, ...] = ()
    #: True if the workflow requests a context when the incident starts, is reopened or gets more severe.
    gathers_context: bool = False
    #: When the next response target becomes near or missed, in UTC; None if there is none.
    due: datetime | None = None
    #: The ingress's address for people, for links in the workflow's details.
    public_address: str | None = None


class ActionToAccept(FrozenModel):
    """The argument of the update `act`: an action whose tool call is already in our database.

    `standing` is the incident's status in our database. It may be newer than the workflow's state, never
    older than what the workflow has saved. The update carries ids only: author and texts are in our database.
    """

    action: Action
    filed: ToolCallTicket
    standing: StatusAsOf


@workflow.defn(name=names.INCIDENT_WORKFLOW)
class IncidentWorkflow:
    """Message protocol: the signal `receive_events` brings a batch of events; any other signal becomes
    a dead letter. The update `act` starts an action on the incident. The queries `state` and `timeline`
    return the workflow's state and its latest events. The workflow ends some time after the incident is
    resolved; a later event starts a new run, which continues the same issue.
    """

    @workflow.init
    def __init__(self, start: IncidentStart) -> None:
        self._ref = start.ref
        self._public_address = start.public_address
        self._policy = LifecyclePolicy(
            complete_after=start.complete_after,
            severities=start.severities,
            gathers_context=start.gathers_context,
        )
        self._state = start.state or IncidentState()
        #: True after continue-as-new (the previous run passed its state in); a new run's first save loads it.
        self._is_state_loaded = start.state is not None
        self._had_earlier_run = start.state is not None
        self._published = start.published
        #: When a target becomes near or missed; None: no timer runs. Each save returns the next time.
        self._due = start.due
        self._waiting = list(start.waiting)
        self._dead_letters = list(start.puzzles)

    @workflow.run
    async def run(self, start: IncidentStart) -> IncidentState:
        """Handle the incident's events until a day after it was resolved."""
        self._describe()
        try:
            while True:
                await self._wait_for_work()
                await self._save_waiting()
                await self._check_targets()
                if self._is_finished() or self._history_is_long(start):
                    # Each accepted action has its own workflow before this run ends. Meanwhile, events may
                    # arrive.
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    if self._is_finished():
                        return self._state
                    if self._history_is_long(start):
                        workflow.continue_as_new(self._next_start(start))
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            # An operator cancelled the workflow: save what has arrived, then end.
            while self._has_work():
                await self._save_waiting()
            raise

    @workflow.signal(dynamic=True)
    def receive(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Queue what arrived; the loop in `run` does all the work, in order."""
        received = decode_signal(name, [value.payload.data for value in payloads])
        self._waiting += received.events
        self._dead_letters += received.dead_letters

    @workflow.update(name=names.UPDATE_ACT, description="Sent by our API: see `issues act`")
    async def act(self, order: ActionToAccept) -> None:
        """Start the action's call. Fails with ActionRefused and a reason if the status rules it out."""
        await self._start_call(order.filed)

    @act.validator
    def check_act(self, order: ActionToAccept) -> None:
        """Validate the update `act`: refuse at once what makes no sense."""
        reason = refusal_of(order.action, order.standing, self._status_as_of())
        if reason is not None:
            raise ApplicationError(reason, type=ACTION_REFUSED, non_retryable=True)

    @workflow.query(name=names.QUERY_STATE, description="The incident's current state")
    def state(self) -> IncidentState:
        """Return the incident's state, as the workflow knows it."""
        return self._state.model_copy(update={"remembered": ()})

    @workflow.query(name=names.QUERY_TIMELINE, description="The latest events, oldest first")
    def timeline(self) -> list[RememberedEvent]:
        """Return the last events that the workflow has handled, oldest first."""
        return sorted(self._state.remembered, key=lambda event: event.occurred_at)

    async def _wait_for_work(self) -> None:
        """Wait for an event, for a target's time, or for the end of a resolved incident's quiet period."""
        if self._has_work() or self._is_over() or self._is_due():
            return
        deadlines = [moment for moment in (self._state.completes_at, self._due) if moment is not None]
        if not deadlines:
            await workflow.wait_condition(self._has_work)
            return
        deadline = min(deadlines)
        completes = deadline == self._state.completes_at
        try:
            await workflow.wait_condition(
                self._has_work,
                timeout=max(deadline - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary="completes if it isn't reopened" if completes else "a response target is due",
            )
        except TimeoutError:
            return

    async def _save_waiting(self) -> None:
        batch = tuple(self._waiting[:MAX_BATCH])
        if batch:
            await self._carry_out(self._decide(batch))
            del self._waiting[: len(batch)]
        if self._dead_letters:
            await self._save_dead_letters(tuple(self._dead_letters))
        if not self._is_state_loaded:
            # No event could be saved, so no save has loaded an earlier run's state yet.
            self._state = await self._save((), self._state)
        self._describe()

    def _describe(self) -> None:
        workflow.set_current_details(operator_summary(self._ref, self._state, self._public_address))

    def _decide(self, batch: tuple[EventFacts, ...]) -> Decision:
        """Decide on the batch. If that fails, decide on each event alone, so that none blocks the others."""
        now = workflow.now()
        try:
            return decide(self._state, batch, now, self._policy)
        # Only a bug gets here. Its message may quote what people wrote, so the log has its type and place.
        except Exception as error:
            workflow.logger.error("decision_failed", extra=fault_fields(error))
        state = self._state
        effects: list[Effect] = []
        for event in batch:
            try:
                decision = decide(state, (event,), now, self._policy)
            # An event that a bug can't decide on must not hold up the others: it is kept as a dead letter.
            except Exception as error:
                self._dead_letters.append(_dead_letter(event, f"no decision: {type(error).__name__}"))
            else:
                state = decision.state
                effects += decision.effects
        return Decision(state=state, effects=tuple(effects))

    async def _carry_out(self, decision: Decision) -> None:
        state = decision.state
        for effect in decision.effects:
            match effect:
                case SaveEvents(events=events):
                    state = await self._save(events, state)
                case Publish():
                    self._publish(publication_of(state))
                case RequestContext():
                    await self._request_context(
                        context_request_after_merge(effect, state, self._had_earlier_run)
                    )
                case _:
                    assert_never(effect)
        self._state = state

    async def _request_context(self, request: RequestContext | None) -> None:
        """Start the context's own workflow, or signal it. Best effort: a failure is logged and ignored."""
        if request is None:
            return
        try:
            await workflow.execute_local_activity_method(
                ContextRequestActivities.request_context,
                ContextToRequest(ref=self._ref, reason=request.reason.value),
                **activity_options.CONTEXT_REQUEST,
                summary=f"gather the context: {request.reason.value}",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("context_not_wanted", extra={"reason": request.reason.value})
            workflow.metric_meter().create_counter("calmo_contexts_given_up").add(1)

    def _publish(self, publish: Publish) -> None:
        """Update the search attributes if they have changed."""
        if publish != self._published:
            workflow.upsert_search_attributes(
                [pair.key.value_set(pair.value) for pair in incident_search_attributes(publish)]
            )
            self._published = publish

    async def _save(self, events: tuple[EventFacts, ...], after: IncidentState) -> IncidentState:
        """Save events. Returns `after`, merged with the stored state if this is the run's first save."""
        try:
            saved = await workflow.execute_local_activity_method(
                IncidentActivities.save_events,
                EventsToSave(
                    ref=self._ref,
                    events=events,
                    severity=after.severity,
                    asks_for_state=not self._is_state_loaded,
                ),
                **activity_options.STORE,
                summary=f"save {len(events)} event(s)",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return await self._not_saved(events, after, error)
        self._is_state_loaded = True
        self._due = saved.due
        self._had_earlier_run = self._had_earlier_run or saved.known is not None
        return merge_states(saved.known, after, saved.new > 0) if saved.known else after

    async def _not_saved(
        self, events: tuple[EventFacts, ...], after: IncidentState, error: FailureError
    ) -> IncidentState:
        """Save each event alone, to find those that can't be saved; they become dead letters."""
        fault = _cause_of(error)
        if len(events) > 1 and isinstance(fault, ApplicationError) and fault.type == CANNOT_APPLY:
            for event in events:
                after = await self._save((event,), after)
            return after
        self._dead_letters += [_dead_letter(event, f"not saved: {fault}") for event in events]
        self._is_state_loaded = True
        return after

    async def _save_dead_letters(self, dead_letters: tuple[DeadLetter, ...]) -> None:
        await workflow.execute_local_activity_method(
            IncidentActivities.save_dead_letters,
            DeadLettersToSave(ref=self._ref, puzzles=dead_letters),
            **activity_options.STORE,
            summary=f"save {len(dead_letters)} dead letter(s)",
        )
        del self._dead_letters[: len(dead_letters)]

    async def _check_targets(self) -> None:
        """Put near and missed targets on the timeline; escalate a miss if the connection wants it."""
        if not self._is_due():
            return
        try:
            checked = await workflow.execute_local_activity_method(
                IncidentActivities.check_targets,
                TargetsToCheck(ref=self._ref, as_of=workflow.now()),
                **activity_options.STORE,
                summary="response targets",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("targets_not_looked_at", extra=fault_fields(error))
            self._due = None
            return
        self._due = checked.due
        if checked.escalation is not None:
            await self._start_call(checked.escalation)

    async def _start_call(self, ticket: ToolCallTicket) -> None:
        """Start the call's own workflow, which carries it out even if this run ends."""
        try:
            await workflow.start_child_workflow(ToolCallWorkflow.run, **child_call_workflow_options(ticket))
        except WorkflowAlreadyStartedError:
            pass  # It was started before, perhaps by an earlier run.

    def _status_as_of(self) -> StatusAsOf:
        """Return the status, including events that have arrived and are not saved yet."""
        state = self._state
        try:
            state = decide(state, self._waiting, workflow.now(), self._policy).state
        # Only a bug gets here. Its message may quote what people wrote, so the log has its type and place.
        except Exception as error:
            workflow.logger.error("decision_failed", extra=fault_fields(error))
        return StatusAsOf(status=state.status, as_of=state.as_of, as_of_seq=state.as_of_seq)

    def _has_work(self) -> bool:
        return bool(self._waiting or self._dead_letters)

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= workflow.now()

    def _is_over(self) -> bool:
        """Return True if the incident is resolved and its quiet period is over, or if an earlier run
        resolved it and no new event changed that.
        """
        state = self._state
        return state.status is IncidentStatus.RESOLVED and (
            state.completes_at is None or state.completes_at <= workflow.now()
        )

    def _is_finished(self) -> bool:
        return self._is_over() and not self._has_work()

    def _history_is_long(self, start: IncidentStart) -> bool:
        """Return True if the run must continue as new, and what waits fits into the next run's input."""
        if self._dead_letters or len(self._waiting) > MAX_CARRIED_EVENTS:
            return False
        info = workflow.info()
        return (
            info.get_current_history_length() >= start.continue_as_new_after
            or info.is_continue_as_new_suggested()
        )

    def _next_start(self, start: IncidentStart) -> IncidentStart:
        return start.model_copy(
            update={
                "state": self._state,
                "published": self._published,
                "due": self._due,
                "waiting": tuple(self._waiting),
                "puzzles": tuple(self._dead_letters),
            }
        )


def _dead_letter(event: EventFacts, reason: str) -> DeadLetter:
    return DeadLetter(reason=reason, payload=event.model_dump_json(), seqs=(event.seq,))


def _cause_of(error: FailureError) -> BaseException:
    """Return the fault itself: a regular activity's fault comes wrapped, a local activity's doesn't."""
    return error.cause if isinstance(error, ActivityError) and error.cause else error
