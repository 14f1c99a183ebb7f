"""Models of the escalation endpoints. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from calmo_pagerduty.snapshots.model import Urgency
from ingress.api.models import Model, Word

Json = dict[str, Any]
PagerDutyId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
#: A moment with its offset. Conversions between zones fail at the ends of the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
AS_OF = Field(None, description="Take the newest snapshot of this time or before. Default: the newest.")


class SnapshotQuery(Model):
    as_of: Moment | None = AS_OF


class SimulationQuery(SnapshotQuery):
    service: str = Field(
        min_length=1, max_length=255, description="The service's id at PagerDuty, or its name."
    )
    at: Moment | None = Field(None, description="When the incident begins. Default: now.")
    urgency: Urgency | None = Field(None, description="Default: as the service's own rule says.")
    lanes: bool = Field(False, description="With the lanes of the plot.")


class LintQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    days: int = Field(30, ge=1, le=90)
    format: Literal["json", "md", "csv", "html"] = "json"
    ladders: bool = Field(False, description="With the metrics: a ladder of every policy.")


class ResponseQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    policy: PagerDutyId | None = Field(None, description="Only this escalation policy.")


class LadderQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    policy: PagerDutyId = Field(description="The escalation policy's id at PagerDuty.")


class SimulationModel(Model):
    """Whom PagerDuty would page, on what, after how long, if nobody acknowledges."""

    service: Json
    policy: Json | None
    snapshot_id: str
    snapshot_taken_at: str
    at: str
    urgency: Urgency
    #: exhausted, stays, dropped, disabled, maintenance, no_policy or unknown.
    outcome: str
    outcome_words: str
    ended_at: str | None
    ended_after_minutes: float | None
    assignments: list[Json]
    pages: list[Json]
    #: Who is assigned and not paged by a rule, and why.
    unpaged: list[Json]
    skipped_levels: list[Json]
    #: What the simulation can't know.
    notes: list[Word]
    #: The plot: window, time zone and lanes.
    lanes: Json | None = None


class AnalysisModel(Model):
    """The result of an analysis of one snapshot. `now` and `window` are epoch seconds (UTC)."""

    analysis: str
    version: int
    snapshot_id: str
    now: int
    window: tuple[int, int]
    time_zone: str
    inputs: Json
    metrics: Json
    findings: list[Json]
