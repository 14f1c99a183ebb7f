"""Store operations and the own events that they caused. Times are UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.db.operation_tables import operations
from calmo_pagerduty.db.schema import Utc
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.action_names import Action
from calmo_pagerduty.incidents.actions import (
    RESULT_PREFIX,
    ExpectedEvent,
    FormerValues,
    Operation,
    OperationState,
    OwnEvent,
)
from calmo_pagerduty.incidents.attribution import ATTRIBUTION_TOLERANCE, attribute_events
from calmo_pagerduty.incidents.model import ReceivedEvent
from calmo_pagerduty.incidents.timeline import TimelineEntry, operation_entry
from calmo_pagerduty.pagerduty.webhook_events import Reference

_BY_ID = sa.select(operations).where(operations.c.id == bindparam("operation"))
#: The issue's operations that were in flight between `since` and `until`.
_IN_FLIGHT = (
    sa.select(operations)
    .where(
        operations.c.issue_id == bindparam("issue"),
        operations.c.sent_at <= bindparam("until", type_=Utc()),
        sa.or_(
            operations.c.answered_at.is_(None), operations.c.answered_at >= bindparam("since", type_=Utc())
        ),
    )
    .order_by(operations.c.filed_at, operations.c.id)
)


def insert_operation(tx: Transaction, operation: Operation) -> None:
    """Insert a new operation. An operation that exists already stays as it is."""
    row = {
        "id": operation.id,
        "issue_id": operation.issue_id,
        "action": operation.action,
        "author": operation.author,
        "state": operation.state,
        "expected": [expectation.model_dump(mode="json") for expectation in operation.expected],
        "echoes": [],
        "filed_at": operation.filed_at,
        "former": None if operation.former is None else operation.former.model_dump(mode="json"),
    }
    tx.execute(insert_or_ignore(tx, operations), row)


def get_operation(tx: Transaction, operation_id: str) -> Operation | None:
    """Return the operation; None if there is none."""
    row = tx.execute(_BY_ID, {"operation": operation_id}).one_or_none()
    return None if row is None else _operation(row)


def list_operations(tx: Transaction, issue_id: str, limit: int) -> tuple[Operation, ...]:
    """Return the issue's operations, newest first."""
    query = sa.select(operations).where(operations.c.issue_id == issue_id)
    rows = tx.execute(query.order_by(operations.c.filed_at.desc(), operations.c.id).limit(limit))
    return tuple(_operation(row) for row in rows)


def mark_accepted(tx: Transaction, operation_id: str, now: datetime) -> None:
    """Record that the incident's workflow has accepted the operation; the first time counts."""
    first = sa.func.coalesce(operations.c.accepted_at, sa.literal(now, Utc()))
    _update_operation(tx, operation_id, accepted_at=first)


def mark_sent(tx: Transaction, operation_id: str, now: datetime) -> None:
    """Record that a request to PagerDuty is about to be sent: from now on, events may be its own events."""
    first = sa.func.coalesce(operations.c.sent_at, sa.literal(now, Utc()))
    _update_operation(tx, operation_id, sent_at=first, last_sent_at=now)


def mark_not_sent(tx: Transaction, operation_id: str) -> None:
    """Record that no request changed anything, so PagerDuty sends no event."""
    _update_operation(tx, operation_id, sent_at=None, last_sent_at=None)


def delete_own_events(tx: Transaction, operation_id: str) -> None:
    """Remove the operation's own events, and that the timeline has its entry."""
    _update_operation(tx, operation_id, echoes=[], is_told=False)


def update_agent(tx: Transaction, operation_id: str, agent: Reference | None) -> None:
    """Save the PagerDuty user that our token acts as; does nothing for None."""
    if agent is not None:
        document = {"id": agent.id, "type": agent.type, "name": agent.name, "url": agent.url}
        _update_operation(tx, operation_id, agent=document)


def mark_finished(tx: Transaction, operation: Operation, state: OperationState, now: datetime | None) -> None:
    """Save the final state. `now` is None if no request was sent. An own event proves that it was done."""
    is_proven = state is OperationState.UNKNOWN and operation.echoes
    state = OperationState.DONE if is_proven else state
    _update_operation(tx, operation.id, state=state, answered_at=now)


def update_attributions(
    tx: Transaction,
    issue_id: str,
    received: Sequence[ReceivedEvent],
    entries: Sequence[TimelineEntry],
) -> tuple[TimelineEntry, ...]:
    """Return the entries, with each own event's entry marked as an echo. Adds the entry of each operation
    that the timeline doesn't show yet.
    """
    by_id = {event.facts.event_id: event for event in received}
    times = [event.facts.occurred_at for event in received]
    rows = tx.execute(
        _IN_FLIGHT,
        {
            "issue": issue_id,
            "since": min(times) - ATTRIBUTION_TOLERANCE,
            "until": max(times) + ATTRIBUTION_TOLERANCE,
        },
    )
    candidates = {operation.id: operation for operation in map(_operation, rows)}
    answers = {
        event_id: operation
        for event_id in by_id
        if event_id.startswith(RESULT_PREFIX)
        and (operation := _get_answered_operation(tx, issue_id, candidates, event_id))
    }
    if not candidates:
        return tuple(entries)
    other_events = [event for event in received if event.facts.event_id not in answers]
    attributed = {**attribute_events(tuple(candidates.values()), other_events), **answers}
    marked: list[TimelineEntry] = []
    for entry in entries:
        if entry.event_id not in attributed:
            marked.append(entry)
            continue
        operation = candidates[attributed[entry.event_id].id]
        is_first = not operation.is_told and entry.event_type == operation.expected[0].event_type
        if is_first:
            source = by_id[entry.event_id]
            marked.append(operation_entry(operation, source.facts, source.event, entry.moved))
        marked.append(replace(entry, operation_id=operation.id, is_echo=True))
        candidates[operation.id] = _update_own_events(tx, operation, entry, is_first)
    return tuple(marked)


def _get_answered_operation(
    tx: Transaction, issue_id: str, candidates: dict[str, Operation], event_id: str
) -> Operation | None:
    """Return the issue's operation that has this answer, even an old one; add it to `candidates`."""
    operation_id = event_id.removeprefix(RESULT_PREFIX)
    if operation_id not in candidates:
        operation = get_operation(tx, operation_id)
        if operation is None or operation.issue_id != issue_id:
            return None
        candidates[operation_id] = operation
    return candidates[operation_id]


def _update_own_events(
    tx: Transaction, operation: Operation, entry: TimelineEntry, is_first: bool
) -> Operation:
    """Add an own event to the operation. If the outcome was unknown, PagerDuty's event proves it."""
    is_derived = entry.event_id == operation.result_event_id
    own_event = OwnEvent(event_id=entry.event_id, event_type=entry.event_type)
    own_events = operation.echoes if is_derived else (*operation.echoes, own_event)
    is_proven = operation.state is OperationState.UNKNOWN and not is_derived
    state = OperationState.DONE if is_proven else operation.state
    is_told = operation.is_told or is_first
    _update_operation(
        tx,
        operation.id,
        state=state,
        is_told=is_told,
        echoes=[event.model_dump(mode="json") for event in own_events],
    )
    return replace(operation, state=state, is_told=is_told, echoes=own_events)


def _update_operation(tx: Transaction, operation_id: str, **values: Any) -> None:
    tx.execute(sa.update(operations).where(operations.c.id == operation_id).values(**values))


def _operation(row: Any) -> Operation:
    values: Mapping[str, Any] = row._asdict()
    return Operation(
        **{
            **values,
            "action": Action(row.action),
            "state": OperationState(row.state),
            "expected": tuple(ExpectedEvent.model_validate(expectation) for expectation in row.expected),
            "echoes": tuple(OwnEvent.model_validate(event) for event in row.echoes),
            "former": FormerValues.model_validate(row.former) if row.former else None,
            "agent": Reference(**row.agent) if row.agent else None,
        }
    )
