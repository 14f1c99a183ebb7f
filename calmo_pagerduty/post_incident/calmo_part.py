"""What Calmo itself did about an incident, and why: decisions, contexts, actions. Pure."""

from collections.abc import Iterator, Mapping

from calmo_pagerduty.incidents.actions import Operation, OperationState
from calmo_pagerduty.incidents.incident_replay import ReplayOutcome, ReplayStep
from calmo_pagerduty.post_incident.model import PartName, PostIncidentInput, ReportPart, Sentence
from calmo_pagerduty.post_incident.phrases import join_names, since_start

_STATE_OF_OPERATION: Mapping[OperationState, str] = {
    OperationState.OPEN: "it is not finished",
    OperationState.DONE: "PagerDuty did it",
    OperationState.UNCHANGED: "it was so already, so nothing was done",
    OperationState.UNKNOWN: "it may have been done",
    OperationState.NOT_DONE: "it was not done",
}


def calmo_part(given: PostIncidentInput) -> ReportPart:
    """Return a sentence for each delivery with the decision on it, and for each context and action."""
    sentences = [
        *_decisions(given),
        *_contexts(given),
        *(_operation(given, each) for each in given.operations),
    ]
    sentences.sort(key=lambda sentence: (sentence.at or given.issue.created_at, sentence.cites))
    return ReportPart(PartName.CALMO, tuple(sentences), tuple(_lacking(given)))


def _decisions(given: PostIncidentInput) -> Iterator[Sentence]:
    for step in given.replay.steps if given.replay is not None else ():
        event = (step.event_type or "an event").removeprefix("incident.").replace("_", " ")
        yield Sentence(
            f"Delivery {step.seq} ({event}): {_verdict(step)}, because {step.reason}"
            f"{f'; Calmo did: {join_names(step.effects)}' if step.effects else ''}.",
            (f"event {step.event_id}" if step.event_id else f"delivery {step.seq}",),
            step.decided_at or step.received_at,
        )


def _verdict(step: ReplayStep) -> str:
    if step.outcome is ReplayOutcome.SET_STATE:
        return f"it set the state to {step.after.status}, {step.after.severity}"
    return {
        ReplayOutcome.LATE: "it changed no state",
        ReplayOutcome.TIMELINE_ONLY: "it joined the timeline only",
        ReplayOutcome.REPEATED: "it changed nothing",
    }.get(step.outcome, "it did not reach the workflow")


def _contexts(given: PostIncidentInput) -> Iterator[Sentence]:
    context = given.context
    if context is not None:
        degraded = ", though some sources were lacking" if context.is_degraded else ""
        yield Sentence(
            f"Calmo gathered the context with {context.requests} requests{degraded}, because:"
            f" {join_names(context.reasons)}.",
            (f"context version {context.version}",),
            context.begun_at,
        )


def _operation(given: PostIncidentInput, operation: Operation) -> Sentence:
    when = since_start(operation.filed_at, given.issue.created_at)
    own = tuple(f"event {own_event.event_id}" for own_event in operation.echoes)
    return Sentence(
        f"{operation.author} had Calmo do “{operation.action.replace('_', ' ')}”"
        f" ({when}): {_STATE_OF_OPERATION[operation.state]}.",
        (f"call {operation.id}", *own),
        operation.filed_at,
    )


def _lacking(given: PostIncidentInput) -> Iterator[str]:
    if given.replay is None:
        yield "Decisions on deliveries are left out: they need the permission deliveries:read."
    elif given.replay.missing:
        yield f"{len(given.replay.missing)} events are no longer stored as deliveries."
