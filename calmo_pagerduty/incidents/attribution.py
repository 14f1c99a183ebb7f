"""Decide which events our own operations caused: PagerDuty reports our writes as events, too.

An event is an operation's own event if its type is expected, it shows the requested values, its agent is
the user our token acts as, and it happened between our first request and PagerDuty's answer, within the
tolerance of the two clocks. All of this must hold: in doubt, the event is somebody else's.
The order of arrival doesn't matter: an event may arrive before the answer, or hours later.

Source: PagerDuty's Webhooks V3 documentation, "Webhook payload" (`agent`) and "Event data types".
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
    """Return event id → the operation that caused the event. Events of other causes are not in it.

    An operation takes as many events of a type as it expects, once from webhooks and once from PagerDuty's
    log. The nearest in time comes first; among operations in flight at the same time, a finished one does.
    """
    attributed: dict[str, Operation] = {}
    taken: Counter[tuple[str, str, bool]] = Counter()
    for operation in operations:
        taken.update(
            (operation.id, event.event_type, is_logged(event.event_id)) for event in operation.echoes
        )
    for *_, place, event_id, expected in sorted(
        _candidate_pairs(operations, events), key=lambda pair: pair[:5]
    ):
        operation = operations[place]
        slot = (operation.id, expected.event_type, is_logged(event_id))
        if event_id not in attributed and taken[slot] < expected.at_most:
            attributed[event_id] = operation
            taken[slot] += 1
    return attributed


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
    """Return the first expectation of the operation that the event meets; None if it meets none."""
    event = received.event
    if event is None or operation.agent is None or event.actor is None:
        return None
    if event.actor.id != operation.agent.id:
        return None
    for expected in operation.expected:
        if event.event_type == expected.event_type and _matches_fields(event, expected.shows):
            return expected
    return None


def _distance_to_flight(operation: Operation, at: datetime) -> timedelta | None:
    """Return how far `at` is from the time between request and answer; None beyond the tolerance."""
    if operation.sent_at is None or operation.state not in _ATTRIBUTABLE_STATES:
        return None
    late = at - operation.answered_at if operation.answered_at else _NO_TIME
    gap = max(operation.sent_at - at, late, _NO_TIME)
    return gap if gap <= ATTRIBUTION_TOLERANCE else None


def _matches_fields(event: WebhookEvent, expected: Mapping[str, Any]) -> bool:
    return all(
        _FIELD_READERS[name](event) in (None, value) for name, value in expected.items() if name != "mark"
    ) and ("mark" not in expected or _may_contain_mark(event, expected["mark"]))


def _may_contain_mark(event: WebhookEvent, mark: str) -> bool:
    """Return False only if the whole text is there and lacks the mark."""
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


#: Reads an event's value for each name in `ExpectedEvent.shows`; None if the event doesn't have it.
_FIELD_READERS: Mapping[str, Callable[[WebhookEvent], Any]] = {
    "assignees": _assignees,
    "priority": _priority,
    "escalation_policy": _policy,
}
