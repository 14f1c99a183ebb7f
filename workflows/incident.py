"""One PagerDuty incident's whole life, from the first event to some time after it is resolved."""

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
    from calmo_pagerduty.pagerduty.event_types import IncidentStatus
    from calmo_pagerduty.tool_calls.record_service import ToolCallTicket
    from workflows import activity_options, names
    from workflows.searchable import incident_search_attributes
    from workflows.tool_call import ToolCallWorkflow, child_call_workflow_options

#: One transaction's worth of events; more wait for the next round.
MAX_BATCH = 200
#: How many waiting events the next run may be given: its input must stay below Temporal's 2 MiB.
MAX_CARRIED_EVENTS = 1000


class IncidentStart(FrozenModel):
    """A run's input. `state` and `waiting` come from the run before it, if it continued as new."""

    ref: IncidentRef
    complete_after: timedelta = timedelta(hours=24)
    #: History events after which the workflow continues as new.
    continue_as_new_after: int = 250
    #: The connection's own priority names, in lower case.
    severities: Mapping[str, Severity] = {}
    #: What the start's own search attributes say already.
    published: Publish | None = None
    state: IncidentState | None = None
    waiting: tuple[EventFacts, ...] = ()
    puzzles: tuple[DeadLetter, ...] = ()
    #: Whether its context is gathered when it begins, is reopened, or becomes more severe.
    gathers_context: bool = False
    #: When a response target is near or missed; None: none is known of.
    due: datetime | None = None


class ActionToAccept(FrozenModel):
    """The argument of the update `act`: an action that is filed already.

    `standing` is the incident as our database has it. It may be ahead of the workflow, never behind what
    the workflow has saved. The update carries ids only: who acts, and with which words, is in our database.
    """

    action: Action
    filed: ToolCallTicket
    standing: StatusAsOf


@workflow.defn(name=names.INCIDENT_WORKFLOW)
class IncidentWorkflow:
    """Message protocol: the signal `receive_events` brings events, as many as waited; any other
    signal is set aside. The update `act` brings what is to be done to the incident. The queries
    `state` and `timeline` answer what is known. It ends some time after the incident is resolved; a
    later event starts a new run, which goes on with the same issue.
    """

    @workflow.init
    def __init__(self, start: IncidentStart) -> None:
        self._ref = start.ref
        self._policy = LifecyclePolicy(
            complete_after=start.complete_after,
            severities=start.severities,
            gathers_context=start.gathers_context,
        )
        self._state = start.state or IncidentState()
        #: Whether this run knows what earlier ones did: one that continued was told, a new one asks.
        self._knows_the_past = start.state is not None
        self._lived_before = start.state is not None
        self._published = start.published
        #: When a target is near or missed; None: nothing is due, and no timer runs. The saves say when.
        self._due = start.due
        self._waiting = list(start.waiting)
        self._puzzles = list(start.puzzles)

    @workflow.run
    async def run(self, start: IncidentStart) -> IncidentState:
        self._describe()
        try:
            while True:
                await self._wait_for_work()
                await self._save_waiting()
                await self._check_targets()
                if self._is_finished() or self._history_is_long(start):
                    # Each action taken over has its own workflow before this run ends; events may arrive
                    # meanwhile.
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    if self._is_finished():
                        return self._state
                    if self._history_is_long(start):
                        workflow.continue_as_new(self._next_start(start))
        except (asyncio.CancelledError, FailureError) as error:
            if not is_cancelled_exception(error):
                raise
            # An operator cancelled the workflow: it still saves what has arrived.
            while self._has_work():
                await self._save_waiting()
            raise

    @workflow.signal(dynamic=True)
    def receive(self, name: str, payloads: Sequence[RawValue]) -> None:
        """Only puts aside what came; the loop in `run` does all the work, in order."""
        received = decode_signal(name, [value.payload.data for value in payloads])
        self._waiting += received.events
        self._puzzles += received.dead_letters

    @workflow.update(name=names.UPDATE_ACT, description="Filed by the API: see `issues act`")
    async def act(self, order: ActionToAccept) -> None:
        """Have the action carried out. Fails with ActionRefused, in words, if it makes no sense now."""
        await self._start_call(order.filed)

    @act.validator
    def check_act(self, order: ActionToAccept) -> None:
        why = refusal_of(order.action, order.standing, self._status_as_of())
        if why is not None:
            raise ApplicationError(why, type=ACTION_REFUSED, non_retryable=True)

    @workflow.query(name=names.QUERY_STATE, description="Where the incident stands")
    def state(self) -> IncidentState:
        return self._state.model_copy(update={"remembered": ()})

    @workflow.query(name=names.QUERY_TIMELINE, description="The latest events, oldest first")
    def timeline(self) -> list[RememberedEvent]:
        return sorted(self._state.remembered, key=lambda event: event.occurred_at)

    async def _wait_for_work(self) -> None:
        """Wait for events, until a target is due, or until a resolved incident has been quiet for long."""
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
        if self._puzzles:
            await self._save_dead_letters(tuple(self._puzzles))
        if not self._knows_the_past:
            # Nothing could be saved: what is there already still has to be known.
            self._state = await self._save((), self._state)
        self._describe()

    def _describe(self) -> None:
        workflow.set_current_details(operator_summary(self._ref, self._state))

    def _decide(self, batch: tuple[EventFacts, ...]) -> Decision:
        """Decide on the batch; should that fail, on each event alone: one can't hold up the others."""
        now = workflow.now()
        try:
            return decide(self._state, batch, now, self._policy)
        except Exception:
            workflow.logger.exception("decision_failed")
        state = self._state
        effects: list[Effect] = []
        for event in batch:
            try:
                decision = decide(state, (event,), now, self._policy)
            except Exception as error:
                self._puzzles.append(_dead_letter(event, f"no decision: {type(error).__name__}"))
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
                        context_request_after_merge(effect, state, self._lived_before)
                    )
                case _:
                    assert_never(effect)
        self._state = state

    async def _request_context(self, want: RequestContext | None) -> None:
        """Have the context gathered by a workflow of its own. If Temporal has no ear for it now, so be it."""
        if want is None:
            return
        try:
            await workflow.execute_local_activity_method(
                ContextRequestActivities.request_context,
                ContextToRequest(ref=self._ref, reason=want.reason.value),
                **activity_options.CONTEXT_REQUEST,
                summary=f"gather the context: {want.reason.value}",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("context_not_wanted", extra={"reason": want.reason.value})
            workflow.metric_meter().create_counter("calmo_contexts_given_up").add(1)

    def _publish(self, publish: Publish) -> None:
        """Let operators find the incident as it is now, unless its search attributes say so already."""
        if publish != self._published:
            workflow.upsert_search_attributes(
                [pair.key.value_set(pair.value) for pair in incident_search_attributes(publish)]
            )
            self._published = publish

    async def _save(self, events: tuple[EventFacts, ...], after: IncidentState) -> IncidentState:
        """Save events and return the state that holds then: this one, or an earlier life's."""
        try:
            saved = await workflow.execute_local_activity_method(
                IncidentActivities.save_events,
                EventsToSave(
                    ref=self._ref,
                    events=events,
                    severity=after.severity,
                    asks_for_state=not self._knows_the_past,
                ),
                **activity_options.STORE,
                summary=f"save {len(events)} event(s)",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return await self._not_saved(events, after, error)
        self._knows_the_past = True
        self._due = saved.due
        self._lived_before = self._lived_before or saved.known is not None
        return merge_states(saved.known, after, saved.new > 0) if saved.known else after

    async def _not_saved(
        self, events: tuple[EventFacts, ...], after: IncidentState, error: FailureError
    ) -> IncidentState:
        """Find the event that can't be saved, by saving each alone; set aside what can't be."""
        fault = _cause_of(error)
        if len(events) > 1 and isinstance(fault, ApplicationError) and fault.type == CANNOT_APPLY:
            for event in events:
                after = await self._save((event,), after)
            return after
        self._puzzles += [_dead_letter(event, f"not saved: {fault}") for event in events]
        self._knows_the_past = True
        return after

    async def _save_dead_letters(self, dead_letters: tuple[DeadLetter, ...]) -> None:
        await workflow.execute_local_activity_method(
            IncidentActivities.save_dead_letters,
            DeadLettersToSave(ref=self._ref, puzzles=dead_letters),
            **activity_options.STORE,
            summary=f"set {len(dead_letters)} aside",
        )
        del self._puzzles[: len(dead_letters)]

    async def _check_targets(self) -> None:
        """Say on the timeline what is near or missed, and escalate it if the connection wants that."""
        if not self._is_due():
            return
        try:
            looked = await workflow.execute_local_activity_method(
                IncidentActivities.check_targets,
                TargetsToCheck(ref=self._ref, as_of=workflow.now()),
                **activity_options.STORE,
                summary="response targets",
            )
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.exception("targets_not_looked_at")
            self._due = None
            return
        self._due = looked.due
        if looked.escalation is not None:
            await self._start_call(looked.escalation)

    async def _start_call(self, ticket: ToolCallTicket) -> None:
        """Start the call's own workflow, which carries it out whatever becomes of this run."""
        try:
            await workflow.start_child_workflow(ToolCallWorkflow.run, **child_call_workflow_options(ticket))
        except WorkflowAlreadyStartedError:
            pass  # It was started before, by an earlier run perhaps.

    def _status_as_of(self) -> StatusAsOf:
        """How the incident stands with what has arrived and isn't saved yet."""
        state = self._state
        try:
            state = decide(state, self._waiting, workflow.now(), self._policy).state
        except Exception:
            workflow.logger.exception("decision_failed")
        return StatusAsOf(status=state.status, as_of=state.as_of, as_of_seq=state.as_of_seq)

    def _has_work(self) -> bool:
        return bool(self._waiting or self._puzzles)

    def _is_due(self) -> bool:
        return self._due is not None and self._due <= workflow.now()

    def _is_over(self) -> bool:
        """Resolved, and quiet for long enough; or resolved in an earlier run and not changed since."""
        state = self._state
        return state.status is IncidentStatus.RESOLVED and (
            state.completes_at is None or state.completes_at <= workflow.now()
        )

    def _is_finished(self) -> bool:
        return self._is_over() and not self._has_work()

    def _history_is_long(self, start: IncidentStart) -> bool:
        """Whether to continue as new; not while more waits than the next run can be given."""
        if self._puzzles or len(self._waiting) > MAX_CARRIED_EVENTS:
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
                "puzzles": tuple(self._puzzles),
            }
        )


def _dead_letter(event: EventFacts, reason: str) -> DeadLetter:
    return DeadLetter(reason=reason, payload=event.model_dump_json(), seqs=(event.seq,))


def _cause_of(error: FailureError) -> BaseException:
    """A local activity's fault comes as it is; a regular activity's comes wrapped."""
    return error.cause if isinstance(error, ActivityError) and error.cause else error
