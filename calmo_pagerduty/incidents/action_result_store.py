"""Put PagerDuty's answer to an operation on the issue, in the tool call's own transaction.

The same derived event goes into the inbox, so that the incident's workflow receives it like any other event.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.connections.severity import Severity, own_severities, severity_of
from calmo_pagerduty.db.tables import connections, deliveries, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries import derived_event_store as derived_events
from calmo_pagerduty.deliveries.derived_events import reconciled_webhook_id
from calmo_pagerduty.incidents import action_store as operations, store as issues
from calmo_pagerduty.incidents.action_results import event_from_result, result_agent
from calmo_pagerduty.incidents.actions import STATE_OF_CALL, Operation, OperationState
from calmo_pagerduty.incidents.attribution import ATTRIBUTION_TOLERANCE
from calmo_pagerduty.incidents.lifecycle import EventFacts
from calmo_pagerduty.incidents.rows import entry_from_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.tool_calls.store import ToolCall

#: Final states for which PagerDuty sends no event.
_STATES_WITHOUT_EVENT = frozenset({OperationState.UNCHANGED, OperationState.NOT_DONE})


def update_from_call(tx: Transaction, call: ToolCall, now: datetime) -> None:
    """Update the operation and its issue after the call's end. Does nothing if the call is no operation."""
    locked = _lock_operation(tx, call)
    if locked is None:
        return
    ref, operation = locked
    result = call.result or {}
    state = OperationState.UNCHANGED if result.get("unchanged") else STATE_OF_CALL[call.state]
    # If several attempts may have had the effect, we can't tell which of them the answer's agent belongs to.
    is_only_attempt = operation.sent_at == operation.last_sent_at
    if state is OperationState.DONE and operation.agent is None and is_only_attempt:
        operations.update_agent(tx, operation.id, result_agent(result))
    released = state in _STATES_WITHOUT_EVENT and _delete_attributions(tx, ref, operation)
    operations.mark_finished(tx, operation, state, now if operation.sent_at else None)
    _reattribute(tx, ref, operation, released, now)
    if state is OperationState.DONE:
        _insert_result_event(tx, ref, call, now)


def mark_call_not_sent(tx: Transaction, call: ToolCall, now: datetime) -> None:
    """Record that no attempt so far changed anything: PagerDuty sends no event for it."""
    locked = _lock_operation(tx, call)
    if locked is None:
        return
    ref, operation = locked
    released = _delete_attributions(tx, ref, operation)
    operations.mark_not_sent(tx, operation.id)
    _reattribute(tx, ref, operation, released, now)


def _lock_operation(tx: Transaction, call: ToolCall) -> tuple[IncidentRef, Operation] | None:
    """Lock the issue and return the call's operation; None if the call is no operation."""
    if operations.get_operation(tx, call.id) is None:
        return None
    ref = IncidentRef(connection_id=call.connection_id, incident_id=str(call.arguments["incident_id"]))
    issues.lock_issue(tx, ref)
    operation = operations.get_operation(tx, call.id)
    return None if operation is None else (ref, operation)


def _insert_result_event(tx: Transaction, ref: IncidentRef, call: ToolCall, now: datetime) -> None:
    operation = operations.get_operation(tx, call.id)
    assert operation is not None
    event = event_from_result(operation, ref, call.arguments, call.result or {}, now)
    derived_events.enqueue_derived_events(tx, ref.connection_id, ref.incident_id, [event], now)
    facts = _get_event_facts(tx, ref, event.event_id)
    severity = severity_of(facts.priority, _get_severities(tx, ref.connection_id))
    issues.insert_events(tx, ref, [facts], severity, now)


def _delete_attributions(tx: Transaction, ref: IncidentRef, operation: Operation) -> bool:
    """Undo the operation's attributions: somebody else caused those events. Returns True if it had any."""
    if not (operation.is_told or operation.echoes):
        return False
    entries = timeline.c.issue_id == ref.issue_id
    tx.execute(sa.delete(timeline).where(entries, timeline.c.event_id == operation.entry_id))
    attributed = sa.update(timeline).where(entries, timeline.c.operation_id == operation.id)
    tx.execute(attributed.values(operation_id=None, is_echo=False))
    operations.delete_own_events(tx, operation.id)
    return True


def _reattribute(
    tx: Transaction, ref: IncidentRef, operation: Operation, released: bool, now: datetime
) -> None:
    """Attribute again the unattributed events that came during the call. Its end may reveal our PagerDuty
    user, or that an event has another cause.
    """
    entries = _list_reattributed(tx, ref, operation)
    if changed := [entry for entry in entries if released or entry.operation_id is not None]:
        issues.update_entries(tx, ref, changed, now)


def _list_reattributed(tx: Transaction, ref: IncidentRef, operation: Operation) -> Sequence[TimelineEntry]:
    if operation.sent_at is None:
        return ()
    rows = tx.execute(
        sa.select(timeline, deliveries.c.facts)
        .join(deliveries, deliveries.c.seq == timeline.c.seq)
        .where(
            timeline.c.issue_id == ref.issue_id,
            timeline.c.operation_id.is_(None),
            timeline.c.event_type.in_([expectation.event_type for expectation in operation.expected]),
            timeline.c.occurred_at >= operation.sent_at - ATTRIBUTION_TOLERANCE,
        )
        .order_by(timeline.c.occurred_at, timeline.c.seq)
    ).all()
    if not rows:
        return ()
    facts = [EventFacts.from_delivery_row(row) for row in rows]
    received = issues.list_received_events(tx, facts)
    return operations.update_attributions(tx, ref.issue_id, received, [entry_from_row(row) for row in rows])


def _get_event_facts(tx: Transaction, ref: IncidentRef, event_id: str) -> EventFacts:
    query = sa.select(deliveries.c.seq, deliveries.c.facts).where(
        deliveries.c.webhook_id == reconciled_webhook_id(ref.connection_id),
        deliveries.c.dedup_key == event_id,
    )
    return EventFacts.from_delivery_row(tx.execute(query).one())


def _get_severities(tx: Transaction, connection_id: str) -> dict[str, Severity]:
    query = sa.select(connections.c.severities).where(connections.c.id == connection_id)
    return own_severities(tx.execute(query).scalar_one())
