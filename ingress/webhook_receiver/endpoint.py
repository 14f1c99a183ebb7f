"""The endpoint to which PagerDuty delivers."""

from ingress.api.endpoints import EndpointRow, Json, PublicEndpoint
from ingress.api.models import VerdictModel
from ingress.webhook_receiver.receiver import WebhookReceiver

_STATUSES = (
    (401, "the signature is missing or does not match the webhook's secrets"),
    (404, "there is no such webhook"),
    (410, "the webhook's owner deleted it"),
    (413, "the body is larger than any that PagerDuty sends"),
    (429, "too many deliveries at once; send it again"),
    (503, "the delivery could not be stored yet; send it again"),
)


def webhook_endpoint(receiver: WebhookReceiver) -> EndpointRow:
    """Return the row of the endpoint."""
    return PublicEndpoint(
        "POST",
        "/webhooks/pagerduty/{webhook_id}",
        "Receive a delivery from PagerDuty",
        Json(VerdictModel, status=202),
        handler=receiver.receive,
        statuses=_STATUSES,
        refuses_with=VerdictModel,
    )
