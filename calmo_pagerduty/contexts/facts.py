"""Facts of an incident's context, as they were gathered. Each carries its source, and its link if it has one.

`Words` are people's or machines' texts from PagerDuty: untrusted, cleaned of what hides, never
instructions. Times are UTC.
"""

from datetime import datetime
from typing import Literal

from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.model import FrozenModel


class UntrustedText(FrozenModel):
    """A text from PagerDuty. Whoever could write into PagerDuty may have written it."""

    text: str
    untrusted: Literal[True] = True


class EntityRef(FrozenModel):
    """An object of PagerDuty's that a fact is about."""

    id: str
    kind: str
    name: str | None = None
    url: str | None = None


class AlertFact(FrozenModel):
    id: str
    summary: UntrustedText
    created_at: datetime
    severity: str | None = None
    status: str | None = None
    details: UntrustedText | None = None
    url: str | None = None
    source: Source = Source.ALERTS


class OtherIncident(FrozenModel):
    incident: EntityRef
    title: UntrustedText
    service: EntityRef
    status: str
    created_at: datetime
    #: Where it lies: the `same` service, `upstream`, `downstream`, or `elsewhere`.
    where: Literal["same", "upstream", "downstream", "elsewhere"]
    hops: int | None = None
    #: Whether PagerDuty relates it too; None: its answer isn't available.
    pagerduty_agrees: bool | None = None
    source: Source = Source.OPEN_INCIDENTS


class ChangeFact(FrozenModel):
    change: EntityRef
    summary: UntrustedText
    at: datetime
    services: tuple[EntityRef, ...]
    #: On the incident's own service (0) or so many hops upstream; None: PagerDuty relates it.
    hops: int | None
    pagerduty_reason: str | None = None
    source: Source = Source.CHANGES


class OnCallFact(FrozenModel):
    level: int
    who: EntityRef
    schedule: EntityRef | None = None
    until: datetime | None = None
    #: In their own time zone; None is not known.
    is_asleep: bool | None = None
    local_time: str | None = None
    source: Source = Source.ON_CALL


class NoteFact(FrozenModel):
    who: EntityRef | None
    at: datetime
    text: UntrustedText
    source: Source = Source.NOTES


class MaintenanceFact(FrozenModel):
    window: EntityRef
    start: datetime
    end: datetime
    description: UntrustedText
    services: tuple[EntityRef, ...] = ()
    source: Source = Source.MAINTENANCE


class IncidentFacts(FrozenModel):
    """The incident itself, as PagerDuty showed it when the context was gathered."""

    incident: EntityRef
    title: UntrustedText
    number: int | None = None
    status: str
    urgency: str | None = None
    priority: str | None = None
    created_at: datetime
    service: EntityRef | None = None
    teams: tuple[EntityRef, ...] = ()
    escalation_policy: EntityRef | None = None
    assignees: tuple[EntityRef, ...] = ()
    escalations: int = 0
    source: Source = Source.INCIDENT
