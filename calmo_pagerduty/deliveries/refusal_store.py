"""The trail of deliveries that were not authenticated: reason, size, hash; never the body."""

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
    """Keep what is known of a refused delivery."""
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
