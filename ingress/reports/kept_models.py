"""Models of the endpoints of kept reports: their schedules, address and deliveries. Times are UTC."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from calmo_pagerduty.reports.model import ReportKind
from ingress.api.models import Model
from ingress.findings.digest_endpoints import DigestTimeModel


class KeptReportModel(Model):
    id: str
    kind: str
    since: datetime
    until: datetime
    made_at: datetime
    author: str


class KeptReportsModel(Model):
    """The newest hundred, the newest first."""

    reports: list[KeptReportModel]


class ReportDeliveryModel(Model):
    """An attempt. `status` is the receiver's HTTP status; null if there was no answer."""

    report: str
    attempt: int
    at: datetime
    #: delivered, retry or failed.
    outcome: str
    status: int | None
    reason: str


class ReportDeliveriesModel(Model):
    """The newest two hundred attempts, the newest first."""

    deliveries: list[ReportDeliveryModel]


class ReportAddressModel(Model):
    """Where reports are sent. `url` is null if they are sent nowhere."""

    url: str | None
    set_by: str | None
    set_at: datetime | None


class ReportAddressBody(Model):
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            description="https; this machine itself only while PagerDuty is simulated.",
        ),
    ]


class NewReportAddressModel(Model):
    """`secret` signs the deliveries. It is shown this once."""

    url: str
    secret: str


class ReportScheduleBody(DigestTimeModel):
    """When a kind of report is made. Monthly ones are made on the first day of the month."""

    kind: ReportKind
    every: Literal["week", "month", "never"] = "week"
    days: int | None = Field(
        None, ge=1, le=366, description="How many days each report is about. Default: the kind's own."
    )


class ReportScheduleModel(Model):
    kind: str
    is_paused: bool
    next_times: list[datetime]
    #: How many days each report is about; null is the kind's own.
    days: int | None = None


class ReportSchedulesModel(Model):
    schedules: list[ReportScheduleModel]
