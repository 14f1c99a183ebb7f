"""Replays of stored deliveries. An event that is on the timeline already changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.announcements import Channel, announce
from calmo_pagerduty.db.tables import deliveries, delivery_bodies, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.event_facts import facts_json, is_about_an_incident, is_stale
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.queries import DeliveryFilter, filter_conditions, join_webhooks
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.pagerduty.event_types import IssueAction, rule_of
from calmo_pagerduty.pagerduty.webhook_events import UnreadableBody, WebhookEvent, parse_event


class ReplayOutcome(StrEnum):
    """The result of a replay for one delivery."""

    REPLAYED = "replayed"
    #: It is about no incident, so only the delivery log has it.
    RECORDED = "recorded"
    ON_ITS_WAY = "on_its_way"
    #: Another body came before under the same event id, so it is never replayed.
    CONFLICT = "conflict"
    STILL_UNREADABLE = "still_unreadable"
    #: Retention has deleted its body.
    BODY_GONE = "body_gone"
    #: Another delivery in the log holds the same event.
    KNOWN_ALREADY = "known_already"


@dataclass(frozen=True, slots=True)
class ReplayBatch:
    """One batch of a replay: outcomes and scopes by the delivery's `seq`."""

    outcomes: Mapping[int, ReplayOutcome] = field(default_factory=dict)
    scopes: Mapping[int, str] = field(default_factory=dict)


#: States in which there is nothing to replay.
_OUTCOME_OF_STATE: Mapping[DeliveryState, ReplayOutcome] = {
    DeliveryState.CONFLICT: ReplayOutcome.CONFLICT,
    DeliveryState.PENDING: ReplayOutcome.ON_ITS_WAY,
    DeliveryState.FORWARDED: ReplayOutcome.ON_ITS_WAY,
    DeliveryState.RECORDED: ReplayOutcome.RECORDED,
}


def enqueue_replay(
    tx: Transaction, visibility: Visibility, criteria: DeliveryFilter, after: int, at_most: int
) -> ReplayBatch:
    """Mark deliveries pending again, in order of arrival, starting after `seq` number `after`.

    Empty outcomes mean that no deliveries are left.
    """
    query = join_webhooks(sa.select(deliveries, webhooks.c.scope)).where(
        *filter_conditions(visibility, criteria), deliveries.c.seq > after
    )
    query = query.order_by(deliveries.c.seq).limit(at_most).with_for_update(of=deliveries)
    rows = tx.execute(query).all()
    outcomes = {row.seq: _enqueue_delivery(tx, row) for row in rows}
    return ReplayBatch(outcomes, {row.seq: row.scope for row in rows})


def _enqueue_delivery(tx: Transaction, row: Any) -> ReplayOutcome:
    state = DeliveryState(row.state)
    if state in _OUTCOME_OF_STATE:
        return _OUTCOME_OF_STATE[state]
    if state is DeliveryState.DEAD_LETTER:
        return _parse_again(tx, row)
    about_an_incident = row.incident_id and rule_of(row.event_type).action is not IssueAction.NONE
    if not about_an_incident or row.facts is None:
        return _update_delivery(tx, row, DeliveryState.RECORDED)
    return _update_delivery(tx, row, DeliveryState.PENDING)


def _parse_again(tx: Transaction, row: Any) -> ReplayOutcome:
    """Parse a dead letter again: this version may understand it."""
    body = tx.execute(sa.select(delivery_bodies.c.body).where(delivery_bodies.c.seq == row.seq)).scalar()
    if body is None:
        return _update_delivery(tx, row, DeliveryState.PENDING) if row.facts else ReplayOutcome.BODY_GONE
    event = parse_event(body)
    if isinstance(event, UnreadableBody):
        return ReplayOutcome.STILL_UNREADABLE
    if row.dedup_key != event.event_id and _has_event(tx, row.webhook_id, event.event_id):
        return ReplayOutcome.KNOWN_ALREADY
    state = DeliveryState.PENDING if is_about_an_incident(event) else DeliveryState.RECORDED
    return _update_delivery(tx, row, state, **_event_columns(event, row.received_at))


def _has_event(tx: Transaction, webhook_id: str, event_id: str) -> bool:
    same = sa.select(deliveries.c.seq).where(
        deliveries.c.webhook_id == webhook_id, deliveries.c.dedup_key == event_id
    )
    return tx.execute(same).first() is not None


def _event_columns(event: WebhookEvent, received_at: datetime) -> dict[str, Any]:
    return {
        "dedup_key": event.event_id,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "incident_id": event.incident_id,
        "occurred_at": event.occurred_at,
        "facts": facts_json(event, received_at, is_stale(event, received_at)),
    }


def _update_delivery(tx: Transaction, row: Any, state: DeliveryState, **values: Any) -> ReplayOutcome:
    """Set the state and count an attempt, which changes the request id: Temporal drops repeated ids."""
    if state is DeliveryState.PENDING:
        announce(tx, Channel.INBOX)
    tx.execute(
        sa.update(deliveries)
        .where(deliveries.c.seq == row.seq)
        .values(
            state=state,
            reason=None,
            attempts=deliveries.c.attempts + 1,
            replays=deliveries.c.replays + 1,
            **values,
        )
    )
    return ReplayOutcome.REPLAYED if state is DeliveryState.PENDING else ReplayOutcome.RECORDED
