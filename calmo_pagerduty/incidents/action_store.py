"""What was done from here, and which of PagerDuty's events told of it."""

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
    Operation,
    OperationState,
    OwnEvent,
)
from calmo_pagerduty.incidents.attribution import ATTRIBUTION_TOLERANCE, attribute_events
from calmo_pagerduty.incidents.model import ReceivedEvent
from calmo_pagerduty.incidents.timeline import TimelineEntry, operation_entry
from calmo_pagerduty.pagerduty.webhook_events import Reference

_BY_ID = sa.select(operations).where(operations.c.id == bindparam("operation"))
#: Those of an issue that events of this time may tell of.
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
    """Keep a new operation; one that is there already stays as it is."""
    row = {
        "id": operation.id,
        "issue_id": operation.issue_id,
        "action": operation.action,
        "author": operation.author,
        "state": operation.state,
        "expected": [expectation.model_dump(mode="json") for expectation in operation.expected],
        "echoes": [],
        "filed_at": operation.filed_at,
    }
    tx.execute(insert_or_ignore(tx, operations), row)


def get_operation(tx: Transaction, operation_id: str) -> Operation | None:
    row = tx.execute(_BY_ID, {"operation": operation_id}).one_or_none()
    return None if row is None else _operation(row)


def list_operations(tx: Transaction, issue_id: str, limit: int) -> tuple[Operation, ...]:
    """Return the issue's operations, newest first."""
    query = sa.select(operations).where(operations.c.issue_id == issue_id)
    rows = tx.execute(query.order_by(operations.c.filed_at.desc(), operations.c.id).limit(limit))
    return tuple(_operation(row) for row in rows)


def mark_accepted(tx: Transaction, operation_id: str, now: datetime) -> None:
    """The incident's workflow has taken it over."""
    first = sa.func.coalesce(operations.c.accepted_at, sa.literal(now, Utc()))
    _update_operation(tx, operation_id, accepted_at=first)


def mark_sent(tx: Transaction, operation_id: str, now: datetime) -> None:
    """PagerDuty is about to be asked: from now on its events may tell of it."""
    first = sa.func.coalesce(operations.c.sent_at, sa.literal(now, Utc()))
    _update_operation(tx, operation_id, sent_at=first, last_sent_at=now)


def mark_not_sent(tx: Transaction, operation_id: str) -> None:
    """What was asked changed nothing: PagerDuty has no event to tell of it."""
    _update_operation(tx, operation_id, sent_at=None, last_sent_at=None)


def delete_own_events(tx: Transaction, operation_id: str) -> None:
    """No event told of it."""
    _update_operation(tx, operation_id, echoes=[], is_told=False)


def update_agent(tx: Transaction, operation_id: str, agent: Reference | None) -> None:
    """Keep as whom PagerDuty knows us, if it says."""
    if agent is not None:
        shown = {"id": agent.id, "type": agent.type, "name": agent.name, "url": agent.url}
        _update_operation(tx, operation_id, agent=shown)


def mark_finished(tx: Transaction, operation: Operation, state: OperationState, now: datetime | None) -> None:
    """Keep how it ended; `now` None: PagerDuty was never asked. An event that told of it proves it done."""
    is_proven = state is OperationState.UNKNOWN and operation.echoes
    state = OperationState.DONE if is_proven else state
    _update_operation(tx, operation.id, state=state, answered_at=now)


def update_attributions(
    tx: Transaction,
    issue_id: str,
    received: Sequence[ReceivedEvent],
    entries: Sequence[TimelineEntry],
) -> tuple[TimelineEntry, ...]:
    """Return the entries with those that tell of an operation marked as its echoes, and with the entry of
    each operation that none told of before.
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
    known = {operation.id: operation for operation in map(_operation, rows)}
    answers = {
        event_id: operation
        for event_id in by_id
        if event_id.startswith(RESULT_PREFIX)
        and (operation := _get_answered_operation(tx, issue_id, known, event_id))
    }
    if not known:
        return tuple(entries)
    told = [event for event in received if event.facts.event_id not in answers]
    found = {**attribute_events(tuple(known.values()), told), **answers}
    made: list[TimelineEntry] = []
    for entry in entries:
        if entry.event_id not in found:
            made.append(entry)
            continue
        operation = known[found[entry.event_id].id]
        is_first = not operation.is_told and entry.event_type == operation.expected[0].event_type
        if is_first:
            teller = by_id[entry.event_id]
            made.append(operation_entry(operation, teller.facts, teller.event, entry.moved))
        made.append(replace(entry, operation_id=operation.id, is_echo=True))
        known[operation.id] = _update_own_events(tx, operation, entry, is_first)
    return tuple(made)


def _get_answered_operation(
    tx: Transaction, issue_id: str, known: dict[str, Operation], event_id: str
) -> Operation | None:
    """Return the issue's operation that an answer is to, also where its flight is long over."""
    operation_id = event_id.removeprefix(RESULT_PREFIX)
    if operation_id not in known:
        found = get_operation(tx, operation_id)
        if found is None or found.issue_id != issue_id:
            return None
        known[operation_id] = found
    return known[operation_id]


def _update_own_events(
    tx: Transaction, operation: Operation, entry: TimelineEntry, is_first: bool
) -> Operation:
    """Keep that an event told of the operation. PagerDuty's own event proves what was unknown."""
    is_ours = entry.event_id == operation.result_event_id
    echo = OwnEvent(event_id=entry.event_id, event_type=entry.event_type)
    echoes = operation.echoes if is_ours else (*operation.echoes, echo)
    is_proven = operation.state is OperationState.UNKNOWN and not is_ours
    state = OperationState.DONE if is_proven else operation.state
    is_told = operation.is_told or is_first
    _update_operation(
        tx,
        operation.id,
        state=state,
        is_told=is_told,
        echoes=[recognised.model_dump(mode="json") for recognised in echoes],
    )
    return replace(operation, state=state, is_told=is_told, echoes=echoes)


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
            "echoes": tuple(OwnEvent.model_validate(echo) for echo in row.echoes),
            "agent": Reference(**row.agent) if row.agent else None,
        }
    )
