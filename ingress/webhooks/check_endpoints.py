"""REST endpoints that check a webhook: its validation, and its end-to-end test."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.permissions import WEBHOOKS_WRITE
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence, store as webhooks
from calmo_pagerduty.webhooks.lifecycle import WebhookConflict, WebhookTransition, apply_transition
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.signature_diagnosis import diagnose
from calmo_pagerduty.webhooks.validation import ValidationResult, validate_setup
from ingress.api.endpoints import Endpoint, EndpointRow, Json
from ingress.api.models import NoBody
from ingress.webhooks.end_to_end_check import WebhookEndToEndTest, WebhookTestDeps, WebhookTestStep
from ingress.webhooks.lookup import CONFLICT, NOT_FOUND, insert_audit, read_webhook
from ingress.webhooks.models import (
    EndpointTestModel,
    SampleBody,
    ValidationModel,
    WebhookTestStepModel,
    validation_model,
)


class WebhookTestEndpoints:
    """Endpoints that check a webhook. Errors: `ingress.webhooks.errors`."""

    def __init__(self, deps: WebhookTestDeps) -> None:
        self._deps = deps
        #: Ids of the webhooks that this process tests now.
        self._running: set[str] = set()

    def endpoints(self) -> list[EndpointRow]:
        return [
            Endpoint(
                "POST",
                "/api/webhooks/{id}/validation",
                "Check whether deliveries verify, and why not",
                Json(ValidationModel),
                permission=WEBHOOKS_WRITE,
                takes=SampleBody,
                handler=self.validate,
                statuses=(NOT_FOUND, CONFLICT),
            ),
            Endpoint(
                "POST",
                "/api/webhooks/{id}/test",
                "Test a webhook end to end with a synthetic incident",
                Json(EndpointTestModel),
                permission=WEBHOOKS_WRITE,
                takes=NoBody,
                handler=self.test,
                statuses=(NOT_FOUND, CONFLICT),
            ),
        ]

    async def validate(self, request: Request, principal: Principal, body: SampleBody) -> ValidationModel:
        """POST /api/webhooks/{id}/validation"""
        webhook = await read_webhook(self._deps.database, request, principal)
        if body.body is None and body.body_base64 is None:
            finding = await self._deps.database.read(lambda t: _validate(t, webhook), principal.visibility)
        else:
            finding = await self._diagnose_sample(webhook, body)
        return validation_model(finding, webhook)

    async def _diagnose_sample(self, webhook: ManagedWebhook, sample: SampleBody) -> ValidationResult:
        raw = base64.b64decode(sample.body_base64 or "")
        if sample.body is not None:
            raw = sample.body.encode("utf-8", "surrogatepass")
        now = datetime.now(UTC)
        stored = await self._deps.database.read(
            lambda t: webhooks.get_webhook(t, self._deps.keyring, webhook.id, now)
        )
        header = sample.signature.encode("utf-8", "surrogatepass") if sample.signature is not None else None
        return diagnose(raw, header, stored.secrets if stored else ())

    async def test(
        self, request: Request, principal: Principal, _body: NoBody
    ) -> EndpointTestModel | Response:
        """POST /api/webhooks/{id}/test, as text/event-stream if the client accepts it.

        Raises ResourceNotFound, WebhookConflict.
        """
        webhook = await read_webhook(self._deps.database, request, principal)
        apply_transition(webhook.flags, WebhookTransition.TESTED)
        if webhook.id in self._running:
            raise WebhookConflict("a test of this webhook is already running")
        await self._deps.database.write(
            lambda t: insert_audit(t, principal, webhook, "tested"), seen_by=principal.visibility
        )
        steps = self._steps(webhook)
        if "text/event-stream" in request.headers.get("accept", ""):
            return EventSourceResponse(_event_stream(steps), shutdown_event=None)
        results = [step async for step in steps]
        return EndpointTestModel(
            ok=all(step.ok is not False for step in results),
            steps=[WebhookTestStepModel.from_row(step) for step in results],
        )

    async def _steps(self, webhook: ManagedWebhook) -> AsyncGenerator[WebhookTestStep, None]:
        self._running.add(webhook.id)
        try:
            async with aclosing(WebhookEndToEndTest(self._deps, webhook).steps()) as steps:
                async for step in steps:
                    yield step
        finally:
            self._running.discard(webhook.id)


def _validate(transaction: Transaction, webhook: ManagedWebhook) -> ValidationResult:
    """Report how deliveries were verified since the newest live secret was set."""
    current = webhook.live_secrets or webhook.secrets
    if not current:
        return validate_setup(
            False, webhook_evidence.get_evidence(transaction, webhook.id, (), webhook.created_at)
        )
    since = max(secret.created_at for secret in current)
    versions = [secret.version for secret in current]
    return validate_setup(True, webhook_evidence.get_evidence(transaction, webhook.id, versions, since))


async def _event_stream(results: AsyncGenerator[WebhookTestStep, None]) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async with aclosing(results) as steps:
        async for step in steps:
            number += 1
            data = WebhookTestStepModel.from_row(step).model_dump_json()
            yield ServerSentEvent(data=data, event="step", id=str(number))
