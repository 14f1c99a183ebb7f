"""Models of the endpoints of performance. Times are ISO 8601 in UTC."""

from pydantic import Field

from calmo_pagerduty.performance.report import Grouping
from calmo_pagerduty.performance.speed import Milestone
from calmo_pagerduty.snapshots.model import Urgency
from ingress.escalation.models import Moment, PagerDutyId, SnapshotQuery


class PerformanceQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")
    since: Moment | None = Field(None, description="Incidents created from then on. Default: four weeks.")
    until: Moment | None = Field(None, description="Incidents created before. Default: the snapshot's time.")
    by: Grouping = Field(Grouping.SERVICE, description="What incidents are grouped by.")
    urgency: Urgency | None = Field(None, description="Only incidents of this urgency.")
    service: PagerDutyId | None = Field(None, description="Only this service's incidents.")
    team: PagerDutyId | None = Field(None, description="Only this team's incidents.")
    policy: PagerDutyId | None = Field(None, description="Only this escalation policy's incidents.")


class PerformancePlotQuery(PerformanceQuery):
    milestone: Milestone = Field(Milestone.ACKNOWLEDGE, description="Acknowledgement or resolution.")
