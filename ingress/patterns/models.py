"""Models of the endpoints of patterns. Times are ISO 8601 in UTC."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from ingress.api.models import Model
from ingress.escalation.models import Json, Moment, SnapshotQuery

PatternPart = Literal[
    "auto_pause", "flapping", "noise", "alert_grouping", "recurring", "misrouting", "escalations"
]


class PatternsQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    part: PatternPart | None = Field(None, description="Only this part. Default: all.")


class StoriesQuery(Model):
    now: Moment | None = Field(None, description="The end of the time that is told. Default: now.")
    hours: int = Field(24, ge=1, le=2_160, description="So many hours are told.")


class StoriesModel(Model):
    """Incidents of several teams or accounts that belong together, the newest story first."""

    since: datetime
    until: datetime
    #: Names of the accounts that were looked at, and of those without a snapshot.
    accounts: list[str]
    unread: list[str]
    stories: list[Json]


class PatternsPlotQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    plot: Literal["avoided", "noise"] = "avoided"
