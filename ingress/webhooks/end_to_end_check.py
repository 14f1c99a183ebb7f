"""The test of a webhook: one walk over its whole way, told step by step.

Only our own configured public address is ever contacted, and no redirect is followed. What the walk
leaves in the database is removed at its end, and the workflow is ended.
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

from calmo_pagerduty.db.database import Database, Transaction
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.deliveries.model import DeliveryState
from calmo_pagerduty.deliveries.webhook_signature import sign
from calmo_pagerduty.http_client import AsyncClient, HTTPError, Response, Timeout
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.lifecycle import WebhookConflict, redact_webhook_ids, webhook_url
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX, synthetic_event
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from ingress.webhooks.subscriber import Subscriber
from ingress.webhooks.tls_probe import HostPort, NotDeliverable, check_reachable, check_tls

logger = logging.getLogger(__name__)

#: The whole walk; cleaning up after it has some seconds more.
TEST_SECONDS = 30.0
CLEANUP_SECONDS = 5.0
POLL_SECONDS = 0.05
SETTLE_SECONDS = 1.0

_FORWARDING_ADVICE = "is a worker running, and Temporal there? calmo-pagerduty health worker and /readyz tell"


@dataclass(frozen=True, slots=True)
class TestStep:
    """`ok` None: it was left out, and `words` say why."""

    name: str
    ok: bool | None
    milliseconds: int
    words: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookTestDeps:
    """What a walk needs. `trust` makes the roots that count for https."""

    database: Database
    keyring: Keyring
    directory: WebhookDirectory
    subscriber: Subscriber
    temporal: TemporalHandle
    public_address: str
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    #: How long one step may take.
    step_seconds: float = 8.0


@dataclass
class WebhookEndToEndTest:
    """One walk; `steps` yields each step as it ends. One that fails ends the walk, but for the cleaning."""

    deps: WebhookTestDeps
    webhook: ManagedWebhook
    failed: bool = False
    _begun: bool = False
    #: Whether nothing of the test is on its way any more.
    _settled: bool = False
    _cleaning: "asyncio.Task[TestStep] | None" = None
    _opened: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _closed: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _incident: str = field(default_factory=lambda: SYNTHETIC_PREFIX + secrets.token_hex(8).upper())

    async def steps(self) -> AsyncGenerator[TestStep, None]:
        plan: list[tuple[str, Callable[[], Awaitable[str | None]], str]] = [
            ("address", self._check_reachable, ""),
            ("tls", self._check_tls, ""),
            ("delivery", lambda: self._deliver(EventType.TRIGGERED, self._opened), ""),
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
            # A caller who goes away in the middle must not leave a test behind.
            self._cleaning = asyncio.create_task(self._clean_up())
            cleaned = await asyncio.shield(self._cleaning)
        yield cleaned
        if not self.failed:
            yield await self._step("ping", self._ping, "look at the webhook's page in PagerDuty", ends_at)

    async def _step(
        self, name: str, work: Callable[[], Awaitable[str | None]], advice: str, ends_at: float
    ) -> TestStep:
        begun = time.monotonic()
        seconds = max(0.0, min(self.deps.step_seconds, ends_at - begun))
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
            words = f"not within {seconds:.0f} s"
            self.failed = True
        ok = False if self.failed else (None if words is not None and words.startswith("left out") else True)
        return TestStep(
            name, ok, _elapsed_milliseconds(begun), words or "done", advice if self.failed else None
        )

    async def _check_reachable(self) -> str:
        return await check_reachable(self._target())

    async def _check_tls(self) -> str:
        if urlsplit(self.deps.public_address).scheme != "https":
            return "left out: the address is http://, which is for tests on one machine only"
        return await check_tls(self._target(), self.deps.trust)

    def _target(self) -> HostPort:
        """Raises NotDeliverable."""
        try:
            parts = urlsplit(self.deps.public_address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port, parts = None, None, urlsplit("")
        if host is None or parts.scheme not in {"http", "https"}:
            raise NotDeliverable("CALMO_PUBLIC_URL is no address", "set it to https:// and a host")
        return HostPort(host, port or (443 if parts.scheme == "https" else 80))

    async def _deliver(self, event_type: EventType, event_id: str) -> str:
        """Send a genuine delivery through the public address. Raises NotDeliverable."""
        now = datetime.now(UTC)
        found = await self.deps.database.read(
            lambda t: webhooks.get_webhook(t, self.deps.keyring, self.webhook.id, now)
        )
        if found is None or not found.secrets:
            raise NotDeliverable("the webhook has no signing secret", "set it first")
        body = synthetic_event(event_type, event_id, self._incident, now)
        headers = {
            "Content-Type": "application/json",
            "X-PagerDuty-Signature": sign(body, found.secrets[0][1]).decode(),
            "X-Webhook-Id": event_id,
        }
        url = webhook_url(self.deps.public_address, self.webhook.id)
        self._begun = True
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
        """Our own delivery proves nothing of PagerDuty's secret: the webhook is no more armed than before."""
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
        await self._poll_until(lambda t: self._state_of(t, self._opened) is not None)
        return "the delivery is in the inbox"

    async def _workflow(self) -> str:
        sent = (DeliveryState.FORWARDED, DeliveryState.APPLIED)
        await self._poll_until(lambda t: self._state_of(t, self._opened) in sent)
        return "the incident's workflow has been told"

    async def _issue(self, status: IncidentStatus) -> str:
        def is_there(transaction: Transaction) -> bool:
            issue = issue_queries.get_issue(transaction, EVERYTHING, self._ref.issue_id)
            return issue is not None and issue.status is status

        await self._poll_until(is_there)
        return f"the test issue is there, {status}"

    async def _resolve(self) -> str:
        await self._deliver(EventType.RESOLVED, self._closed)
        said = await self._issue(IncidentStatus.RESOLVED)
        # What is on its timeline is applied soon; only then nothing of it is on its way any more.
        applied = DeliveryState.APPLIED
        await self._poll_until(
            lambda t: {self._state_of(t, event_id) for event_id in (self._opened, self._closed)} == {applied}
        )
        self._settled = True
        return said

    async def _ping(self) -> str:
        if not self.webhook.managed:
            return (
                "left out: only for a subscription that we made; choose Send Test Event in PagerDuty instead"
            )
        before = await self.deps.database.read(
            lambda t: webhook_evidence.get_last_delivery_seq(t, self.webhook.id)
        )
        try:
            await self.deps.subscriber.ping(self.webhook)
        except WebhookConflict as error:
            return f"left out: {error}"
        await self._poll_until(lambda t: webhook_evidence.get_ping_arrived(t, self.webhook.id, before))
        return "PagerDuty's own ping arrived and was verified"

    async def _poll_until(self, question: Callable[[Transaction], bool]) -> None:
        """Look until it is so; the step's time bounds it."""
        while not await self.deps.database.read(question):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(POLL_SECONDS)

    async def _clean_up(self) -> TestStep:
        begun = time.monotonic()
        if not self._begun:
            return TestStep("cleaning", None, 0, "left out: nothing was sent")
        try:
            async with asyncio.timeout(CLEANUP_SECONDS):
                await remove_test_incident(self.deps.database, self.deps.temporal, self._ref)
                if not self._settled:
                    # What was on its way may have come since.
                    await asyncio.sleep(SETTLE_SECONDS)
                    await remove_test_incident(self.deps.database, self.deps.temporal, self._ref)
        except Exception as error:  # whatever it is, it is a step of the report
            logger.warning("webhook_test_not_cleaned_up", extra={"error": type(error).__name__})
            return TestStep(
                "cleaning",
                False,
                _elapsed_milliseconds(begun),
                "not everything could be removed",
                "it is tried again",
            )
        return TestStep(
            "cleaning", True, _elapsed_milliseconds(begun), "the test issue is removed and its workflow ended"
        )

    def _state_of(self, transaction: Transaction, event_id: str) -> str | None:
        return webhook_evidence.get_delivery_state(transaction, self.webhook.id, event_id)

    @property
    def _ref(self) -> IncidentRef:
        return IncidentRef(connection_id=self.webhook.connection_id, incident_id=self._incident)


async def remove_test_incident(database: Database, temporal: TemporalHandle, ref: IncidentRef) -> None:
    """End a test incident's workflow and remove all that it left. Raises StoreUnavailable."""
    if temporal.connected:
        try:
            await temporal.client.get_workflow_handle(ref.workflow_id).terminate("the webhook's test is over")
        except RPCError as error:
            # None was begun, or it is over.
            logger.debug("no_test_workflow", extra={"status": error.status.name})
    await database.write(lambda t: webhook_evidence.delete_test_incident(t, ref))


def _check_response(answer: Response) -> str:
    """Return what the door said. Raises NotDeliverable unless it took the delivery."""
    if 300 <= answer.status_code < 400:
        raise NotDeliverable(
            "the address redirects", "PagerDuty follows no redirects: give CALMO_PUBLIC_URL the final one"
        )
    try:
        verdict = str(answer.json()["verdict"])
    except (ValueError, LookupError, TypeError):
        raise NotDeliverable(
            f"something else answers there ({answer.status_code})",
            "CALMO_PUBLIC_URL, or what stands in front of us, leads to another service",
        ) from None
    if answer.status_code != 202 or verdict != "accepted":
        raise NotDeliverable(
            f"the delivery was answered {answer.status_code} {verdict}",
            "docs/operations.md says what each answer means",
        )
    return "a signed delivery was accepted"


def _elapsed_milliseconds(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
