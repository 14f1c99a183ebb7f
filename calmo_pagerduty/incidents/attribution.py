"""Our own write comes back as PagerDuty's event. It is recognised by fact, never by its wording alone.

An event tells of an operation if it is of a type that the operation expects, shows what was asked for,
names as its agent the user as whom we wrote, and happened between our first asking and PagerDuty's
answer, give or take what the two clocks differ. All of it must hold: in doubt it is somebody else's.
Order doesn't matter: an event may come before the answer is heard, or hours after.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.incidents.actions import ExpectedEvent, Operation, OperationState
from calmo_pagerduty.incidents.model import ReceivedEvent
from calmo_pagerduty.pagerduty.log_entries import is_logged
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent

#: How far PagerDuty's clock and ours may differ.
ATTRIBUTION_TOLERANCE = timedelta(seconds=30)
_ATTRIBUTABLE_STATES = frozenset({OperationState.OPEN, OperationState.DONE, OperationState.UNKNOWN})
_NO_TIME = timedelta()


def attribute_events(
    operations: Sequence[Operation], events: Sequence[ReceivedEvent]
) -> Mapping[str, Operation]:
    """Return the operation that each event tells of, by the event's id; others tell of none of them.

    An operation takes as many events of a type as it expects, from webhooks and from PagerDuty's log
    each: the nearest in time first, and of those that were under way together one that is known to be
    done.
    """
    found: dict[str, Operation] = {}
    taken: Counter[tuple[str, str, bool]] = Counter()
    for operation in operations:
        taken.update((operation.id, echo.event_type, is_logged(echo.event_id)) for echo in operation.echoes)
    for *_, place, event_id, expected in sorted(
        _candidate_pairs(operations, events), key=lambda pair: pair[:5]
    ):
        operation = operations[place]
        slot = (operation.id, expected.event_type, is_logged(event_id))
        if event_id not in found and taken[slot] < expected.at_most:
            found[event_id] = operation
            taken[slot] += 1
    return found


def _candidate_pairs(
    operations: Sequence[Operation], events: Sequence[ReceivedEvent]
) -> Iterator[tuple[timedelta, bool, timedelta, int, str, ExpectedEvent]]:
    for place, operation in enumerate(operations):
        for received in events:
            at = received.facts.occurred_at
            gap, expected = _distance_to_flight(operation, at), _matching_expectation(operation, received)
            if gap is not None and expected is not None and operation.sent_at is not None:
                is_open = operation.state is not OperationState.DONE
                away = abs(at - operation.sent_at)
                yield gap, is_open, away, place, received.facts.event_id, expected


def _matching_expectation(operation: Operation, received: ReceivedEvent) -> ExpectedEvent | None:
    """Return which of the operation's expectations the event meets."""
    event = received.event
    if event is None or operation.agent is None or event.actor is None:
        return None
    if event.actor.id != operation.agent.id:
        return None
    for expected in operation.expected:
        if event.event_type == expected.event_type and _matches_field(event, expected.shows):
            return expected
    return None


def _distance_to_flight(operation: Operation, at: datetime) -> timedelta | None:
    """Return how far a moment is from the operation's flight; None if it is too far."""
    if operation.sent_at is None or operation.state not in _ATTRIBUTABLE_STATES:
        return None
    late = at - operation.answered_at if operation.answered_at else _NO_TIME
    gap = max(operation.sent_at - at, late, _NO_TIME)
    return gap if gap <= ATTRIBUTION_TOLERANCE else None


def _matches_field(event: WebhookEvent, wanted: Mapping[str, Any]) -> bool:
    return all(
        _FIELD_READERS[name](event) in (None, value) for name, value in wanted.items() if name != "mark"
    ) and ("mark" not in wanted or _contains_mark(event, wanted["mark"]))


def _contains_mark(event: WebhookEvent, mark: str) -> bool:
    """A text that was cut, or isn't told, may have held it."""
    text = event.data.get("content") or event.data.get("message")
    return not isinstance(text, str) or event.data.get("trimmed") is True or mark in text


def _priority(event: WebhookEvent) -> str | None:
    if event.snapshot is None:
        return None
    priority = event.data.get("priority")
    return str(priority.get("id")) if isinstance(priority, dict) else ""


def _assignees(event: WebhookEvent) -> list[str] | None:
    return None if event.snapshot is None else sorted(assignee.id for assignee in event.snapshot.assignees)


def _policy(event: WebhookEvent) -> str | None:
    policy = event.snapshot.escalation_policy if event.snapshot else None
    return policy.id if policy else None


#: What an event shows, by the name that an expectation has for it; None if it doesn't say.
_FIELD_READERS: Mapping[str, Callable[[WebhookEvent], Any]] = {
    "assignees": _assignees,
    "priority": _priority,
    "escalation_policy": _policy,
}
