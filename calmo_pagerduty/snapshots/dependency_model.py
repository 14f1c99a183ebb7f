"""Business services, and which service depends on which since when. Times are epoch seconds (UTC).

Source: PagerDuty's REST API, `GET /business_services` and `/service_dependencies/…/{id}`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ServiceKind(StrEnum):
    """PagerDuty's two kinds of services. Ids are unique per kind only."""

    TECHNICAL = "technical_service"
    BUSINESS = "business_service"


class ServiceKey(NamedTuple):
    """Names a service of either kind. As a text: `business_service:PABC`."""

    kind: ServiceKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class BusinessService:
    """What customers see. It has no incidents of its own: those of the services it depends on reach it."""

    id: str
    name: str
    html_url: str | None = None
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dependency:
    """`dependent` depends on `supporting`: failures travel from the supporting one to the dependent one.

    PagerDuty doesn't tell when a dependency was added or removed, so these are the times of readings: it was
    added between `absent_at` (None: it was there at the first reading) and `first_seen`, and removed, if it
    was, between `last_seen` and `gone_at`. One that was added again is another dependency.
    """

    supporting: ServiceKey
    dependent: ServiceKey
    first_seen: int
    last_seen: int
    absent_at: int | None = None
    gone_at: int | None = None

    @property
    def ends(self) -> tuple[ServiceKey, ServiceKey]:
        return self.supporting, self.dependent


@dataclass(frozen=True, slots=True)
class ServiceDependencies:
    """The dependencies that a service supports, as of the last readings of either end, former ones included.

    `read_at` is when PagerDuty was asked for this service's dependencies.
    """

    service: ServiceKey
    read_at: int
    supports: tuple[Dependency, ...] = ()
