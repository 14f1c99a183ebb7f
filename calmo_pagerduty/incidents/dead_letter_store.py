"""Store dead letters: signals and events that could not be applied, whole, for a person to look at."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import dead_letters
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.store import mark_dead, mark_needs_reconcile
from calmo_pagerduty.incidents.signals import DeadLetter
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.json_values import storable_text


def insert_dead_letters(
    tx: Transaction, ref: IncidentRef, letters: Sequence[DeadLetter], now: datetime
) -> None:
    """Insert an incident's dead letters, mark their deliveries dead, and have the issue reconciled.

    A repeated call changes nothing.
    """
    for letter in letters:
        row = {
            "at": now,
            "source": "workflow",
            "subject": ref.workflow_id,
            "reason": storable_text(letter.reason, 1000),
            "payload_sha256": hashlib.sha256(letter.payload.encode("utf-8", "replace")).hexdigest(),
            "payload": storable_text(letter.payload, len(letter.payload)),
        }
        tx.execute(insert_or_ignore(tx, dead_letters), row)
        if letter.seqs:
            mark_dead(tx, letter.seqs, letter.reason)
    mark_needs_reconcile(tx, [ref])
