"""The gathered facts of an incident's context. Each fact names its source, and has its link if there is one.

An `UntrustedText` comes from people or machines through PagerDuty: sanitized, but never instructions. Times
are UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.model import FrozenModel


class UntrustedText(FrozenModel):
    """A text from PagerDuty, which anybody who can write into PagerDuty may have written."""

    text: str
    untrusted: Literal[True] = True


class EntityRef(FrozenModel):
    """An object at PagerDuty that a fact is about."""

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
    #: Its service is the `same`, `upstream`, `downstream`, or `elsewhere`.
    where: Literal["same", "upstream", "downstream", "elsewhere"]
    hops: int | None = None
    #: True if PagerDuty relates it too; None if PagerDuty's answer is unavailable.
    pagerduty_agrees: bool | None = None
    source: Source = Source.OPEN_INCIDENTS


class ChangeFact(FrozenModel):
    change: EntityRef
    summary: UntrustedText
    at: datetime
    services: tuple[EntityRef, ...]
    #: Hops upstream from the incident's service (0); None if it is elsewhere and PagerDuty relates it.
    hops: int | None
    pagerduty_reason: str | None = None
    source: Source = Source.CHANGES


class OnCallFact(FrozenModel):
    level: int
    who: EntityRef
    schedule: EntityRef | None = None
    until: datetime | None = None
    #: True if it is night in the person's time zone; None if unknown.
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


@dataclass(frozen=True, slots=True)
class ResolutionText:
    """What the account cache knows of an incident. Both texts are other people's; None: it doesn't know."""

    title: str
    resolution: str | None
