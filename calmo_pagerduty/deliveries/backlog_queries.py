"""Reads how far the forwarder and the workers are behind. Each call takes a Visibility."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.db.tables import deliveries, webhooks
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.queries import join_webhooks
from calmo_pagerduty.kernel.scopes import Visibility

#: What waits: for the forwarder, for the workflow to confirm it, and for a person.
WAITING = (DeliveryState.PENDING, DeliveryState.FORWARDED, DeliveryState.DEAD_LETTER)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many deliveries are in a state, and since when the oldest is (UTC); None if there are none."""

    state: DeliveryState
    count: int
    oldest_at: datetime | None


def get_backlog(tx: Transaction, visibility: Visibility) -> tuple[Backlog, ...]:
    """Return the deliveries that wait for the forwarder, for their workflows, and for a person."""
    query = join_webhooks(
        sa.select(deliveries.c.state, sa.func.count(), sa.func.min(deliveries.c.received_at)).select_from(
            deliveries
        )
    ).where(deliveries.c.state.in_(WAITING), visible_to(webhooks.c.scope, visibility))
    found = {row[0]: (row[1], row[2]) for row in tx.execute(query.group_by(deliveries.c.state))}
    return tuple(Backlog(state, *found.get(state, (0, None))) for state in WAITING)
