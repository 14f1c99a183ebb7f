"""Authenticate requests by API key, sent as a bearer token."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from ingress.api.errors import NotAuthenticated, NotPermitted


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
    return principal


def revalidate_principal(principal: Principal) -> Callable[[Transaction], Principal | None]:
    """Return a read that loads the principal again: None once the key is revoked or has expired."""
    return lambda transaction: api_keys.get_principal(transaction, principal.key_id, datetime.now(UTC))
