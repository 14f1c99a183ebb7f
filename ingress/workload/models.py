"""Models of the workload endpoints. Times are ISO 8601 in UTC, hours are decimal hours."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from calmo_pagerduty.workload.cover_requests import CoverState
from calmo_pagerduty.workload.rules import MAX_TEXT_BYTES
from ingress.api.models import Model

Json = dict[str, Any]
PagerDutyId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
#: A moment with its offset. Conversions between zones fail at the ends of the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
DocumentFormat = Literal["md", "html", "csv"]
MAX_PAY_DAYS = 200
MAX_PAST_DAYS = 35


class SnapshotQuery(Model):
    as_of: Moment | None = Field(
        None, description="Take the newest snapshot of this time or before. Default: the newest."
    )
    now: Moment | None = Field(None, description="The time of the report. Default: now.")


class WindowQuery(SnapshotQuery):
    """`days` stands for the past and the time ahead at once, as in the coverage endpoints."""

    days: int | None = Field(
        None, ge=1, le=MAX_PAST_DAYS, description="For past_days and forward_days where they are not given."
    )
    past_days: int = Field(28, ge=1, le=MAX_PAST_DAYS)
    forward_days: int = Field(84, ge=1, le=92)

    @property
    def past(self) -> int:
        return self._days("past_days", self.past_days)

    @property
    def forward(self) -> int:
        return self._days("forward_days", self.forward_days)

    def _days(self, name: str, value: int) -> int:
        return self.days if self.days is not None and name not in self.model_fields_set else value


class WorkloadQuery(WindowQuery):
    earlier: int = Field(
        0, ge=0, le=6, description="How many earlier snapshots, four weeks apart, carry debts over."
    )


class WorkloadDocumentQuery(WorkloadQuery):
    format: DocumentFormat = "md"
    period: Literal["past", "forward"] = Field("past", description="Whose people CSV has.")


class PlotQuery(WindowQuery):
    kind: Literal["hours", "shares", "pages", "sleep_pages"] = "hours"
    period: Literal["past", "forward"] = Field("forward", description="For hours.")
    schedule: PagerDutyId | None = Field(None, description="For shares and pages.")

    @model_validator(mode="after")
    def _check_schedule(self) -> "PlotQuery":
        if self.kind != "hours" and self.schedule is None:
            raise ValueError(f"schedule: {self.kind} are those of a schedule")
        return self


class PeriodQuery(SnapshotQuery):
    since: Moment | None = Field(None, description="Default: four weeks ago; five for working time.")
    until: Moment | None = Field(None, description="Default: now; as far as needed for working time.")
    days: int | None = Field(
        None,
        ge=1,
        le=MAX_PAY_DAYS,
        description="The last days before until or now, instead of since.",
    )

    @model_validator(mode="after")
    def _check_order(self) -> "PeriodQuery":
        if self.days is not None and self.since is not None:
            raise ValueError("days: give either days or since")
        if self.since is not None and self.until is not None:
            if self.until <= self.since:
                raise ValueError("until: it must be after since")
            if (self.until - self.since).days > MAX_PAY_DAYS:
                raise ValueError(f"until: at most {MAX_PAY_DAYS} days after since")
        return self


class PeriodDocumentQuery(PeriodQuery):
    format: DocumentFormat = "md"


class WorkloadModel(Model):
    connection_id: str
    snapshot_id: str
    now: str
    #: Each period: people (whom the reader may see), teams, and schedules with shares and pages.
    past: Json
    forward: Json
    policies: list[Json]
    debt: Json
    #: What is missing or cut short, in words.
    incomplete: list[str]
    definitions: dict[str, str]


class PayModel(Model):
    connection_id: str
    snapshot_id: str
    now: str
    since: str
    until: str
    incomplete: list[str]
    currency: str
    people: list[Json]
    people_hidden: int
    #: Exact, as text; null if somebody is hidden.
    amount: str | None
    indicative: str


class WorkingTimeModel(Model):
    connection_id: str
    snapshot_id: str
    now: str
    since: str
    until: str
    incomplete: list[str]
    template: str
    stand_by_is_work: bool
    people: list[Json]
    people_hidden: int
    indicative: str


class SettingsModel(Model):
    """The draft, and what is in force; null if there is none. `version` counts publications."""

    draft: Json | None
    drafted_by: str | None
    drafted_at: datetime | None
    published: Json | None
    published_by: str | None
    published_at: datetime | None
    version: int


class DraftBody(Model):
    """The document, as JSON or TOML text; null drops the draft."""

    document: str | None = Field(max_length=MAX_TEXT_BYTES)


class CoverQuery(Model):
    schedule: PagerDutyId
    user: PagerDutyId = Field(description="Who is to be relieved.")
    since: Moment
    until: Moment

    @model_validator(mode="after")
    def _check_order(self) -> "CoverQuery":
        if not 0 < (self.until - self.since).total_seconds() <= 31 * 86_400:
            raise ValueError("until: it must be after since, by 31 days at most")
        return self


class CoverSuggestionModel(Model):
    schedule: Json
    person: Json
    spans: list[Json]
    candidates: list[Json]
    excluded: list[Json]
    split: list[Json]
    uncovered: list[Json]
    #: A later shift of a candidate that the person could take in exchange.
    swaps: list[Json]


class CoverRequestModel(Model):
    id: str
    connection_id: str
    schedule_id: str
    person: Json
    reason: str
    evidence: Json
    state: str
    starts_at: str
    ends_at: str
    asked: list[Json]
    candidates: int
    declined: int
    created_at: str
    expires_at: str
    covering: Json | None
    decided_by: str | None
    call_id: str | None
    #: The state of the call that puts the person on call; it may wait for an approval.
    call_state: str | None = None


class CoverRequestListQuery(Model):
    state: CoverState | None = None
    limit: int = Field(50, ge=1, le=200)


class CoverRequestListModel(Model):
    requests: list[CoverRequestModel]


class CoverAnswerBody(Model):
    """`user_id`: for whom it is answered. Default: the key's own person. A manager may answer for others."""

    answer: Literal["accept", "decline", "withdraw"]
    user_id: PagerDutyId | None = None
