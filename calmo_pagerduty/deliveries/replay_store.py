"""Sending kept deliveries again. Barriers further on stop what has arrived before from counting twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, delivery_bodies, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.event_facts import facts_json, is_about_an_incident
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.queries import DeliveryFilter, conditions, joined
from calmo_pagerduty.kernel.scopes import Visibility
from calmo_pagerduty.pagerduty.event_types import IssueAction, rule_of
from calmo_pagerduty.pagerduty.webhook_events import Unreadable, WebhookEvent, parse_event


class Outcome(StrEnum):
    """What a replay made of one delivery."""

    REPLAYED = "replayed"
    #: It is about no incident, so the log is all there is to it.
    RECORDED = "recorded"
    ON_ITS_WAY = "on_its_way"
    #: Altered after it was sent: never.
    CONFLICT = "conflict"
    STILL_UNREADABLE = "still_unreadable"
    #: Its body was deleted after its time.
    BODY_GONE = "body_gone"
    #: The same event is in the log already, read from another delivery.
    KNOWN_ALREADY = "known_already"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One step of a replay: outcomes by delivery, and the scopes that they belong to."""

    outcomes: Mapping[int, Outcome] = field(default_factory=dict)
    scopes: Mapping[int, str] = field(default_factory=dict)


#: With these, there is nothing to do.
_LEFT_ALONE: Mapping[DeliveryState, Outcome] = {
    DeliveryState.CONFLICT: Outcome.CONFLICT,
    DeliveryState.PENDING: Outcome.ON_ITS_WAY,
    DeliveryState.FORWARDED: Outcome.ON_ITS_WAY,
    DeliveryState.RECORDED: Outcome.RECORDED,
}


def replay(
    tx: Transaction, visibility: Visibility, wanted: DeliveryFilter, after: int, at_most: int
) -> Replayed:
    """Let deliveries wait to be forwarded again, in order of arrival, from beyond number `after`.

    Nothing in the outcomes means that there are no more of them.
    """
    query = joined(sa.select(deliveries, webhooks.c.scope)).where(
        *conditions(visibility, wanted), deliveries.c.seq > after
    )
    query = query.order_by(deliveries.c.seq).limit(at_most).with_for_update(of=deliveries)
    rows = tx.execute(query).all()
    outcomes = {row.seq: _replay_one(tx, row) for row in rows}
    return Replayed(outcomes, {row.seq: row.scope for row in rows})


def _replay_one(tx: Transaction, row: Any) -> Outcome:
    state = DeliveryState(row.state)
    if state in _LEFT_ALONE:
        return _LEFT_ALONE[state]
    if state is DeliveryState.DEAD_LETTER:
        return _read_again(tx, row)
    about_an_incident = row.incident_id and rule_of(row.event_type).action is not IssueAction.NONE
    if not about_an_incident or row.facts is None:
        return _put(tx, row, DeliveryState.RECORDED)
    return _put(tx, row, DeliveryState.PENDING)


def _read_again(tx: Transaction, row: Any) -> Outcome:
    """A dead letter may be readable by today's parser."""
    body = tx.execute(sa.select(delivery_bodies.c.body).where(delivery_bodies.c.seq == row.seq)).scalar()
    if body is None:
        return _put(tx, row, DeliveryState.PENDING) if row.facts else Outcome.BODY_GONE
    event = parse_event(body)
    if isinstance(event, Unreadable):
        return Outcome.STILL_UNREADABLE
    if row.dedup_key != event.event_id and _is_known(tx, row.webhook_id, event.event_id):
        return Outcome.KNOWN_ALREADY
    state = DeliveryState.PENDING if is_about_an_incident(event) else DeliveryState.RECORDED
    return _put(tx, row, state, **_told(event, row.received_at))


def _is_known(tx: Transaction, webhook_id: str, event_id: str) -> bool:
    same = sa.select(deliveries.c.seq).where(
        deliveries.c.webhook_id == webhook_id, deliveries.c.dedup_key == event_id
    )
    return tx.execute(same).first() is not None


def _told(event: WebhookEvent, received_at: datetime) -> dict[str, Any]:
    return {
        "dedup_key": event.event_id,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "incident_id": event.incident_id,
        "occurred_at": event.occurred_at,
        "facts": facts_json(event, received_at),
    }


def _put(tx: Transaction, row: Any, state: DeliveryState, **values: Any) -> Outcome:
    """Another attempt makes another request id, else Temporal would drop what it has had before."""
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
    return Outcome.REPLAYED if state is DeliveryState.PENDING else Outcome.RECORDED
