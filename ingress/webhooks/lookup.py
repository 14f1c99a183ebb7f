"""Load webhooks that a principal may see, and audit changes to them."""

from datetime import UTC, datetime

from starlette.requests import Request

from calmo_pagerduty.access import audit_store as audit
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.webhooks import management_store as webhook_management
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from ingress.api.errors import ResourceNotFound

NOT_FOUND = (404, "there is no such webhook, or this API key may not see it")
CONFLICT = (409, "the webhook's state forbids it; the message says why")
PAGERDUTY_REFUSES = (502, "PagerDuty refuses it; the message says why")


async def read_webhook(database: Database, request: Request, principal: Principal) -> ManagedWebhook:
    """Return the webhook whose id or handle the path holds. Raises ResourceNotFound, WebhookConflict."""
    id_or_handle = request.path_params["id"]
    return await database.read(
        lambda transaction: get_webhook(transaction, principal, id_or_handle), principal.visibility
    )


def get_webhook(transaction: Transaction, principal: Principal, id_or_handle: str) -> ManagedWebhook:
    """Raises ResourceNotFound, WebhookConflict. The message omits the id, because it may be a secret."""
    webhook = webhook_management.get_webhook(
        transaction, principal.visibility, id_or_handle, datetime.now(UTC)
    )
    if webhook is None:
        raise ResourceNotFound("there is no such webhook")
    return webhook


def audit_record(principal: Principal, webhook: ManagedWebhook, outcome: str) -> dict[str, object]:
    """Return the audit's record: the webhook, the principal and the outcome, without address or secret."""
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
