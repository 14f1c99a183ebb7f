"""Authenticate requests by API key, sent as a bearer token."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, StoreUnavailable
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.errors import NotAuthenticated, NotPermitted

#: A key's last use is saved to within this time.
USE_STEP = timedelta(minutes=10)


async def authenticate(database: Database, request: Request, permission: str) -> Principal:
    """Return the request's principal. Raises NotAuthenticated, NotPermitted, StoreUnavailable."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise NotAuthenticated("send an API key: Authorization: Bearer calmo_…")
    now = datetime.now(UTC)
    principal = await database.read(
        lambda connection: api_keys.get_principal_by_key(connection, text.strip(), now)
    )
    if principal is None:
        raise NotAuthenticated("this API key is not valid (mistyped, expired or revoked)")
    if permission not in principal.permissions:
        raise NotPermitted(f"this API key lacks the permission {permission}")
    await _save_use(database, principal, now)
    return principal


async def _save_use(database: Database, principal: Principal, now: datetime) -> None:
    used_at = principal.last_used_at
    if used_at is None or now - used_at > USE_STEP:
        # A database that can't be written for the moment must not keep anybody from reading.
        with contextlib.suppress(StoreUnavailable):
            await database.write(lambda tx: api_keys.mark_used(tx, principal.key_id, now))


def revalidate_principal(principal: Principal) -> Callable[[Transaction], Principal | None]:
    """Return a read that loads the principal again: None once the key is revoked or has expired."""
    return lambda transaction: api_keys.get_principal(transaction, principal.key_id, datetime.now(UTC))
