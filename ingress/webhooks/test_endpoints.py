"""Whether a webhook works: the validation wizard, and the test of the whole way."""

import base64
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from calmo_pagerduty.access.store import Caller
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.webhooks import evidence_store as webhook_evidence
from calmo_pagerduty.webhooks import store as webhooks
from calmo_pagerduty.webhooks.lifecycle import Happening, NotPossible, happen
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.signature_diagnosis import diagnose
from calmo_pagerduty.webhooks.validation import Finding, judge_arrivals
from ingress.api.authentication import WEBHOOKS_WRITE
from ingress.api.endpoints import Endpoint, Json, Row
from ingress.api.models import NoBody
from ingress.webhooks.end_to_end_test import Means, Step, Walk
from ingress.webhooks.lookup import CONFLICT, NOT_FOUND, find_webhook, note_in_audit
from ingress.webhooks.models import (
    EndpointTestModel,
    SampleBody,
    StepModel,
    ValidationModel,
    validation_model,
)


class WebhookTestEndpoints:
    """Each sees no more than its caller may."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._under_way: set[str] = set()

    def endpoints(self) -> list[Row]:
        return [
            Endpoint(
                "POST", "/api/webhooks/{id}/validation", "Whether deliveries verify, and if not, why",
                Json(ValidationModel), permission=WEBHOOKS_WRITE, takes=SampleBody, handler=self.validate,
                statuses=(NOT_FOUND, CONFLICT),
            ),
            Endpoint(
                "POST", "/api/webhooks/{id}/test",
                "Walk its whole way with a test delivery; live as text/event-stream", Json(EndpointTestModel),
                permission=WEBHOOKS_WRITE, takes=NoBody, handler=self.test, statuses=(NOT_FOUND, CONFLICT),
            ),
        ]  # fmt: skip

    async def validate(self, request: Request, caller: Caller, body: SampleBody) -> ValidationModel:
        """POST /api/webhooks/{id}/validation"""
        webhook = await find_webhook(self._means.database, request, caller)
        if body.body is None and body.body_base64 is None:
            finding = await self._means.database.read(lambda t: _arrived(t, webhook))
        else:
            finding = await self._sampled(webhook, body)
        return validation_model(finding, webhook)

    async def _sampled(self, webhook: ManagedWebhook, sample: SampleBody) -> Finding:
        raw = base64.b64decode(sample.body_base64 or "")
        if sample.body is not None:
            raw = sample.body.encode("utf-8", "surrogatepass")
        now = datetime.now(UTC)
        found = await self._means.database.read(
            lambda t: webhooks.find(t, self._means.keyring, webhook.id, now)
        )
        header = sample.signature.encode("utf-8", "surrogatepass") if sample.signature is not None else None
        return diagnose(raw, header, found.secrets if found else ())

    async def test(self, request: Request, caller: Caller, _body: NoBody) -> EndpointTestModel | Response:
        """POST /api/webhooks/{id}/test. Raises NotFound, NotPossible."""
        webhook = await find_webhook(self._means.database, request, caller)
        happen(webhook.facts, Happening.TESTED)
        if webhook.id in self._under_way:
            raise NotPossible("a test of this webhook is under way")
        await self._means.database.write(lambda t: note_in_audit(t, caller, webhook, "tested"))
        steps = self._steps(webhook)
        if "text/event-stream" in request.headers.get("accept", ""):
            return EventSourceResponse(_stream(steps), shutdown_event=None)
        done = [step async for step in steps]
        return EndpointTestModel(
            ok=all(step.ok is not False for step in done),
            steps=[StepModel.from_row(step) for step in done],
        )

    async def _steps(self, webhook: ManagedWebhook) -> AsyncGenerator[Step, None]:
        self._under_way.add(webhook.id)
        try:
            async with aclosing(Walk(self._means, webhook).steps()) as steps:
                async for step in steps:
                    yield step
        finally:
            self._under_way.discard(webhook.id)


def _arrived(transaction: Transaction, webhook: ManagedWebhook) -> Finding:
    """Say what became of deliveries since the secret that counts was set."""
    current = webhook.current or webhook.secrets
    if not current:
        return judge_arrivals(
            False, webhook_evidence.arrivals(transaction, webhook.id, (), webhook.created_at)
        )
    since = max(secret.created_at for secret in current)
    versions = [secret.version for secret in current]
    return judge_arrivals(True, webhook_evidence.arrivals(transaction, webhook.id, versions, since))


async def _stream(walked: AsyncGenerator[Step, None]) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async with aclosing(walked) as steps:
        async for step in steps:
            number += 1
            data = StepModel.from_row(step).model_dump_json()
            yield ServerSentEvent(data=data, event="step", id=str(number))
