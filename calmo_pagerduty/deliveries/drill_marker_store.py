"""Recognise the incidents of escalation drills: they are kept in the delivery log, and become no issues.

A drill's incident has a random key that only we and the account know. Once its id is known, the key alone
proves nothing any more: nobody can hide another incident behind it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.db.tables import escalation_drills as drills
from calmo_pagerduty.db.transactions import Transaction

#: Made once, as every delivery asks: to make it anew took most of a delivery's time at the database.
_IS_OF_A_DRILL = sa.select(sa.literal(1)).where(
    drills.c.connection_id == bindparam("connection"), drills.c.incident_id == bindparam("incident")
)


def mark_drill_incident(
    tx: Transaction, connection_id: str, incident_id: str, incident_key: str | None
) -> bool:
    """Return whether an incident is a drill's. The first event with the drill's key tells the id."""
    if incident_key is not None:
        tx.execute(
            sa.update(drills)
            .where(
                drills.c.connection_id == connection_id,
                drills.c.incident_key == incident_key,
                drills.c.incident_id.is_(None),
            )
            .values(incident_id=incident_id)
        )
    found = tx.execute(_IS_OF_A_DRILL, {"connection": connection_id, "incident": incident_id})
    return found.first() is not None


def list_drill_incidents(tx: Transaction, connection_id: str, incident_ids: Sequence[str]) -> frozenset[str]:
    """Return those of the incidents that drills opened."""
    found = tx.execute(
        sa.select(drills.c.incident_id).where(
            drills.c.connection_id == connection_id, drills.c.incident_id.in_(incident_ids)
        )
    )
    return frozenset(str(incident_id) for incident_id in found.scalars())


def list_all_drill_incidents(tx: Transaction, connection_id: str) -> frozenset[str]:
    """Return every incident of the connection that a drill opened."""
    of_drills = sa.select(drills.c.incident_id).where(
        drills.c.connection_id == connection_id, drills.c.incident_id.is_not(None)
    )
    return frozenset(str(incident_id) for incident_id in tx.execute(of_drills).scalars())
