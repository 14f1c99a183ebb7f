"""API keys with which the service itself calls tools, one for each purpose and scope.

They are listed and revoked like other keys. Nobody knows their secret, so they admit no request.
"""

import base64
import hashlib
import os
from datetime import datetime

from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.tables import api_keys
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import Scope


def get_or_insert_service_key(
    tx: Transaction, purpose: str, permission: str, scope: Scope, now: datetime
) -> str:
    """Return the id of a purpose's key, and create it if missing. A revoked key stays revoked."""
    digest = hashlib.sha256(f"{purpose}\n{scope}".encode()).digest()
    key_id = base64.b32encode(digest[:10]).decode().lower()
    row = {
        "id": key_id,
        "name": purpose,
        "secret_sha256": hashlib.sha256(os.urandom(32)).hexdigest(),
        "permissions": [permission],
        "scopes": [str(scope)],
        "teams": [],
        "created_at": now,
    }
    tx.execute(insert_or_ignore(tx, api_keys), row)
    return key_id
