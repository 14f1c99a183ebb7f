"""Models of the drill endpoints. Times are UTC."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import Field

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.escalation.drill import DrillState
from calmo_pagerduty.escalation.drill_store import Drill, DrillService
from calmo_pagerduty.escalation.privacy import drill_report_for
from calmo_pagerduty.snapshots.model import Service
from ingress.api.models import Model
from ingress.escalation.models import Json

ServiceText = Annotated[str, Field(min_length=1, max_length=255)]


class DrillBody(Model):
    service: ServiceText = Field(description="A service that was named for drills: its id or its name.")
    watch_minutes: int = Field(5, ge=1, le=60, description="How long to watch before the drill escalates.")


class DrillServiceBody(Model):
    service: ServiceText = Field(
        description="The service's id at PagerDuty, or its name. A drill pages its people."
    )
    every_days: int | None = Field(
        None, ge=1, le=365, description="Hold drills so often. Default: on demand."
    )


class DrillServiceModel(Model):
    service: str
    #: None if the newest snapshot doesn't have the service.
    service_name: str | None = None
    named_at: datetime
    every_days: int | None
    #: Why this API key may hold no drill there, by which rule; None if it may.
    refusal: str | None = None

    @classmethod
    def of(
        cls, named: DrillService, services: Mapping[str, Service], refusal: str | None = None
    ) -> "DrillServiceModel":
        return cls(
            service=named.service_id,
            service_name=_name(services, named.service_id),
            named_at=named.named_at,
            every_days=named.every_days,
            refusal=refusal,
        )


class DrillServiceListModel(Model):
    services: list[DrillServiceModel]


class DrillModel(Model):
    """A drill. `report` holds each page that was simulated or sent, and each difference; or a refusal.

    While the drill is open, the report holds what was seen so far.
    """

    id: str
    service: str
    service_name: str | None = None
    state: DrillState
    incident_id: str | None
    asked_at: datetime
    opened_at: datetime | None
    deadline_at: datetime | None
    escalated_at: datetime | None = None
    acknowledged_at: datetime | None = None
    finished_at: datetime | None
    #: The call that a person must approve before anybody is paged.
    waits_for_call: str | None = None
    report: Json | None

    @classmethod
    def of(
        cls,
        drill: Drill,
        persons: PersonVisibility,
        services: Mapping[str, Service],
        waits_for_call: str | None,
    ) -> "DrillModel":
        return cls.from_row(
            drill,
            service=drill.service_id,
            service_name=_name(services, drill.service_id),
            waits_for_call=waits_for_call,
            report=drill_report_for(drill.report, persons),
        )


class DrillListModel(Model):
    drills: list[DrillModel]


class StartedDrillModel(Model):
    """A drill was started, unless the service had one already: then it is that one."""

    drill: str
    workflow_id: str


def _name(services: Mapping[str, Service], service_id: str) -> str | None:
    service = services.get(service_id)
    return None if service is None else service.name
