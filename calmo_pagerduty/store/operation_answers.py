"""What PagerDuty answered to what was done from here, brought to the issue in the call's own transaction.

The same event goes into the inbox too, so that the incident's workflow learns of it like of any other.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from calmo_pagerduty.domain.echoes import SKEW, recognise
from calmo_pagerduty.domain.incident_lifecycle import EventFacts
from calmo_pagerduty.domain.incident_references import IncidentRef
from calmo_pagerduty.domain.issues import ReceivedEvent
from calmo_pagerduty.domain.operation_answers import agent_of, answer_event
from calmo_pagerduty.domain.operations import STATE_OF_CALL, Echo, Operation, OperationState
from calmo_pagerduty.domain.reconciliation import reconciled_webhook_id
from calmo_pagerduty.domain.severity import Severity, severity_of
from calmo_pagerduty.store import issues, operations, reconciliations
from calmo_pagerduty.store.tables import connections, deliveries, timeline
from calmo_pagerduty.store.tool_calls import ToolCall


def keep_answer(transaction: Connection, call: ToolCall, now: datetime) -> None:
    """Say on the issue how an operation's call ended. A call that is no operation changes nothing."""
    operation = operations.get(transaction, call.id)
    if operation is None:
        return
    ref = IncidentRef(connection_id=call.connection_id, incident_id=str(call.arguments["incident_id"]))
    issues.lock(transaction, ref)
    result = call.result or {}
    state = OperationState.UNCHANGED if result.get("unchanged") else STATE_OF_CALL[call.state]
    if state is OperationState.DONE:
        if operation.agent is None and call.attempts == 1 and (agent := agent_of(result)) is not None:
            operations.known_as(transaction, operation.id, agent)
        event = answer_event(operation, ref, call.arguments, result, now)
        reconciliations.add(transaction, ref.connection_id, ref.incident_id, [event], now)
        facts = _facts_of(transaction, ref, event.event_id)
        severity = severity_of(facts.priority, _severities(transaction, ref.connection_id))
        _recognise_earlier(transaction, ref, operation.id)
        issues.save_events(transaction, ref, [facts], severity, now)
    known = operations.get(transaction, call.id)
    assert known is not None
    operations.finish(transaction, known, state, now if known.sent_at else None)


def _recognise_earlier(transaction: Connection, ref: IncidentRef, operation_id: str) -> None:
    """Take back entries of events that came before it was known as whom PagerDuty knows us."""
    operation = operations.get(transaction, operation_id)
    if operation is None or operation.is_told or operation.sent_at is None:
        return
    rows = transaction.execute(
        sa.select(timeline.c.seq, timeline.c.event_id, deliveries.c.facts)
        .join(deliveries, deliveries.c.seq == timeline.c.seq)
        .where(
            timeline.c.issue_id == ref.issue_id,
            timeline.c.operation_id.is_(None),
            timeline.c.event_type.in_([one.event_type for one in operation.expected]),
            timeline.c.occurred_at >= operation.sent_at - SKEW,
        )
    ).all()
    facts = [EventFacts.model_validate_json(f'{{"seq":{row.seq},{row.facts[1:]}') for row in rows]
    told = issues.with_bodies(transaction, facts) if facts else ()
    _take_back(transaction, ref, operation, told, recognise((operation,), told))


def _take_back(
    transaction: Connection,
    ref: IncidentRef,
    operation: Operation,
    told: Sequence[ReceivedEvent],
    found: Collection[str],
) -> None:
    echoes = tuple(
        Echo(event_id=one.facts.event_id, event_type=one.facts.event_type)
        for one in told
        if one.facts.event_id in found
    )
    if not echoes:
        return
    ids = [one.event_id for one in echoes]
    of_them = sa.update(timeline).where(timeline.c.issue_id == ref.issue_id, timeline.c.event_id.in_(ids))
    transaction.execute(of_them.values(operation_id=operation.id, is_echo=True))
    operations.keep_echoes(transaction, operation, echoes)


def _facts_of(transaction: Connection, ref: IncidentRef, event_id: str) -> EventFacts:
    query = sa.select(deliveries.c.seq, deliveries.c.facts).where(
        deliveries.c.webhook_id == reconciled_webhook_id(ref.connection_id),
        deliveries.c.dedup_key == event_id,
    )
    row = transaction.execute(query).one()
    return EventFacts.model_validate_json(f'{{"seq":{row.seq},{row.facts[1:]}')


def _severities(transaction: Connection, connection_id: str) -> dict[str, Severity]:
    query = sa.select(connections.c.severities).where(connections.c.id == connection_id)
    found = transaction.execute(query).scalar_one()
    return {name.strip().casefold(): Severity(one) for name, one in found.items()}
