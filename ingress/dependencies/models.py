"""Models of the endpoints of service dependencies. Times are ISO 8601 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from calmo_pagerduty.dependencies.report import DAYS, MAX_DAYS
from calmo_pagerduty.dependencies.service_map import MAX_HOPS
from ingress.api.models import Model

Json = dict[str, Any]
PagerDutyId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
#: A moment with its offset. Conversions between zones fail at the ends of the calendar.
Moment = Annotated[
    AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC))
]
ServiceName = Annotated[str, Field(min_length=1, max_length=255)]


class SnapshotQuery(Model):
    as_of: Moment | None = Field(
        None, description="Take the newest snapshot of this time or before. Default: the newest."
    )


class MapPictureQuery(SnapshotQuery):
    at: Moment | None = Field(
        None, description="Show dependencies and open incidents of this time. Default: now, or as_of."
    )
    focus: ServiceName | None = Field(
        None, description="Only this service and what is near: its id, business_service:ID, or its name."
    )
    hops: int = Field(1, ge=1, le=MAX_HOPS, description="How near, with focus.")
    team: list[PagerDutyId] = Field(
        [], max_length=20, description="Only these teams' services and neighbours."
    )
    text: str = Field("", max_length=100, description="Only services with this text in their name.")


class MapQuery(MapPictureQuery):
    format: Literal["json", "mermaid", "dot"] = "json"


class ReportQuery(SnapshotQuery):
    now: Moment | None = Field(None, description="The time of the analysis. Default: now, or as_of.")
    days: int = Field(DAYS, ge=1, le=MAX_DAYS, description="So many days of incidents are counted.")
    service: ServiceName | None = Field(None, description="Only this business service: its id or name.")


class MapModel(Model):
    """The map's services and dependencies; ids of services are `KIND:ID`."""

    snapshot_id: str
    snapshot_taken_at: datetime
    at: datetime
    #: `issues`: our own, with their priority. `snapshot`: the account snapshot's.
    incidents_from: Literal["issues", "snapshot"]
    services_of_the_account: int
    #: Services whose own dependencies were not read yet.
    unread_services: int
    services: list[Json]
    dependencies: list[Json]
    cycles: list[list[Json]]
    without_dependencies: list[Json]


class CriticalModel(Model):
    """For each business service: impact, who contributed, the critical chain, and what repairing it gains."""

    snapshot_id: str
    since: datetime
    until: datetime
    business_services: list[Json]
    mission_critical: list[Json]


class SinglePointsModel(Model):
    """Services through which alone others reach a business service, those with most hours first."""

    snapshot_id: str
    since: datetime
    until: datetime
    single_points: list[Json]


class UndeclaredModel(Model):
    """Dependencies that nobody declared, with p and the incidents that began together."""

    snapshot_id: str
    false_discovery_rate: float
    proposals: list[Json]


class DependencyChangesModel(Model):
    """Dependencies that were added and removed, as readings show, the newest first."""

    snapshot_id: str
    changes: list[Json]
