"""The decisions of an incident's workflow: `decide(state, events)` is pure and total.

The state is a last-writer-wins register: it comes from the newest event that shows the incident (by
`occurred_at`, ties by the order of arrival). An older event joins the timeline and changes no state, so
duplicates, disorder and replays can't make the issue regress.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Protocol

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import from_json

from calmo_pagerduty.connections.severity import DEFAULT_SEVERITY, Severity, is_more_severe, severity_of
from calmo_pagerduty.kernel.as_of import AsOf
from calmo_pagerduty.kernel.instants import to_utc
from calmo_pagerduty.kernel.model import FrozenModel
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus

#: How many of the latest events the workflow remembers, to answer queries and drop duplicates early.
#: The database's UNIQUE(issue_id, event_id) is what finally keeps an event from counting twice.
MAX_REMEMBERED_EVENTS = 200

#: Events that are older than this at arrival don't request a context.
MAX_CONTEXT_EVENT_AGE = timedelta(days=1)


# Whatever these types admit can be decided on and saved. A value that could not (a time without a zone, a
# NUL, a number too large for a column) would block its incident for ever.
_UtcTime = Annotated[AwareDatetime, AfterValidator(to_utc)]
_ShortText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]
_Number = Annotated[int, Field(ge=0, lt=2**63)]


class DeliveryRow(Protocol):
    """A delivery's number in the log, and its event's facts as JSON without that number."""

    @property
    def seq(self) -> int: ...

    @property
    def facts(self) -> str: ...


class EventFacts(FrozenModel):
    """The few facts of one event that the workflow needs. Texts (title, names, notes) stay in the inbox.

    `seq` is the delivery's number in the inbox: the order of arrival. Times are UTC.
    """

    event_id: _ShortText
    event_type: _ShortText
    occurred_at: _UtcTime
    seq: _Number
    #: True if it was sent again because no timeline has it: it is new even if `remembered` has it.
    again: bool = False
    #: True if the event's data shows the whole incident; only then the fields below are valid.
    shows_incident: bool = False
    status: IncidentStatus | None = None
    priority: _ShortText | None = None
    service_id: _ShortText | None = None
    team_ids: Annotated[tuple[_ShortText, ...], Field(max_length=100)] = ()
    number: _Number | None = None

    @classmethod
    def from_delivery_row(cls, row: DeliveryRow) -> "EventFacts":
        """Return the facts that are stored with a delivery.

        Raises:
            ValueError: The JSON is not what `facts_json` writes.
        """
        return cls.model_validate({"seq": row.seq, **from_json(row.facts)})

    @property
    def as_of(self) -> AsOf:
        """The register value that the event's state has."""
        return AsOf(self.occurred_at, self.seq)


class RememberedEvent(FrozenModel):
    """An event that the workflow has handled. `moved`: it set the incident's state."""

    event_id: str
    event_type: str
    occurred_at: datetime
    moved: bool


class IncidentState(FrozenModel):
    """The state that an incident's workflow keeps. Times are UTC."""

    status: IncidentStatus = IncidentStatus.TRIGGERED
    severity: Severity = DEFAULT_SEVERITY
    priority: str | None = None
    service_id: str | None = None
    team_ids: tuple[str, ...] = ()
    number: int | None = None
    #: The time of the event that the fields above come from; None until an event shows the incident.
    as_of: datetime | None = None
    as_of_seq: int = 0
    #: When the workflow ends if nothing more happens; set while the incident is resolved.
    completes_at: datetime | None = None
    last_event_type: str | None = None
    last_event_at: datetime | None = None
    remembered: tuple[RememberedEvent, ...] = ()

    @property
    def picture_as_of(self) -> AsOf | None:
        """The event that the state comes from; None if no event has shown it yet."""
        return AsOf.of(self.as_of, self.as_of_seq)


class SaveEvents(FrozenModel):
    """Effect: save these events on the issue's timeline and the newest state on the issue."""

    events: tuple[EventFacts, ...]


class Publish(FrozenModel):
    """Effect: update the search attributes."""

    status: IncidentStatus
    severity: Severity
    priority: str | None
    service_id: str | None
    team_ids: tuple[str, ...]


class ContextReason(StrEnum):
    """Why the workflow requests a context."""

    FIRST_EVENT = "first event"
    REOPENED = "reopened"
    PRIORITY_RAISED = "priority raised"
    SERVICE_CHANGED = "service changed"


class RequestContext(FrozenModel):
    """Effect: request the incident's context."""

    reason: ContextReason


Effect = SaveEvents | Publish | RequestContext


class Decision(FrozenModel):
    """The incident's next state, and what to do about it."""

    state: IncidentState
    effects: tuple[Effect, ...] = ()


class LifecyclePolicy(FrozenModel):
    """The settings of the decisions. `severities` maps the connection's priority names to severities."""

    #: How long a resolved incident's workflow stays open.
    complete_after: timedelta = timedelta(hours=24)
    severities: Mapping[str, Severity] = {}
    gathers_context: bool = False


def decide(
    state: IncidentState, events: Sequence[EventFacts], now: datetime, policy: LifecyclePolicy
) -> Decision:
    """Apply the events and return the new state with the effects to carry out. Never raises: any event may
    come first, twice or late, or be of an unknown type. `now` is UTC.
    """
    fresh = _new_events(state, events)
    if not fresh:
        return Decision(state=state)
    after = state
    for event in fresh:
        after = _apply(after, event, now, policy)
    effects: list[Effect] = [SaveEvents(events=fresh)]
    if publication_of(after) != publication_of(state) or state.last_event_at is None:
        effects.append(publication_of(after))
    reason = (
        _context_reason(state, after, fresh) if policy.gathers_context and _is_recent(fresh, now) else None
    )
    if reason is not None:
        effects.append(RequestContext(reason=reason))
    return Decision(state=after, effects=tuple(effects))


def context_request_after_merge(
    request: RequestContext, merged: IncidentState, had_earlier_run: bool
) -> RequestContext | None:
    """Correct the request of a new run after it has loaded an earlier run's state: its first event was not
    the incident's first. If the incident is open, it was reopened; otherwise it needs no context.
    """
    if request.reason is not ContextReason.FIRST_EVENT or not had_earlier_run:
        return request
    return None if merged.status is IncidentStatus.RESOLVED else RequestContext(reason=ContextReason.REOPENED)


def _context_reason(
    before: IncidentState, after: IncidentState, fresh: Sequence[EventFacts]
) -> ContextReason | None:
    """Return why to request a context; None if there is no reason, or if the incident is resolved."""
    if after.status is IncidentStatus.RESOLVED:
        return None
    if before.last_event_at is None:
        return ContextReason.FIRST_EVENT
    # If `resolved` and `reopened` come in one batch, neither state shows the change.
    reopened = any(
        event.event_type == EventType.REOPENED and event.as_of.is_newer_than(before.picture_as_of)
        for event in fresh
    )
    if before.status is IncidentStatus.RESOLVED or reopened:
        return ContextReason.REOPENED
    if before.as_of is None:
        return None
    if is_more_severe(after.priority, after.severity, before.priority, before.severity):
        return ContextReason.PRIORITY_RAISED
    moved = before.service_id is not None and after.service_id not in {None, before.service_id}
    return ContextReason.SERVICE_CHANGED if moved else None


def _is_recent(events: Sequence[EventFacts], now: datetime) -> bool:
    """Return True if at least one event is recent."""
    return any(now - event.occurred_at <= MAX_CONTEXT_EVENT_AGE for event in events)


def merge_states(stored: IncidentState, own: IncidentState, anything_new: bool) -> IncidentState:
    """Return the state of a new run after its first save: the stored state, with `completes_at`.

    `stored` includes the run's first events. If none of them was new, or none is the newest, a resolved
    incident's quiet period is over, as it was before them.
    """
    newest = anything_new and stored.picture_as_of == own.picture_as_of
    return stored.model_copy(update={"completes_at": own.completes_at if newest else None})


def _new_events(state: IncidentState, events: Sequence[EventFacts]) -> tuple[EventFacts, ...]:
    seen = {event.event_id for event in state.remembered}
    fresh = []
    for event in sorted(events, key=lambda event: event.as_of):
        if event.event_id not in seen or event.again:
            seen.add(event.event_id)
            fresh.append(event)
    return tuple(fresh)


def _apply(state: IncidentState, event: EventFacts, now: datetime, policy: LifecyclePolicy) -> IncidentState:
    moves = event.shows_incident and event.as_of.is_newer_than(state.picture_as_of)
    changes: dict[str, object] = {"remembered": _remember_event(state, event, moves)}
    if state.last_event_at is None or event.occurred_at >= state.last_event_at:
        changes |= {"last_event_type": event.event_type, "last_event_at": event.occurred_at}
    if moves:
        status = event.status or state.status
        changes |= {
            "status": status,
            "severity": severity_of(event.priority, policy.severities),
            "priority": event.priority,
            "service_id": event.service_id,
            "team_ids": event.team_ids,
            "number": event.number if event.number is not None else state.number,
            "as_of": event.occurred_at,
            "as_of_seq": event.seq,
            "completes_at": _completes_at(state, status, now, policy),
        }
    return state.model_copy(update=changes)


def _completes_at(
    state: IncidentState, status: IncidentStatus, now: datetime, policy: LifecyclePolicy
) -> datetime | None:
    """Return the end of the quiet period. It starts when we learn that the incident is resolved; later
    events don't postpone it.
    """
    if status is not IncidentStatus.RESOLVED:
        return None
    return state.completes_at or now + policy.complete_after


def _remember_event(state: IncidentState, event: EventFacts, moved: bool) -> tuple[RememberedEvent, ...]:
    if event.again and any(remembered.event_id == event.event_id for remembered in state.remembered):
        return state.remembered
    entry = RememberedEvent(
        event_id=event.event_id,
        event_type=event.event_type,
        occurred_at=event.occurred_at,
        moved=moved,
    )
    return (*state.remembered, entry)[-MAX_REMEMBERED_EVENTS:]


def publication_of(state: IncidentState) -> Publish:
    """Return the values of the search attributes for this state."""
    return Publish(
        status=state.status,
        severity=state.severity,
        priority=state.priority,
        service_id=state.service_id,
        team_ids=state.team_ids,
    )
