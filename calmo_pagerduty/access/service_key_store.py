"""API keys with which the service itself calls tools, one for each purpose and scope.

They are listed like other keys, and administrators may revoke them. They admit no request: nobody knows their
secret, and their mark `is_service` keeps them from being named as a caller from outside. So their ids are no
secret.
"""

import base64
import hashlib
import os
from datetime import datetime

from calmo_pagerduty.access.persons import key_owner
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
        "owner": key_owner(key_id, None),
        "is_service": True,
    }
    tx.execute(insert_or_ignore(tx, api_keys), row)
    return key_id
