"""Refusals: traces of deliveries that were not authenticated. They hold the body's hash, not the body."""

from datetime import datetime

from calmo_pagerduty.db.tables import refusals
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import RESPONSE_OF_VERDICT, Verdict


def insert_refusal(
    tx: Transaction,
    webhook_id: str,
    at: datetime,
    verdict: Verdict,
    reason: str,
    body_bytes: int,
    body_sha256: str,
) -> None:
    """Insert the trace of a refused delivery. `at` is UTC, `body_bytes` the size of its body."""
    tx.execute(
        refusals.insert().values(
            webhook_id=webhook_id,
            at=at,
            verdict=verdict,
            reason=reason,
            status=RESPONSE_OF_VERDICT[verdict].status,
            body_bytes=body_bytes,
            body_sha256=body_sha256,
        )
    )
