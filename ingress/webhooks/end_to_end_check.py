"""The end-to-end test of a webhook, from its public address to the issue, as a list of steps.

The test contacts only our configured public address and follows no redirects. At its end it removes the
synthetic incident from the database and terminates its workflow.
"""

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.webhook_signature import sign
from calmo_pagerduty.http_client import AsyncClient, HTTPError, Response, Timeout
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence, store as webhooks
from calmo_pagerduty.webhooks.lifecycle import WebhookConflict, redact_webhook_ids, webhook_url
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX, synthetic_event
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from ingress.webhooks.subscriber import Subscriber
from ingress.webhooks.tls_probe import HostPort, NotDeliverable, check_reachable, check_tls

logger = logging.getLogger(__name__)

#: Limit for all steps together. The cleaning has CLEANUP_SECONDS more.
TEST_SECONDS = 30.0
CLEANUP_SECONDS = 5.0
POLL_SECONDS = 0.05
SETTLE_SECONDS = 1.0

_FORWARDING_ADVICE = "check that a worker and Temporal run: calmo-pagerduty health worker and /readyz show it"


@dataclass(frozen=True, slots=True)
class WebhookTestStep:
    """The result of a step. If `ok` is None, the step was left out, and `words` say why."""

    name: str
    ok: bool | None
    milliseconds: int
    words: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookTestDeps:
    """The services that a test uses. `trust` makes the TLS context with the trusted root certificates."""

    database: Database
    keyring: Keyring
    directory: WebhookDirectory
    subscriber: Subscriber
    temporal: TemporalHandle
    public_address: str
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    #: Limit for a single step, in seconds.
    step_seconds: float = 8.0


@dataclass
class WebhookEndToEndTest:
    """A single test. `steps` yields each step's result. After a failed step only the cleaning follows."""

    deps: WebhookTestDeps
    webhook: ManagedWebhook
    failed: bool = False
    _sent: bool = False
    #: True once all test deliveries are applied.
    _settled: bool = False
    _cleanup_task: "asyncio.Task[WebhookTestStep] | None" = None
    _trigger_id: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _resolve_id: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _incident_id: str = field(default_factory=lambda: SYNTHETIC_PREFIX + secrets.token_hex(8).upper())

    async def steps(self) -> AsyncGenerator[WebhookTestStep, None]:
        plan: list[tuple[str, Callable[[], Awaitable[str | None]], str]] = [
            ("address", self._check_reachable, ""),
            ("tls", self._check_tls, ""),
            ("delivery", lambda: self._deliver(EventType.TRIGGERED, self._trigger_id), ""),
            ("inbox", self._inbox, "another database may be in use behind the public address"),
            ("workflow", self._workflow, _FORWARDING_ADVICE),
            ("issue", lambda: self._issue(IncidentStatus.TRIGGERED), _FORWARDING_ADVICE),
            ("resolution", self._resolve, _FORWARDING_ADVICE),
        ]
        ends_at = time.monotonic() + TEST_SECONDS
        try:
            for name, work, advice in plan:
                yield await self._step(name, work, advice, ends_at)
                if self.failed:
                    break
        finally:
            # The cleaning must also run if the client disconnects in the middle.
            self._cleanup_task = asyncio.create_task(self._clean_up())
            cleanup = await asyncio.shield(self._cleanup_task)
        yield cleanup
        if not self.failed:
            yield await self._step("ping", self._ping, "check the webhook's page in PagerDuty", ends_at)

    async def _step(
        self, name: str, work: Callable[[], Awaitable[str | None]], advice: str, ends_at: float
    ) -> WebhookTestStep:
        started_at = time.monotonic()
        seconds = max(0.0, min(self.deps.step_seconds, ends_at - started_at))
        words: str | None
        try:
            async with asyncio.timeout(seconds):
                words = await work()
        except NotDeliverable as error:
            words, advice = str(error), error.advice
            self.failed = True
        except (PagerDutyError, HTTPError) as error:
            words = (
                redact_webhook_ids(str(error)) if isinstance(error, PagerDutyError) else type(error).__name__
            )
            self.failed = True
        except TimeoutError:
            words = f"it did not happen within {seconds:.0f} s"
            self.failed = True
        ok = False if self.failed else (None if words is not None and words.startswith("left out") else True)
        return WebhookTestStep(
            name, ok, _elapsed_milliseconds(started_at), words or "done", advice if self.failed else None
        )

    async def _check_reachable(self) -> str:
        return await check_reachable(self._target())

    async def _check_tls(self) -> str:
        if urlsplit(self.deps.public_address).scheme != "https":
            return "left out: the address is http://, which is for tests on one machine only"
        return await check_tls(self._target(), self.deps.trust)

    def _target(self) -> HostPort:
        """Return host and port of the public address. Raises NotDeliverable."""
        try:
            parts = urlsplit(self.deps.public_address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if host is None or parts.scheme not in {"http", "https"}:
            raise NotDeliverable("CALMO_PUBLIC_URL is not a valid address", "set it to https:// and a host")
        return HostPort(host, port or (443 if parts.scheme == "https" else 80))

    async def _deliver(self, event_type: EventType, event_id: str) -> str:
        """Send a signed delivery to the public address. Raises NotDeliverable."""
        now = datetime.now(UTC)
        webhook = await self.deps.database.read(
            lambda t: webhooks.get_webhook(t, self.deps.keyring, self.webhook.id, now)
        )
        if webhook is None or not webhook.secrets:
            raise NotDeliverable("the webhook has no signing secret", "set it first")
        body = synthetic_event(event_type, event_id, self._incident_id, now)
        headers = {
            "Content-Type": "application/json",
            "X-PagerDuty-Signature": sign(body, webhook.secrets[0][1]).decode(),
            "X-Webhook-Id": event_id,
        }
        url = webhook_url(self.deps.public_address, self.webhook.id)
        self._sent = True
        https = url.startswith("https:")
        async with AsyncClient(
            verify=self.deps.trust() if https else False,
            follow_redirects=False,
            trust_env=False,
            timeout=Timeout(5.0),
        ) as http:
            answer = await http.post(url, content=body, headers=headers)
        await self._undo_arming()
        return _check_response(answer)

    async def _undo_arming(self) -> None:
        """Disarm the webhook again: our own delivery does not prove that PagerDuty has the same secret."""
        if self.webhook.armed_at is not None:
            return
        versions = [secret.version for secret in self.webhook.secrets]

        def disarm(transaction: Transaction) -> None:
            since = self.webhook.created_at
            if (
                webhook_evidence.get_evidence(transaction, self.webhook.id, versions, since).verified_at
                is None
            ):
                webhooks.mark_disarmed(transaction, self.webhook.id)

        await self.deps.database.write(disarm)
        self.deps.directory.invalidate(self.webhook.id)

    async def _inbox(self) -> str:
        await self._poll_until(lambda t: self._state_of(t, self._trigger_id) is not None)
        return "the delivery is in the inbox"

    async def _workflow(self) -> str:
        sent = (DeliveryState.FORWARDED, DeliveryState.APPLIED)
        await self._poll_until(lambda t: self._state_of(t, self._trigger_id) in sent)
        return "the incident's workflow got the event"

    async def _issue(self, status: IncidentStatus) -> str:
        def has_status(transaction: Transaction) -> bool:
            issue = issue_queries.get_issue(transaction, EVERYTHING, self._ref.issue_id)
            return issue is not None and issue.status is status

        await self._poll_until(has_status)
        return f"the test issue exists and is {status}"

    async def _resolve(self) -> str:
        await self._deliver(EventType.RESOLVED, self._resolve_id)
        text = await self._issue(IncidentStatus.RESOLVED)
        # The deliveries are applied shortly after the timeline shows them, and only then all has arrived.
        applied = DeliveryState.APPLIED
        await self._poll_until(
            lambda t: (
                {self._state_of(t, event_id) for event_id in (self._trigger_id, self._resolve_id)}
                == {applied}
            )
        )
        self._settled = True
        return text

    async def _ping(self) -> str:
        if not self.webhook.managed:
            return "left out: we did not make the subscription; choose Send Test Event in PagerDuty instead"
        before = await self.deps.database.read(
            lambda t: webhook_evidence.get_last_delivery_seq(t, self.webhook.id)
        )
        try:
            await self.deps.subscriber.ping(self.webhook)
        except WebhookConflict as error:
            return f"left out: {error}"
        await self._poll_until(lambda t: webhook_evidence.get_ping_arrived(t, self.webhook.id, before))
        return "PagerDuty's own ping arrived and was verified"

    async def _poll_until(self, condition: Callable[[Transaction], bool]) -> None:
        """Poll until the condition is true. The step's time limit cancels it."""
        while not await self.deps.database.read(condition):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(POLL_SECONDS)

    async def _clean_up(self) -> WebhookTestStep:
        started_at = time.monotonic()
        if not self._sent:
            return WebhookTestStep("cleaning", None, 0, "left out: nothing was sent")
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await remove_test_incident(self.deps.database, self.deps.temporal, self._ref)
                if not self._settled:
                    # Deliveries in flight may have arrived meanwhile.
                    await asyncio.sleep(SETTLE_SECONDS)
                    await remove_test_incident(self.deps.database, self.deps.temporal, self._ref)
        except Exception as error:  # any failure is reported as this step's result
            logger.warning("webhook_test_not_cleaned_up", extra={"error": type(error).__name__})
            return WebhookTestStep(
                "cleaning",
                False,
                _elapsed_milliseconds(started_at),
                "not all data of the test could be removed",
                "the webhook sweeper will try again",
            )
        return WebhookTestStep(
            "cleaning",
            True,
            _elapsed_milliseconds(started_at),
            "the test issue was removed and its workflow terminated",
        )

    def _state_of(self, transaction: Transaction, event_id: str) -> str | None:
        return webhook_evidence.get_delivery_state(transaction, self.webhook.id, event_id)

    @property
    def _ref(self) -> IncidentRef:
        return IncidentRef(connection_id=self.webhook.connection_id, incident_id=self._incident_id)


async def remove_test_incident(database: Database, temporal: TemporalHandle, ref: IncidentRef) -> None:
    """Terminate a synthetic incident's workflow and delete its rows. Raises StoreUnavailable."""
    if temporal.connected:
        try:
            await temporal.client.get_workflow_handle(ref.workflow_id).terminate("the webhook's test is over")
        except RPCError as error:
            # There is no workflow, or it has ended.
            logger.debug("no_test_workflow", extra={"status": error.status.name})
    await database.write(lambda t: webhook_evidence.delete_test_incident(t, ref))


def _check_response(answer: Response) -> str:
    """Return the step's text. Raises NotDeliverable unless the receiver accepted the delivery."""
    if 300 <= answer.status_code < 400:
        raise NotDeliverable(
            "the address redirects",
            "PagerDuty follows no redirects: set CALMO_PUBLIC_URL to the final address",
        )
    try:
        verdict = str(answer.json()["verdict"])
    except (ValueError, LookupError, TypeError):
        raise NotDeliverable(
            f"something else answers at this address ({answer.status_code})",
            "CALMO_PUBLIC_URL or a proxy in front of the ingress leads to another service",
        ) from None
    if answer.status_code != 202 or verdict != "accepted":
        raise NotDeliverable(
            f"the delivery was answered {answer.status_code} {verdict}",
            "docs/operations.md explains each answer",
        )
    return "a signed delivery was accepted"


def _elapsed_milliseconds(started_at: float) -> int:
    return round((time.monotonic() - started_at) * 1000)
