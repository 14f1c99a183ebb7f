"""Audit what happens to API keys, whoever changes them: another key, or the command line."""

from datetime import datetime
from typing import Any

from calmo_pagerduty.access.audit_store import insert_audit_row
from calmo_pagerduty.access.store import KeyRow
from calmo_pagerduty.db.transactions import Transaction

#: The audit scope of changes that concern only operators.
OPERATORS = "operators"
#: The requester of what was changed in the database directly, by whoever may read its password.
COMMAND_LINE = "command line"


def audit_key_change(
    tx: Transaction,
    key: KeyRow,
    outcome: str,
    now: datetime,
    requester: str = COMMAND_LINE,
    requesting_key_id: str | None = None,
    **more: Any,
) -> None:
    """Append a row to the chain for each scope that the key sees. `more` adds fields to the record."""
    record = {
        "key_id": requesting_key_id,
        "requester": requester,
        "outcome": outcome,
        "subject_key_id": key.id,
        "permissions": sorted(key.permissions),
        "person": key.person,
        "teams": sorted(key.teams),
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
        **more,
    }
    for scope in map(str, key.scopes or ()) if key.scopes is not None else (OPERATORS,):
        insert_audit_row(tx, scope, now, record)
