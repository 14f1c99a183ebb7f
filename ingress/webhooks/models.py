"""API models of webhooks. They never show a secret, and show the whole address only after creation."""

import base64
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from calmo_pagerduty.tools.fields import Id
from calmo_pagerduty.webhooks.event_filters import EVENTS, EventFilter, EventSet
from calmo_pagerduty.webhooks.findings import Level
from calmo_pagerduty.webhooks.lifecycle import WebhookState, masked_url, webhook_url
from calmo_pagerduty.webhooks.management_store import ManagedWebhook
from calmo_pagerduty.webhooks.public_address import unreachable_reason
from calmo_pagerduty.webhooks.setup_steps import setup_steps
from calmo_pagerduty.webhooks.validation import ValidationOutcome, ValidationResult
from ingress.api.models import Model

Name = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f]*$")]
#: Longer than any secret, because users may paste PagerDuty's whole answer.
PastedText = Annotated[SecretStr, Field(max_length=10_000)]
Ids = Annotated[tuple[Id, ...], Field(max_length=100)]


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("this is not base64") from None
    return text


class WebhookBody(Model):
    """A new webhook. With `connection` and `subscribe`, PagerDuty's subscription is made as well."""

    scope: str
    name: Name = ""
    connection: Annotated[str, Field(max_length=60)] | None = None
    event_set: EventSet = EventSet.ADVANCED
    service_ids: Ids = ()
    team_ids: Ids = ()
    secret: PastedText | None = None
    subscribe: bool = False

    def only(self) -> EventFilter:
        """Return the filter. Raises InvalidFilter."""
        return EventFilter(self.service_ids, self.team_ids).validated()


class SecretBody(Model):
    """PagerDuty's signing secret. Earlier secrets stay valid for 72 h, or forever with `keep_others`."""

    secret: PastedText
    keep_others: bool = False


class SampleBody(Model):
    """A captured delivery: body and signature header. Without a body, the stored deliveries are checked."""

    body: Annotated[str, Field(max_length=200_000)] | None = None
    body_base64: Annotated[str, Field(max_length=250_000), AfterValidator(_base64)] | None = None
    signature: Annotated[str, Field(max_length=4000)] | None = None


class SecretModel(Model):
    """When a secret was set, and until when it is valid (null: without limit). Times are UTC."""

    version: int
    created_at: datetime
    expires_at: datetime | None


class WebhookModel(Model):
    """A webhook. Only the answer to its creation has the whole `id` and `url`; later they are masked."""

    id: str
    url: str
    name: str
    scope: str
    connection_id: str
    state: WebhookState
    event_set: EventSet
    events: list[str]
    service_ids: list[str]
    team_ids: list[str]
    #: True if we made PagerDuty's subscriptions, and so rotate and delete them.
    managed: bool
    subscription_ids: list[str]
    has_secret: bool
    secrets: list[SecretModel]
    created_at: datetime
    armed_at: datetime | None
    paused_at: datetime | None
    disabled_at: datetime | None
    findings: list[Any]
    examined_at: datetime | None
    #: Texts that say what prevents deliveries.
    warnings: list[str]
    #: Texts that say what is left to do on PagerDuty's web page.
    steps: list[str]
    #: Remarks about the secret that was just set.
    notes: list[str]


class WebhookListModel(Model):
    webhooks: list[WebhookModel]


class ValidationModel(Model):
    """The validation of a webhook. `proven` is true if a delivery was verified with the current secret."""

    proven: bool
    finding: ValidationOutcome
    words: str
    at: datetime | None
    state: WebhookState
    #: What the doctor alarms about: a verified delivery proves the secret, not that all events come.
    alarms: list[str]


class WebhookTestStepModel(Model):
    """A step of a test. If `ok` is null, the step was left out, and `words` say why."""

    name: str
    ok: bool | None
    milliseconds: int
    words: str
    #: What to do, if the step failed.
    advice: str | None


class EndpointTestModel(Model):
    """The result of an end-to-end test of a webhook."""

    ok: bool
    steps: list[WebhookTestStepModel]


def webhook_model(
    webhook: ManagedWebhook,
    public_address: str,
    whole: bool = False,
    with_steps: bool = False,
    notes: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> WebhookModel:
    """Return the model. Only the answer to the creation passes `whole`, which shows the whole address."""
    show_url = webhook_url if whole else masked_url
    url = show_url(public_address, webhook.id)
    by_hand = with_steps and not webhook.managed and webhook.deleted_at is None and webhook.armed_at is None
    unreachable = unreachable_reason(public_address)
    return WebhookModel.from_row(
        webhook,
        id=webhook.id if whole else webhook.handle,
        url=url,
        scope=str(webhook.scope),
        events=[str(event) for event in EVENTS[webhook.event_set]],
        service_ids=webhook.only.service_ids,
        team_ids=webhook.only.team_ids,
        has_secret=bool(webhook.secrets),
        warnings=[*warnings, *([unreachable] if unreachable else [])],
        steps=setup_steps(url, webhook.handle, webhook.event_set, webhook.only, bool(webhook.secrets))
        if by_hand
        else [],
        notes=notes,
    )


def validation_model(finding: ValidationResult, webhook: ManagedWebhook) -> ValidationModel:
    return ValidationModel(
        proven=finding.proof is ValidationOutcome.PROVEN,
        finding=finding.proof,
        words=finding.text,
        at=finding.at,
        state=webhook.state,
        alarms=[f"{f['words']}: {f['advice']}" for f in webhook.findings if f["level"] == Level.ALARM],
    )
