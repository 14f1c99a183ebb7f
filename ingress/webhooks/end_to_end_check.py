"""The end-to-end test of a webhook, from its public address to the issue, as a list of steps.

The test contacts only our configured public address and follows no redirects. At its end it removes the
synthetic incident from the database and terminates its workflow.
"""

import asyncio
import logging
import secrets
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from temporalio.service import RPCError

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.webhook_signature import sign
from calmo_pagerduty.http_client import AsyncClient, HTTPError, Response, Timeout
from calmo_pagerduty.incidents import queries as issue_queries
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.pagerduty.errors import PagerDutyError
from calmo_pagerduty.pagerduty.event_types import EventType, IncidentStatus
from calmo_pagerduty.temporal.handle import TemporalHandle
from calmo_pagerduty.temporal.task_queues import TaskQueues
from calmo_pagerduty.temporal.unavailable import TemporalUnavailable
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence, store as webhooks
from calmo_pagerduty.webhooks.delivery_steps import FAULT_OF_VERDICT, WORDS_OF_PASSED, DeliveryStep
from calmo_pagerduty.webhooks.lifecycle import WebhookConflict, redact_webhook_ids, webhook_url
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.synthetic_incidents import SYNTHETIC_PREFIX, synthetic_event
from ingress.webhook_receiver.webhook_directory import WebhookDirectory
from ingress.webhooks.stopped_deliveries import why_no_issue, why_not_forwarded
from ingress.webhooks.subscriber import Subscriber
from ingress.webhooks.tls_probe import HostPort, NotDeliverable, check_reachable, check_tls

logger = logging.getLogger(__name__)

#: Limit for all steps together. The cleaning has CLEANUP_SECONDS more.
TEST_SECONDS = 30.0
CLEANUP_SECONDS = 5.0
POLL_SECONDS = 0.05
SETTLE_SECONDS = 1.0

_ELSEWHERE = "another database may be in use behind the public address"


@dataclass(frozen=True, slots=True)
class WebhookTestStep:
    """The result of a step. If `ok` is None, the step was left out, and `words` say why."""

    name: DeliveryStep
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
    task_queues: TaskQueues
    public_address: str
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context
    #: Limit for a single step, in seconds.
    step_seconds: float = 8.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """A step to take. If it does not happen in time, `why_late` says why; without it `advice` must do."""

    name: DeliveryStep
    work: Callable[[], Awaitable[str]]
    why_late: Callable[[], Awaitable[NotDeliverable]] | None = None
    advice: str = ""


@dataclass
class WebhookEndToEndTest:
    """A single test. `steps` yields each step's result. After a failed step only the cleaning follows."""

    deps: WebhookTestDeps
    webhook: ManagedWebhook
    failed: bool = False
    _sent: bool = False
    #: The first delivery's body, and what the receiver decided on it.
    _triggered: bytes = b""
    _verdict: Verdict = Verdict.ACCEPTED
    #: True once all test deliveries are applied.
    _settled: bool = False
    _cleanup_task: "asyncio.Task[WebhookTestStep] | None" = None
    _trigger_id: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _resolve_id: str = field(default_factory=lambda: f"calmo-test-{secrets.token_hex(16)}")
    _incident_id: str = field(default_factory=lambda: SYNTHETIC_PREFIX + secrets.token_hex(8).upper())

    async def steps(self) -> AsyncGenerator[WebhookTestStep, None]:
        ends_at = time.monotonic() + TEST_SECONDS
        try:
            for plan in self._plan():
                yield await self._step(plan, ends_at)
                if self.failed:
                    break
        finally:
            # The cleaning must also run if the client disconnects in the middle.
            self._cleanup_task = asyncio.create_task(self._clean_up())
            cleanup = await asyncio.shield(self._cleanup_task)
        yield cleanup
        if not self.failed:
            advice = "check the webhook's page in PagerDuty"
            yield await self._step(_Plan(DeliveryStep.PING, self._ping, advice=advice), ends_at)

    def _plan(self) -> Sequence[_Plan]:
        async def forwarding() -> NotDeliverable:
            return await why_not_forwarded(self.deps.database, self.deps.temporal, self.deps.task_queues)

        async def issue() -> NotDeliverable:
            return await why_no_issue(self.deps.task_queues)

        return (
            _Plan(DeliveryStep.ADDRESS, self._check_reachable),
            _Plan(DeliveryStep.TLS, self._check_tls),
            _Plan(DeliveryStep.DELIVERY, self._send_triggered),
            _Plan(DeliveryStep.SIGNATURE, lambda: self._passed(DeliveryStep.SIGNATURE)),
            _Plan(DeliveryStep.PARSING, lambda: self._passed(DeliveryStep.PARSING)),
            _Plan(DeliveryStep.INBOX, self._inbox, advice=_ELSEWHERE),
            _Plan(DeliveryStep.DUPLICATE, self._send_again, advice=_ELSEWHERE),
            _Plan(DeliveryStep.FORWARDING, self._forwarded, forwarding),
            _Plan(DeliveryStep.WORKFLOW, self._workflow),
            _Plan(DeliveryStep.ISSUE, lambda: self._issue(IncidentStatus.TRIGGERED), issue),
            _Plan(DeliveryStep.RESOLUTION, self._resolve, issue),
        )

    async def _step(self, plan: _Plan, ends_at: float) -> WebhookTestStep:
        started_at = time.monotonic()
        seconds = max(0.0, min(self.deps.step_seconds, ends_at - started_at))
        advice: str | None = None
        try:
            async with asyncio.timeout(seconds):
                words = await plan.work()
        except NotDeliverable as error:
            words, advice, self.failed = str(error), error.advice, True
        except PagerDutyError as error:
            words, self.failed = redact_webhook_ids(str(error)), True
        except HTTPError as error:
            words, self.failed = type(error).__name__, True
        except TimeoutError:
            reason = await plan.why_late() if plan.why_late else NotDeliverable("nothing came", plan.advice)
            words, advice, self.failed = f"{reason}, after {seconds:.0f} s", reason.advice, True
        ok = False if self.failed else (None if words.startswith("left out") else True)
        return WebhookTestStep(plan.name, ok, _elapsed_milliseconds(started_at), words, advice or None)

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

    async def _send_triggered(self) -> str:
        self._triggered = synthetic_event(
            EventType.TRIGGERED, self._trigger_id, self._incident_id, datetime.now(UTC)
        )
        self._verdict = await self._deliver(self._triggered, self._trigger_id)
        return await self._passed(DeliveryStep.DELIVERY)

    async def _passed(self, step: DeliveryStep) -> str:
        """Return the step's words. Raises NotDeliverable if the delivery stopped here, by its verdict."""
        fault = FAULT_OF_VERDICT.get(self._verdict)
        if fault is not None and fault.step is step:
            raise NotDeliverable(f"{fault.words} ({self._verdict})", fault.advice)
        return WORDS_OF_PASSED.get(step, "done")

    async def _send_again(self) -> str:
        """Send the same delivery once more, as PagerDuty does if an answer is lost. Raises NotDeliverable."""
        verdict = await self._deliver(self._triggered, self._trigger_id)
        if verdict is Verdict.ACCEPTED:
            # A door with a journal answers before it is known.
            await self._poll_until(
                lambda t: webhook_evidence.is_delivery_repeated(t, self.webhook.id, self._trigger_id)
            )
        elif verdict is not Verdict.DUPLICATE:
            raise NotDeliverable(
                f"the same delivery, sent again, was answered {verdict}",
                _ELSEWHERE,
            )
        return "the same delivery, sent again, was recognised and not kept twice"

    async def _deliver(self, body: bytes, event_id: str) -> Verdict:
        """Send a signed delivery to the public address. Raises NotDeliverable, HTTPError."""
        now = datetime.now(UTC)
        webhook = await self.deps.database.read(
            lambda t: webhooks.get_webhook(t, self.deps.keyring, self.webhook.id, now)
        )
        if webhook is None or not webhook.secrets:
            raise NotDeliverable("the webhook has no signing secret", "set it first")
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
        return _verdict_of(answer)

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
        await self._passed(DeliveryStep.INBOX)
        await self._poll_until(lambda t: self._state_of(t, self._trigger_id) is not None)
        return "the delivery is in the inbox"

    async def _forwarded(self) -> str:
        sent = (DeliveryState.FORWARDED, DeliveryState.APPLIED)
        await self._poll_until(lambda t: self._state_of(t, self._trigger_id) in sent)
        return "the forwarder sent the event to Temporal"

    async def _workflow(self) -> str:
        """Ask Temporal for the incident's workflow. Raises NotDeliverable."""
        try:
            found = await self.deps.temporal.client.get_workflow_handle(self._ref.workflow_id).describe()
        except (RPCError, TemporalUnavailable) as error:
            raise NotDeliverable(
                "Temporal does not show the incident's workflow"
                + (f" ({error.status.name})" if isinstance(error, RPCError) else ""),
                "check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE: the forwarder's must be these",
            ) from None
        status = "is there" if found.status is None else f"is {found.status.name.lower()}"
        return f"the incident's workflow {status} in Temporal and was signalled"

    async def _issue(self, status: IncidentStatus) -> str:
        def has_status(transaction: Transaction) -> bool:
            issue = issue_queries.get_issue(transaction, EVERYTHING, self._ref.issue_id)
            return issue is not None and issue.status is status

        await self._poll_until(has_status)
        return f"the test issue exists and is {status}"

    async def _resolve(self) -> str:
        body = synthetic_event(EventType.RESOLVED, self._resolve_id, self._incident_id, datetime.now(UTC))
        verdict = await self._deliver(body, self._resolve_id)
        if fault := FAULT_OF_VERDICT.get(verdict):
            raise NotDeliverable(f"{fault.words} ({verdict})", fault.advice)
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
            return WebhookTestStep(DeliveryStep.CLEANING, None, 0, "left out: nothing was sent")
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
                DeliveryStep.CLEANING,
                False,
                _elapsed_milliseconds(started_at),
                "not all data of the test could be removed",
                "the webhook sweeper will try again",
            )
        return WebhookTestStep(
            DeliveryStep.CLEANING,
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


def _verdict_of(answer: Response) -> Verdict:
    """Return what our receiver decided. Raises NotDeliverable if anything else answered."""
    if 300 <= answer.status_code < 400:
        raise NotDeliverable(
            "the address redirects",
            "PagerDuty follows no redirects: set CALMO_PUBLIC_URL to the final address",
        )
    try:
        return Verdict(answer.json()["verdict"])
    except (ValueError, LookupError, TypeError):
        raise NotDeliverable(
            f"something else answers at this address ({answer.status_code})",
            "CALMO_PUBLIC_URL or a proxy in front of the ingress leads to another service",
        ) from None


def _elapsed_milliseconds(started_at: float) -> int:
    return round((time.monotonic() - started_at) * 1000)
