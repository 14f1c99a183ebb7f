"""Plays an incident again from its stored deliveries, with the decision and its reason at each step. Pure.

It calls the workflow's own `decide`, with one event at a time, in the order in which the workflow saved them.
So a step that disagrees with the timeline shows that the settings or the code have changed since.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents.lifecycle import (
    Decision,
    Effect,
    EventFacts,
    IncidentState,
    LifecyclePolicy,
    Publish,
    RequestContext,
    SaveEvents,
    decide,
)
from calmo_pagerduty.kernel.instants import format_instant, format_table_instant
from calmo_pagerduty.pagerduty.event_types import IncidentStatus


class ReplayOutcome(StrEnum):
    """What became of a delivery's event."""

    #: The incident's state comes from it.
    SET_STATE = "set state"
    #: It is older than the event that the state comes from.
    LATE = "late"
    #: It doesn't show the incident, so it can't set a state.
    TIMELINE_ONLY = "timeline only"
    REPEATED = "repeated"
    #: It never reached the workflow, or not yet.
    NOT_SENT = "not sent"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored delivery of one incident. Times are UTC; `facts` is None if nothing could be understood.

    `place` orders what the workflow has saved; None if the timeline lacks the event. `moved` is what the
    workflow decided then.
    """

    seq: int
    event_id: str | None
    event_type: str | None
    received_at: datetime
    forwarded_at: datetime | None
    state: DeliveryState
    reason: str | None
    facts: EventFacts | None
    place: int | None = None
    moved: bool | None = None


@dataclass(frozen=True, slots=True)
class ReplayedState:
    """The state of the incident's workflow, as far as people ask for it. Times are UTC."""

    status: IncidentStatus
    severity: Severity
    priority: str | None
    service_id: str | None
    team_ids: tuple[str, ...]
    as_of: datetime | None
    completes_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One delivery. `decided_at` (UTC) is the time the decision was given: when it was sent to the workflow.

    `agrees` is False if the timeline says otherwise, and None if the timeline doesn't have the event.
    """

    seq: int
    event_id: str | None
    event_type: str | None
    occurred_at: datetime | None
    received_at: datetime
    decided_at: datetime | None
    outcome: ReplayOutcome
    reason: str
    effects: tuple[str, ...]
    before: ReplayedState
    after: ReplayedState
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class IncidentReplay:
    """All steps, and the ids of the timeline's events whose delivery is no longer stored."""

    steps: tuple[ReplayStep, ...]
    missing: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """True if no step contradicts the timeline."""
        return all(step.agrees is not False for step in self.steps)


#: Why an event never reached the workflow, or not yet.
_NOT_SENT: Mapping[DeliveryState, str] = {
    DeliveryState.PENDING: "it waits to be sent to the workflow",
    DeliveryState.PAUSED: "the webhook was paused when it came",
    DeliveryState.CONFLICT: "another body came with the same event id: it is only kept in the log",
    DeliveryState.DEAD_LETTER: "it could not be understood",
    DeliveryState.RECORDED: "it is about no incident's workflow: it is only kept in the log",
}


def replay_incident(
    events: Sequence[StoredEvent], policy: LifecyclePolicy, missing: Sequence[str] = ()
) -> IncidentReplay:
    """Decide on each event again, in the order in which the workflow saw them. Total.

    What it has not saved stands where it came in. `missing` are the timeline's events without a delivery.
    """
    progress = _Progress(policy)
    return IncidentReplay(tuple(progress.step(event) for event in _in_order(events)), tuple(missing))


def _in_order(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return saved events in the order of saving, and each other one after those that came before it."""
    # Two webhooks may have brought one event: the first to come was the one that counted.
    ordered = sorted(
        (event for event in events if event.place is not None),
        key=lambda event: (event.place or 0, event.seq),
    )
    for event in sorted((event for event in events if event.place is None), key=lambda event: event.seq):
        after = (index for index, other in enumerate(ordered, 1) if other.seq < event.seq)
        ordered.insert(max(after, default=0), event)
    return ordered


@dataclass
class _Progress:
    """The state so far, and the event that it comes from."""

    policy: LifecyclePolicy
    state: IncidentState = field(default_factory=IncidentState)
    setter: str | None = None

    def step(self, event: StoredEvent) -> ReplayStep:
        """Return the step of an event, and go on from its state."""
        before, at = self.state, event.forwarded_at or event.received_at
        is_sent = event.state not in _NOT_SENT and event.facts is not None
        if event.facts is None or not is_sent:
            outcome, reason = ReplayOutcome.NOT_SENT, _not_sent_reason(event)
            decision = Decision(state=before)
        else:
            decision = decide(before, (event.facts,), at, self.policy)
            outcome, reason = self._outcome(event.facts, decision)
        self.state = decision.state
        if outcome is ReplayOutcome.SET_STATE:
            self.setter = event.event_id
        is_saved = event.moved is not None and outcome is not ReplayOutcome.REPEATED
        return ReplayStep(
            seq=event.seq,
            event_id=event.event_id,
            event_type=event.event_type,
            occurred_at=event.facts.occurred_at if event.facts else None,
            received_at=event.received_at,
            decided_at=at if is_sent else None,
            outcome=outcome,
            reason=reason,
            effects=tuple(_effect_text(effect) for effect in decision.effects)
            + _quiet_period(before, decision.state),
            before=_replayed_state(before),
            after=_replayed_state(decision.state),
            agrees=event.moved is (outcome is ReplayOutcome.SET_STATE) if is_saved else None,
        )

    def _outcome(self, facts: EventFacts, decision: Decision) -> tuple[ReplayOutcome, str]:
        if not decision.effects:
            return ReplayOutcome.REPEATED, "the workflow had this event already"
        if decision.state.picture_as_of != self.state.picture_as_of:
            if self.setter is None or self.state.as_of is None:
                return ReplayOutcome.SET_STATE, "it is the first event that shows the incident"
            return ReplayOutcome.SET_STATE, (
                f"it is newer than {self.setter} of {format_table_instant(self.state.as_of)} UTC,"
                " which the state came from"
            )
        if not facts.shows_incident:
            return ReplayOutcome.TIMELINE_ONLY, "it doesn't show the incident, or it came too late to trust"
        as_of = self.state.as_of or facts.occurred_at
        return ReplayOutcome.LATE, (
            f"it is of {format_table_instant(facts.occurred_at)} UTC, and the state comes from"
            f" {self.setter} of {format_table_instant(as_of)} UTC: an older event never replaces a newer one"
        )


def _not_sent_reason(event: StoredEvent) -> str:
    words = _NOT_SENT.get(event.state, "its facts can't be read by this version")
    return f"{words}: {event.reason}" if event.reason else words


def _effect_text(effect: Effect) -> str:
    match effect:
        case SaveEvents():
            return "put it on the timeline"
        case Publish():
            priority = f", priority {effect.priority}" if effect.priority else ""
            return f"publish status {effect.status}, severity {effect.severity}{priority}"
        case RequestContext():
            return f"ask for the context: {effect.reason}"
        case _:
            assert_never(effect)


def _quiet_period(before: IncidentState, after: IncidentState) -> tuple[str, ...]:
    if after.completes_at is None or after.completes_at == before.completes_at:
        return ()
    return (f"end at {format_instant(after.completes_at)} if it isn't reopened",)


def _replayed_state(state: IncidentState) -> ReplayedState:
    return ReplayedState(
        status=state.status,
        severity=state.severity,
        priority=state.priority,
        service_id=state.service_id,
        team_ids=state.team_ids,
        as_of=state.as_of,
        completes_at=state.completes_at,
    )
