"""What could not be understood on its way, kept whole for a person to look at."""

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
    tx: Transaction, ref: IncidentRef, puzzles: Sequence[DeadLetter], now: datetime
) -> None:
    """Keep an incident's puzzles, mark their deliveries dead and the issue unsure. Repeatable."""
    for puzzle in puzzles:
        row = {
            "at": now,
            "source": "workflow",
            "subject": ref.workflow_id,
            "reason": storable_text(puzzle.reason, 1000),
            "payload_sha256": hashlib.sha256(puzzle.payload.encode("utf-8", "replace")).hexdigest(),
            "payload": storable_text(puzzle.payload, len(puzzle.payload)),
        }
        tx.execute(insert_or_ignore(tx, dead_letters), row)
        if puzzle.seqs:
            mark_dead(tx, puzzle.seqs, puzzle.reason)
    mark_needs_reconcile(tx, [ref])
