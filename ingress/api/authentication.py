"""Who calls: bearer API keys."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.tools.model import Access
from calmo_pagerduty.tools.permissions import KEY_PERMISSION
from ingress.api.errors import NotAuthenticated, NotPermitted

ISSUES_READ = "issues:read"
METRICS_READ = "metrics:read"
WEBHOOKS_READ = "webhooks:read"
WEBHOOKS_WRITE = "webhooks:write"
CONNECTIONS_READ = "connections:read"
CONNECTIONS_WRITE = "connections:write"
#: Turning on writes for an organisation's connection is its administrators' alone.
CONNECTIONS_ADMIN = "connections:admin"
TOOLS_READ = KEY_PERMISSION[Access.READ]
TOOLS_WRITE = KEY_PERMISSION[Access.WRITE]
APPROVALS_WRITE = "approvals:write"
AUDIT_READ = "audit:read"
DELIVERIES_READ = "deliveries:read"
#: Bodies hold what people wrote; who may replay deliveries sees them too.
DELIVERIES_BODY = "deliveries:body"
KEYS_WRITE = "keys:write"

#: What the first key, which `up` makes, may do: everything.
ALL_PERMISSIONS = (
    ISSUES_READ, METRICS_READ, WEBHOOKS_READ, WEBHOOKS_WRITE, CONNECTIONS_READ, CONNECTIONS_WRITE,
    CONNECTIONS_ADMIN, TOOLS_READ, TOOLS_WRITE, APPROVALS_WRITE, AUDIT_READ,
    DELIVERIES_READ, DELIVERIES_BODY, KEYS_WRITE,
)  # fmt: skip


async def authenticate(database: Database, request: Request, permission: str) -> Principal:
    """Return the caller. Raises NotAuthenticated, NotPermitted, StoreUnavailable."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise NotAuthenticated("send an API key: Authorization: Bearer calmo_…")
    now = datetime.now(UTC)
    caller = await database.read(
        lambda connection: api_keys.get_principal_by_key(connection, text.strip(), now)
    )
    if caller is None:
        raise NotAuthenticated("this API key is not valid (mistyped, expired or revoked)")
    if permission not in caller.permissions:
        raise NotPermitted(f"this API key lacks the permission {permission}")
    return caller


def revalidate_principal(caller: Principal) -> Callable[[Transaction], Principal | None]:
    """Return a read that finds the caller anew; it returns None once the key was revoked or has expired."""
    return lambda transaction: api_keys.get_principal(transaction, caller.key_id, datetime.now(UTC))
