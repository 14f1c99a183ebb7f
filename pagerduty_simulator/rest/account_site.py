"""One account with its webhook sender, tokens, rate limits and faults."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import Clock, ScaledClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.incident_measures import Measures
from pagerduty_simulator.rest.faults import Faults
from pagerduty_simulator.rest.rate_limits import RateLimits
from pagerduty_simulator.rest.tokens import Token, TokenKind
from pagerduty_simulator.webhook_sender import WebhookSender

# Endpoints here check the first abilities; the last three are only listed.
ABILITIES: Final = (
    "advanced_analytics",
    "audit_trail",
    "business_services",
    "coordinated_responding",
    "event_intelligence",
    "incident_priorities",
    "teams",
    "manual_alert_grouping",
    "service_support_hours",
    "urgencies",
)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A served request; `at` is real seconds (monotonic), `status` is None without a response."""

    method: str
    path: str
    operation: str | None
    token_name: str | None
    at: float
    status: int | None
    fault: str | None = None


class AccountSite:
    """The handle for tests: the account, and how its API behaves.

    Without `sender` it makes its own sender, which `aclose` closes.
    """

    def __init__(
        self,
        account: Account,
        *,
        sender: WebhookSender | None = None,
        clock: Clock | None = None,
        limits: RateLimits | None = None,
        faults: Faults | None = None,
        region: str = "us",
        requests_kept: int = 100_000,
        latency: timedelta = timedelta(0),
    ) -> None:
        """Create the site. Each response takes at least `latency` (real time), as over a wide network."""
        self.account = account
        self.clock: Clock = clock or ScaledClock()
        self._owns_sender = sender is None
        self.sender = sender or WebhookSender(clock=self.clock)
        self.limits = limits or RateLimits(self.clock)
        self.faults = faults or Faults()
        self.region = region
        self.latency = latency
        #: Seen in answers to GET: layers in the opposite order of the order that a PUT takes.
        self.reverses_layers = False
        self.abilities: set[str] = set(ABILITIES)
        self.tokens: dict[str, Token] = {}
        self.subscription_descriptions: dict[str, str] = {}
        # A cache of the analytics measures, by incident id.
        self.measures: dict[str, Measures] = {}
        self.requests: deque[RequestRecord] = deque(maxlen=requests_kept)

    @property
    def violations(self) -> int:
        """The number of requests sent although a 429 had told their token to wait."""
        return sum(self.limits.violations.values())

    def add_token(
        self,
        key: str,
        kind: TokenKind = "account",
        *,
        name: str | None = None,
        user_id: str | None = None,
        scopes: Iterable[str] = (),
        region: str | None = None,
    ) -> Token:
        """Issue a token. Raises ValueError for a user's token without a user."""
        if kind == "user" and user_id not in self.account.users:
            raise ValueError("a user's token names a user of the account")
        name = name or f"{kind}-{len(self.tokens) + 1}"
        token = Token(key, name, kind, user_id, frozenset(scopes), region or self.region)
        self.tokens[key] = token
        return token

    def revoke_token(self, key: str) -> None:
        """Revoke a token: its requests get 401 from now on."""
        self.tokens[key] = replace(self.tokens[key], revoked=True)

    def publish(self, events: tuple[Event, ...]) -> None:
        """Publish events to the webhook subscriptions."""
        if events:
            self.sender.publish(events)

    def tick(self) -> None:
        """Run the account's steps that are due, and publish their events."""
        self.publish(self.account.run_due_steps())

    def new_id(self) -> str:
        """Return an id in the form of most resources."""
        return identifiers.object_id(self.account.rng)

    async def aclose(self) -> None:
        """Stop the webhook sender, if it is the site's own."""
        if self._owns_sender:
            await self.sender.aclose()
