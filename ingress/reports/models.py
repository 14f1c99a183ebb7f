"""Models of the endpoints of reports. Times are ISO 8601 in UTC."""

from pydantic import Field

from calmo_pagerduty.performance.report import Grouping
from calmo_pagerduty.reports.model import ReportKind
from calmo_pagerduty.reports.rendering import ReportFormat
from calmo_pagerduty.snapshots.model import Urgency
from ingress.api.models import Model, Word
from ingress.escalation.models import Moment, PagerDutyId


class ReportQuery(Model):
    since: Moment | None = Field(None, description="Default: as many days as the kind has.")
    until: Moment | None = Field(None, description="Default: the newest snapshot's time.")
    days: int | None = Field(None, ge=1, le=366, description="Instead of since: so many days before until.")
    by: Grouping | None = Field(None, description="What incidents are grouped by. Default: the kind's own.")
    urgency: Urgency | None = Field(None, description="Only incidents of this urgency.")
    service: PagerDutyId | None = Field(None, description="Only this service's incidents.")
    team: PagerDutyId | None = Field(None, description="Only this team's incidents.")
    policy: PagerDutyId | None = Field(None, description="Only this escalation policy's incidents.")


class ReportDocumentQuery(ReportQuery):
    kind: ReportKind = Field(ReportKind.WEEKLY_OPERATIONS, description="Which report.")
    kept: Word | None = Field(None, description="The id of a kept report: it is shown as it was made.")
    format: ReportFormat = Field(ReportFormat.JSON, description="A PDF is printed by the browser, from html.")
    table: int = Field(0, ge=0, le=50, description="csv: which of the tables, counted from 0.")
