"""API models of deliveries, refusals and replays."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.queries import DeliveryFilter, LoggedDelivery, Refusal
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from ingress.api.models import Cursor, Instant, Model, Word

Seq = Annotated[int, Field(ge=1, le=2**62)]
Remark = Literal["ping", "unknown_type", "best_effort", "stale"]


class EffectModel(Model):
    """What the delivery did to the issue. `moved` is true if it changed the issue's state."""

    issue_id: str
    action: str
    moved: bool


class DeliveryModel(Model):
    """A delivery: the receiver's verdict, and the state of its forwarding. Times are UTC.

    `webhook` is the webhook's handle, because the whole id is secret. `latency_ms` is the time from receipt
    until the event was on the timeline.
    """

    seq: int
    webhook: str
    connection_id: str
    scope: str
    delivery_id: str | None
    event_id: str | None
    event_type: str | None
    incident_id: str | None
    occurred_at: datetime | None
    received_at: datetime
    forwarded_at: datetime | None
    applied_at: datetime | None
    latency_ms: float | None
    body_bytes: int
    body_sha256: str
    secret_version: int
    verdict: Verdict
    state: DeliveryState
    remarks: list[str]
    reason: str | None
    duplicates: int
    attempts: int
    replays: int
    effect: EffectModel | None


class DeliveryWithBody(DeliveryModel):
    """`body` is JSON text with secrets masked. If it is null, `body_missing` says why."""

    body: str | None
    body_missing: str | None


class DeliveryPageModel(Model):
    deliveries: list[DeliveryModel]
    next_cursor: str | None


class RefusalModel(Model):
    """A refusal: a delivery that was not authenticated. Its body is not stored."""

    id: int
    webhook: str
    at: datetime
    verdict: Verdict
    reason: str
    status: int
    body_bytes: int
    body_sha256: str


class RefusalPageModel(Model):
    refusals: list[RefusalModel]
    next_cursor: str | None


class _DeliveryFilterQuery(Model):
    """Filters of deliveries. A repeated parameter means any of its values. `until` is exclusive."""

    webhook: Annotated[list[Word], Field(default_factory=list)]
    verdict: Annotated[list[Verdict], Field(default_factory=list)]
    state: Annotated[list[DeliveryState], Field(default_factory=list)]
    event_type: Annotated[list[Word], Field(default_factory=list)]
    incident: Annotated[list[Word], Field(default_factory=list)]
    remark: Annotated[list[Remark], Field(default_factory=list)]
    since: Instant | None = None
    until: Instant | None = None

    def filter(self) -> DeliveryFilter:
        return DeliveryFilter(
            webhooks=tuple(self.webhook),
            verdicts=tuple(self.verdict),
            states=tuple(self.state),
            event_types=tuple(self.event_type),
            incidents=tuple(self.incident),
            remarks=tuple(self.remark),
            since=self.since,
            until=self.until,
        )


class DeliveryExportQuery(_DeliveryFilterQuery):
    """Filters of the export."""


class DeliveryListQuery(_DeliveryFilterQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor = None


class RefusalListQuery(Model):
    webhook: Annotated[list[Word], Field(default_factory=list)]
    verdict: Annotated[list[Verdict], Field(default_factory=list)]
    since: Instant | None = None
    until: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Cursor = None

    def filter(self) -> DeliveryFilter:
        return DeliveryFilter(
            webhooks=tuple(self.webhook), verdicts=tuple(self.verdict), since=self.since, until=self.until
        )


class ReplayBody(_DeliveryFilterQuery):
    """The deliveries to replay: by number, or by filters. An empty body replays nothing."""

    seqs: Annotated[list[Seq], Field(default_factory=list, max_length=1000)]
    #: Replay only deliveries with a higher number than this.
    after: Annotated[int, Field(ge=0, le=2**62)] = 0

    def filter(self) -> DeliveryFilter:
        base = super().filter()
        return DeliveryFilter(
            **{name: getattr(base, name) for name in DeliveryFilter.__slots__ if name != "seqs"},
            seqs=tuple(self.seqs),
        )


class ReplayModel(Model):
    """The number of replayed deliveries. `left` counts the others by the reason why they were not replayed.

    If `more` is true, the request reached its limit: ask again with `after` set to `last_seq`.
    """

    replayed: int
    left: dict[str, int]
    last_seq: int | None
    more: bool


def delivery_model(delivery: LoggedDelivery) -> DeliveryModel:
    return DeliveryModel.from_row(delivery, webhook=webhook_handle(delivery.webhook_id))


def delivery_with_body(delivery: LoggedDelivery, body: str | None, missing: str | None) -> DeliveryWithBody:
    return DeliveryWithBody.from_row(
        delivery, webhook=webhook_handle(delivery.webhook_id), body=body, body_missing=missing
    )


def refusal_model(refusal: Refusal) -> RefusalModel:
    return RefusalModel.from_row(refusal, webhook=webhook_handle(refusal.webhook_id))
