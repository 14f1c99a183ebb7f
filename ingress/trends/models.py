"""Models of the endpoints of trends and capacity. Times are ISO 8601 in UTC."""

from pydantic import Field

from ingress.escalation.models import Moment, PagerDutyId, SnapshotQuery


class CapacityQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now.")


class TrendsQuery(CapacityQuery):
    service: PagerDutyId | None = Field(None, description="Only this service.")


class TrendPlotQuery(CapacityQuery):
    service: PagerDutyId = Field(description="The service's id at PagerDuty.")
    plot: int = Field(0, ge=0, le=5, description="Which of its plots: 0 is incidents per week.")
