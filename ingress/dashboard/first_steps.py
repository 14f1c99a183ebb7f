"""The way from a new service to the first incident: connect PagerDuty, generate a webhook, test it."""

from dataclasses import dataclass

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, WEBHOOKS_READ
from ingress.api.endpoints import NoInput
from ingress.dashboard.page import Ask


@dataclass(frozen=True, slots=True)
class FirstStep:
    """The next step on the way: `number` counts from 1. `path` is below the dashboard's root."""

    number: int
    heading: str
    words: str
    action: str
    path: str


CONNECT = FirstStep(
    1,
    "Welcome. Connect PagerDuty first",
    "A token is all it takes. It is tested before it is kept, and nothing is changed at PagerDuty.",
    "Connect PagerDuty",
    "/connections/new",
)
GENERATE = FirstStep(
    2,
    "PagerDuty is connected. Now let it deliver",
    "A webhook brings each incident here the moment it happens. It takes two minutes, or seconds if the"
    " connection's token makes the subscription.",
    "Generate a webhook",
    "/webhooks/new",
)
PROVE = FirstStep(
    3,
    "The webhook is made. See that deliveries arrive",
    "A test follows a made-up incident from the address to its issue, step by step, and names the fault if"
    " there is one.",
    "Test the webhook",
    "/webhooks",
)


async def first_step(ask: Ask) -> FirstStep | None:
    """Return what a newcomer does next; None once a delivery was verified, or if the caller can't tell."""
    if not (ask.may(CONNECTIONS_READ) and ask.may(WEBHOOKS_READ)):
        return None
    webhooks = (await ask.ingress.webhooks.list(ask.request, ask.caller, NoInput())).webhooks
    if any(webhook.armed_at for webhook in webhooks):
        return None
    if webhooks:
        return PROVE
    connections = (await ask.ingress.connections.list(ask.request, ask.caller, NoInput())).connections
    return GENERATE if connections else CONNECT
