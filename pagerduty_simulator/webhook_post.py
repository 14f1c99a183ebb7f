"""One POST of one event: PagerDuty's headers, its deadline, and the outcome of the response."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext
from typing import Final

import httpx

from pagerduty_simulator.delivery_contract import AttemptOutcome, outcome_of_error, outcome_of_status
from pagerduty_simulator.signatures import signature_header
from pagerduty_simulator.subscriptions import Subscription

USER_AGENT: Final = "PagerDuty-Webhook/V3.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response's status, or the error without a response; and the outcome for PagerDuty."""

    status: int | None
    error: str | None
    verdict: AttemptOutcome


@cache
def _tls_context() -> SSLContext:
    """Loading the certificates takes 17 ms, so all receivers of a process share them."""
    return httpx.create_ssl_context(trust_env=False)


class KeepAliveClients:
    """Keep-alive connections to one receiver: a client for each concurrent delivery.

    Each client has exactly one connection. A client with many connections took three times the CPU: for
    each request its pool walks over all connections and all waiting requests.
    """

    def __init__(self) -> None:
        self._tls = _tls_context()
        self._all: list[httpx.AsyncClient] = []
        self._idle: list[httpx.AsyncClient] = []

    def take(self) -> httpx.AsyncClient:
        """Return the last used client, whose connection is most likely still open."""
        if self._idle:
            return self._idle.pop()
        client = httpx.AsyncClient(
            verify=self._tls,
            timeout=httpx.Timeout(None),  # the deadline covers the whole exchange, not each phase of it
            follow_redirects=False,
            trust_env=False,  # no proxy
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # Shorter than the 5 s after which uvicorn closes an idle connection: a request on a closing
            # connection would look like a receiver that does not answer.
            limits=httpx.Limits(max_connections=1, keepalive_expiry=2.0),
        )
        self._all.append(client)
        return client

    def give_back(self, client: httpx.AsyncClient) -> None:
        """Take a client back for the next delivery."""
        self._idle.append(client)

    async def aclose(self) -> None:
        """Close all connections."""
        for client in self._all:
            await client.aclose()


def webhook_headers(subscription: Subscription, webhook_id: str, body: bytes) -> list[tuple[str, str]]:
    """Return PagerDuty's headers, signed with the secrets that are live now."""
    return [
        ("Content-Type", "application/json"),
        ("Accept", "application/json"),
        ("User-Agent", USER_AGENT),
        ("X-PagerDuty-Signature", signature_header(subscription.secrets, body)),
        ("X-Webhook-Id", webhook_id),
        ("X-Webhook-Subscription", subscription.id),
        *subscription.custom_headers,
    ]


async def post_webhook(
    clients: KeepAliveClients,
    subscription: Subscription,
    webhook_id: str,
    body: bytes,
    deadline: timedelta,
) -> Answer:
    """Send the body once and return the outcome; `deadline` is real time.

    A receiver's fault never raises.
    """
    http = clients.take()
    headers = webhook_headers(subscription, webhook_id, body)
    request = http.build_request("POST", subscription.url, content=body, headers=headers)
    status: int | None = None
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            response = await http.send(request, stream=True)
            status = response.status_code
            try:
                # Read to the end, so that the connection stays open; raw, because nobody needs the body.
                async for _ in response.aiter_raw():
                    pass
            finally:
                await response.aclose()
    except (TimeoutError, httpx.TransportError) as error:
        if status is None:
            if isinstance(error, TimeoutError):
                return Answer(None, "no answer within the deadline", AttemptOutcome.RETRIED)
            reason = f"{type(error).__name__}: {error}"
            return Answer(None, reason, outcome_of_error(error))
    finally:
        clients.give_back(http)
    # After the status, a slow or broken body changes nothing.
    return Answer(status, None, outcome_of_status(status))
