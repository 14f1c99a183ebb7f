"""The delivery log as the API shows it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from calmo_pagerduty.deliveries.model import DeliveryState, Verdict
from calmo_pagerduty.deliveries.queries import DeliveryFilter, LoggedDelivery, Refusal
from calmo_pagerduty.webhooks.lifecycle import webhook_handle
from ingress.api.models import Model, Word

Seq = Annotated[int, Field(ge=1, le=2**62)]
Remark = Literal["ping", "unknown_type", "best_effort", "stale"]


class EffectModel(Model):
    """What the delivery did. `moved` tells whether it changed how the issue stands."""

    issue_id: str
    action: str
    moved: bool


class DeliveryModel(Model):
    """One delivery: how it ended at the door, and how it stands on its way to the issue. Times are UTC.

    `webhook` is its handle: the whole id is the key to its address. `latency_ms` is the time from
    receipt until its event was seen on the timeline.
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
    """`body` is JSON text with secrets masked; without it, `body_missing` says why."""

    body: str | None
    body_missing: str | None


class DeliveryPageModel(Model):
    deliveries: list[DeliveryModel]
    next_cursor: str | None


class RefusalModel(Model):
    """A delivery that was not authenticated: its body is not kept."""

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
    """Values of one field are alternatives, given by repetition. `until` itself is not meant any more."""

    webhook: Annotated[list[Word], Field(default_factory=list)]
    verdict: Annotated[list[Verdict], Field(default_factory=list)]
    state: Annotated[list[DeliveryState], Field(default_factory=list)]
    event_type: Annotated[list[Word], Field(default_factory=list)]
    incident: Annotated[list[Word], Field(default_factory=list)]
    remark: Annotated[list[Remark], Field(default_factory=list)]
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

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
    """Which deliveries are exported."""


class DeliveryListQuery(_DeliveryFilterQuery):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = None


class RefusalListQuery(Model):
    webhook: Annotated[list[Word], Field(default_factory=list)]
    verdict: Annotated[list[Verdict], Field(default_factory=list)]
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str | None = None

    def filter(self) -> DeliveryFilter:
        return DeliveryFilter(
            webhooks=tuple(self.webhook), verdicts=tuple(self.verdict), since=self.since, until=self.until
        )


class ReplayBody(_DeliveryFilterQuery):
    """Which deliveries to send again: by number, or all that the filter names. Nothing named is nothing."""

    seqs: Annotated[list[Seq], Field(default_factory=list, max_length=1000)]
    #: Only those with a higher number.
    after: Annotated[int, Field(ge=0, le=2**62)] = 0

    def filter(self) -> DeliveryFilter:
        wanted = super().filter()
        return DeliveryFilter(
            **{name: getattr(wanted, name) for name in DeliveryFilter.__slots__ if name != "seqs"},
            seqs=tuple(self.seqs),
        )


class ReplayModel(Model):
    """How many were put back to wait; `left` tells of the others by what they were left for.

    `more` says that a single request replays no more than these: ask again with `after` as `last_seq`.
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
