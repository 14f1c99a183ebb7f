"""Store issues, timelines and changes. An issue and its timeline change in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.connections.severity import Severity
from calmo_pagerduty.db.statements import insert_or_ignore, lock_change_order
from calmo_pagerduty.db.tables import (
    connections,
    deliveries,
    delivery_bodies,
    issue_changes,
    issues,
    timeline,
)
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.derived_events import reconciled_webhook_id
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.incidents import action_store as operations
from calmo_pagerduty.incidents.actions import OPERATION_PREFIX, StatusAsOf
from calmo_pagerduty.incidents.lifecycle import (
    MAX_REMEMBERED_EVENTS,
    EventFacts,
    IncidentState,
    RememberedEvent,
)
from calmo_pagerduty.incidents.model import Issue, ReceivedEvent, apply_events, new_issue
from calmo_pagerduty.incidents.response_targets import TARGET_PREFIX
from calmo_pagerduty.incidents.rows import entry_row, issue_from_row, issue_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.pagerduty.event_types import IncidentStatus
from calmo_pagerduty.pagerduty.log_entries import (
    LOG_EVENT_PREFIX,
    TimelineEvent,
    is_logged,
    superseded_entries,
)
from calmo_pagerduty.pagerduty.webhook_events import WebhookEvent, parse_event

_BY_ID = sa.select(issues).where(issues.c.id == bindparam("issue"))
_LOCKED = _BY_ID.with_for_update()
_BODIES = sa.select(delivery_bodies.c.seq, delivery_bodies.c.body).where(
    delivery_bodies.c.seq.in_(bindparam("seqs", expanding=True))
)
#: Entries of these events, and entries from PagerDuty's log, whose webhook may still arrive.
_TIMELINE_EVENTS = sa.select(
    timeline.c.event_id, timeline.c.event_type, timeline.c.occurred_at, timeline.c.actor, timeline.c.summary
).where(
    timeline.c.issue_id == bindparam("issue"),
    sa.or_(
        timeline.c.event_id.in_(bindparam("events", expanding=True)),
        timeline.c.event_id.like(f"{LOG_EVENT_PREFIX}%"),
    ),
)
#: Deletes only entries whose derived event was applied; otherwise the forwarder would send it again.
_DELETE_ENTRIES = sa.delete(timeline).where(
    timeline.c.issue_id == bindparam("issue"),
    timeline.c.event_id.in_(bindparam("entries", expanding=True)),
    timeline.c.event_id.in_(
        sa.select(deliveries.c.dedup_key).where(
            deliveries.c.webhook_id == bindparam("webhook"), deliveries.c.state == DeliveryState.APPLIED
        )
    ),
)
_SCOPE = sa.select(connections.c.scope).where(connections.c.id == bindparam("connection"))
_UPDATE = sa.update(issues).where(issues.c.id == bindparam("issue"))
_ADD_ENTRIES = timeline.insert()
_ADD_CHANGE = issue_changes.insert()
_LATEST = (
    sa.select(timeline.c.event_id, timeline.c.event_type, timeline.c.occurred_at, timeline.c.moved)
    .where(
        timeline.c.issue_id == bindparam("issue"),
        # Entries of operations and of response targets never come as events.
        ~timeline.c.event_id.like(f"{OPERATION_PREFIX}%"),
        ~timeline.c.event_id.like(f"{TARGET_PREFIX}%"),
    )
    .order_by(timeline.c.id.desc())
    .limit(MAX_REMEMBERED_EVENTS)
)


@dataclass(frozen=True, slots=True)
class SaveResult:
    """How many events were new, and whether the issue existed before."""

    new: int
    existed: bool


class UnknownConnection(Exception):
    """This database has no such connection: it was removed, or it belongs to another database."""


def insert_events(
    tx: Transaction,
    ref: IncidentRef,
    facts: Sequence[EventFacts],
    severity: Severity,
    now: datetime,
) -> SaveResult:
    """Put events on the issue's timeline and refresh the issue, all or nothing.

    Events that the timeline already has change nothing, so the call is idempotent. Raises UnknownConnection.
    """
    while True:
        current = _get_locked_issue(tx, ref)
        received, added = _list_new_events(tx, ref, facts, current)
        if not received:
            return SaveResult(0, current is not None)
        before = current or new_issue(ref, _get_scope(tx, ref), received[0], now)
        after, event_entries = apply_events(before, received, severity, now)
        entries = operations.update_attributions(tx, ref.issue_id, received, event_entries)
        lock_change_order(tx)
        if _write_issue(tx, after, is_new=current is None):
            break
        # Another process has just created the issue: start again, with that issue locked.
    _delete_superseded(tx, ref, added, entries)
    tx.execute(_ADD_ENTRIES, [entry_row(ref.issue_id, entry) for entry in entries])
    if shown := [entry for entry in entries if not entry.is_echo] or _state_changes(entries):
        tx.execute(_ADD_CHANGE, _change_row(after, shown, now))
    return SaveResult(len(received), current is not None)


def _write_issue(tx: Transaction, issue: Issue, *, is_new: bool) -> bool:
    """Insert or update the issue. Returns False if a new issue exists already."""
    if is_new:
        return tx.execute(insert_or_ignore(tx, issues), issue_row(issue)).rowcount > 0
    tx.execute(_UPDATE, issue_row(issue) | {"issue": issue.ref.issue_id})
    return True


def update_entries(
    tx: Transaction, ref: IncidentRef, entries: Sequence[TimelineEntry], now: datetime
) -> None:
    """Update the attribution of existing entries, insert entries of operations, and add a change, so that
    readers fetch the issue again.
    """
    current = _get_locked_issue(tx, ref)
    assert current is not None, "an entry without its issue"
    same_entry = sa.and_(timeline.c.issue_id == ref.issue_id, timeline.c.event_id == bindparam("entry"))
    update = sa.update(timeline).where(same_entry)
    for entry in entries:
        if entry.event_id.startswith(OPERATION_PREFIX):
            tx.execute(_ADD_ENTRIES, entry_row(ref.issue_id, entry))
        else:
            values = {"operation_id": entry.operation_id, "is_echo": entry.is_echo}
            tx.execute(update.values(**values), {"entry": entry.event_id})
    lock_change_order(tx)
    tx.execute(_ADD_CHANGE, _change_row(current, entries, now))


def get_state(tx: Transaction, ref: IncidentRef) -> IncidentState | None:
    """Return the state with which a new run continues after an earlier run has ended; None if no issue."""
    row = tx.execute(_BY_ID, {"issue": ref.issue_id}).one_or_none()
    if row is None:
        return None
    latest = tx.execute(_LATEST, {"issue": ref.issue_id}).all()
    return IncidentState(
        status=IncidentStatus(row.status),
        severity=Severity(row.severity),
        priority=row.priority,
        service_id=row.service_id,
        team_ids=tuple(team["id"] for team in row.teams),
        number=row.number,
        as_of=row.as_of,
        as_of_seq=row.as_of_seq,
        last_event_type=row.last_event_type,
        last_event_at=row.last_event_at,
        remembered=tuple(
            RememberedEvent(
                event_id=event.event_id,
                event_type=event.event_type,
                occurred_at=event.occurred_at,
                moved=event.moved,
            )
            for event in reversed(latest)
        ),
    )


def lock_issue(tx: Transaction, ref: IncidentRef) -> None:
    """Lock the issue: no other transaction can save events on it until this one ends."""
    tx.execute(_LOCKED, {"issue": ref.issue_id})


def get_status_as_of(tx: Transaction, issue_id: str) -> StatusAsOf | None:
    """Return the status of an issue's incident; None if there is no such issue."""
    row = tx.execute(_BY_ID, {"issue": issue_id}).one_or_none()
    if row is None:
        return None
    return StatusAsOf(status=IncidentStatus(row.status), as_of=row.as_of, as_of_seq=row.as_of_seq)


def _list_new_events(
    tx: Transaction, ref: IncidentRef, facts: Sequence[EventFacts], current: Issue | None
) -> tuple[list[ReceivedEvent], list[TimelineEvent]]:
    """Return the events that the timeline lacks, in the order of occurrence, and the timeline's events from
    PagerDuty's log.
    """
    ids = [event.event_id for event in facts]
    rows: Sequence[Any] = ()
    if current is not None:
        rows = tx.execute(_TIMELINE_EVENTS, {"issue": ref.issue_id, "events": ids}).all()
    present = {row.event_id for row in rows}
    fresh = {event.event_id: event for event in reversed(facts) if event.event_id not in present}
    received = list_received_events(tx, fresh.values()) if fresh else []
    return received, [_timeline_event(row) for row in rows if is_logged(row.event_id)]


def list_received_events(tx: Transaction, facts: Iterable[EventFacts]) -> list[ReceivedEvent]:
    """Pair each event's facts with its body from the inbox, in the order of occurrence."""
    ordered = sorted(facts, key=lambda event: event.as_of)
    bodies = _list_events(tx, [event.seq for event in ordered])
    return [ReceivedEvent(event, _event_if_matching(event, bodies.get(event.seq))) for event in ordered]


def _timeline_event(row: Any) -> TimelineEvent:
    actor_id = row.actor["id"] if row.actor else None
    return TimelineEvent(row.event_id, row.event_type, row.occurred_at, actor_id, row.summary)


def _delete_superseded(
    tx: Transaction, ref: IncidentRef, added: Sequence[TimelineEvent], entries: Sequence[TimelineEntry]
) -> None:
    """Delete entries from PagerDuty's log that a late webhook replaces."""
    if not added:
        return
    delivered = [
        TimelineEvent(
            entry.event_id,
            entry.event_type,
            entry.occurred_at,
            entry.actor.id if entry.actor else None,
            entry.summary,
        )
        for entry in entries
        if not is_logged(entry.event_id)
    ]
    superseded = superseded_entries(added, delivered)
    if superseded:
        webhook_id = reconciled_webhook_id(ref.connection_id)
        tx.execute(
            _DELETE_ENTRIES, {"issue": ref.issue_id, "entries": sorted(superseded), "webhook": webhook_id}
        )


def _list_events(tx: Transaction, seqs: list[int]) -> dict[int, WebhookEvent]:
    events = {}
    for seq, body in tx.execute(_BODIES, {"seqs": seqs}):
        event = parse_event(body)
        if isinstance(event, WebhookEvent):
            events[seq] = event
    return events


def _event_if_matching(facts: EventFacts, event: WebhookEvent | None) -> WebhookEvent | None:
    """Return the event only if its id matches: after a reset of the inbox, numbers are reused."""
    return event if event is not None and event.event_id == facts.event_id else None


def _get_locked_issue(tx: Transaction, ref: IncidentRef) -> Issue | None:
    row = tx.execute(_LOCKED, {"issue": ref.issue_id}).one_or_none()
    return issue_from_row(row) if row else None


def _get_scope(tx: Transaction, ref: IncidentRef) -> Scope:
    scope = tx.execute(_SCOPE, {"connection": ref.connection_id}).scalar()
    if scope is None:
        raise UnknownConnection(ref.connection_id)
    return Scope.parse(scope)


def _state_changes(entries: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    return [entry for entry in entries if entry.moved]


def _change_row(issue: Issue, entries: Sequence[TimelineEntry], now: datetime) -> dict[str, Any]:
    return {
        "issue_id": issue.ref.issue_id,
        "scope": str(issue.scope),
        "at": now,
        "event_types": [entry.event_type for entry in entries],
        "status": issue.status,
    }
