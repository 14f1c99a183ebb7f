"""Models of the drill endpoints. Times are UTC."""

from datetime import datetime

from pydantic import Field

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.escalation.drill import DrillState
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.escalation.privacy import drill_report_for
from ingress.api.models import Model
from ingress.escalation.models import Json, PagerDutyId


class DrillBody(Model):
    service: PagerDutyId = Field(description="A service that was named for drills.")
    watch_minutes: int = Field(5, ge=1, le=60, description="How long to watch before the drill escalates.")


class DrillServiceBody(Model):
    service: PagerDutyId = Field(description="The service's id at PagerDuty. A drill pages its people.")
    every_days: int | None = Field(
        None, ge=1, le=365, description="Hold drills so often. Default: on demand."
    )


class DrillServiceModel(Model):
    service: str
    named_at: datetime
    every_days: int | None

    @classmethod
    def of(cls, named: DrillService) -> "DrillServiceModel":
        return cls(service=named.service_id, named_at=named.named_at, every_days=named.every_days)


class DrillServiceListModel(Model):
    services: list[DrillServiceModel]


class DrillModel(Model):
    """A drill. `report` holds what was expected and seen, and the differences; or why it was refused."""

    id: str
    service: str
    state: DrillState
    incident_id: str | None
    asked_at: datetime
    opened_at: datetime | None
    deadline_at: datetime | None
    finished_at: datetime | None
    report: Json | None

    @classmethod
    def of(cls, drill: Drill, persons: PersonVisibility) -> "DrillModel":
        report = drill_report_for(drill.report, persons)
        return cls.from_row(drill, service=drill.service_id, report=report)


class DrillListModel(Model):
    drills: list[DrillModel]


class StartedDrillModel(Model):
    """A drill was started, unless the service had one already: then it is that one."""

    drill: str
    workflow_id: str
