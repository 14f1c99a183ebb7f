"""A sweeper of old rows."""

from datetime import timedelta

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.retention.bounds import Periods
from ingress.deliveries.retention_sweeper import RetentionSweeper

SOME_KEYS = Keyring({"k1": b"k" * 32})


def a_sweeper(
    database: Database,
    bodies: timedelta = timedelta(days=30),
    ids: timedelta = timedelta(days=400),
    issues: timedelta = timedelta(days=1095),
    *,
    keyring: Keyring = SOME_KEYS,
    holder: str = "here",
) -> RetentionSweeper:
    return RetentionSweeper(database, keyring, holder, Periods(bodies, ids, issues))
