"""Who calls: bearer API keys."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.store import api_keys
from calmo_pagerduty.store.api_keys import Caller
from calmo_pagerduty.store.database import Database
from ingress.errors import NotAuthenticated, NotPermitted

ISSUES_READ = "issues:read"
METRICS_READ = "metrics:read"
WEBHOOKS_WRITE = "webhooks:write"

#: What the first key, which `up` makes, may do: everything.
ALL_PERMISSIONS = (ISSUES_READ, METRICS_READ, WEBHOOKS_WRITE)


async def authenticate(database: Database, request: Request, permission: str) -> Caller:
    """Return the caller. Raises NotAuthenticated, NotPermitted, StoreUnavailable."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise NotAuthenticated("send an API key: Authorization: Bearer calmo_…")
    now = datetime.now(UTC)
    caller = await database.read(lambda connection: api_keys.find_caller(connection, text.strip(), now))
    if caller is None:
        raise NotAuthenticated("this API key is not valid (mistyped, expired or revoked)")
    if permission not in caller.permissions:
        raise NotPermitted(f"this API key lacks the permission {permission}")
    return caller
