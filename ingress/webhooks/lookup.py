"""Webhooks as a caller may find them, and what the audit says of what was done to them."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from ingress.api.errors import ResourceNotFound

NOT_FOUND = (404, "no such webhook, or it is somebody else's")
CONFLICT = (409, "it makes no sense for a webhook that stands so; the message says why")
PAGERDUTY_REFUSES = (502, "PagerDuty refuses; the message says why")


async def read_webhook(database: Database, request: Request, principal: Principal) -> ManagedWebhook:
    """Return the webhook whose id or handle is in the request's path. Raises ResourceNotFound."""
    known_as = request.path_params["id"]
    return await database.read(lambda transaction: get_webhook(transaction, principal, known_as))


def get_webhook(transaction: Transaction, principal: Principal, known_as: str) -> ManagedWebhook:
    """Raises ResourceNotFound, which repeats nothing: what was asked for may be an address."""
    found = webhook_management.get_webhook(transaction, principal.visibility, known_as, datetime.now(UTC))
    if found is None:
        raise ResourceNotFound("there is no such webhook")
    return found


def audit_record(principal: Principal, webhook: ManagedWebhook, outcome: str) -> dict[str, object]:
    """Return what the audit keeps: whose webhook and what was done, no address and no secret."""
    return {
        "webhook": webhook.handle,
        "connection_id": webhook.connection_id,
        "key_id": principal.key_id,
        "requester": principal.who,
        "outcome": f"webhook {outcome}",
    }


def insert_audit(
    transaction: Transaction, principal: Principal, webhook: ManagedWebhook, outcome: str
) -> None:
    audit.insert_audit_row(
        transaction, str(webhook.scope), datetime.now(UTC), audit_record(principal, webhook, outcome)
    )
