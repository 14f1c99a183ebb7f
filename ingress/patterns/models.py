"""Models of the endpoints of patterns. Times are ISO 8601 in UTC."""

from typing import Literal

from pydantic import Field

from ingress.escalation.models import Moment, SnapshotQuery

PatternPart = Literal[
    "auto_pause", "flapping", "noise", "alert_grouping", "recurring", "misrouting", "escalations"
]


class PatternsQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    part: PatternPart | None = Field(None, description="Only this part. Default: all.")


class PatternsPlotQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    plot: Literal["avoided", "noise"] = "avoided"
