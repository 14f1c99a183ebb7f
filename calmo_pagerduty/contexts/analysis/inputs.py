"""What was gathered around an incident: all that its assessment may use, and nothing else.

Times are UTC. Where a source failed, its part is empty and the source's name is in `lacking`: what is
not known is never taken for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.pagerduty.webhook_events import Reference


class NodeKind(StrEnum):
    TECHNICAL = "technical_service"
    BUSINESS = "business_service"


@dataclass(frozen=True, slots=True)
class Node:
    """A technical or a business service."""

    id: str
    kind: NodeKind
    name: str
    url: str | None = None
    team_ids: tuple[str, ...] = ()
    escalation_policy_id: str | None = None


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Who supports whom: each edge is (supporting id, dependent id).

    `is_whole` False: some of it was not read, so what is reached may be more than is shown.
    """

    nodes: Mapping[str, Node] = field(default_factory=dict)
    edges: frozenset[tuple[str, str]] = frozenset()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Alert:
    id: str
    summary: str
    created_at: datetime
    severity: str | None = None
    key: str | None = None
    status: str | None = None
    #: The monitoring tool's own words, cut.
    details: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ResponderAction:
    """What a person did about an incident: `acknowledged`, `resolved`, `annotated`, `reassigned`."""

    who: Reference
    did: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident of the account that began before this one."""

    id: str
    title: str
    service_id: str
    created_at: datetime
    number: int | None = None
    resolved_at: datetime | None = None
    urgency: str | None = None
    priority: str | None = None
    #: The alert's own key, where there is one.
    key: str | None = None
    url: str | None = None
    responded: tuple[ResponderAction, ...] = ()
    #: Whether `responded` and `resolution` were read at all.
    is_read_in_full: bool = False
    resolution: str | None = None
    #: Nobody resolved it: the monitoring tool or a timeout did.
    is_auto_resolved: bool = False
    #: The teams it was with in the end, if it was given to others than its service's.
    handed_to_team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """Another incident that is open, or began shortly before or after this one."""

    id: str
    title: str
    service_id: str
    created_at: datetime
    status: str
    number: int | None = None
    urgency: str | None = None
    priority: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change event. `reason` is PagerDuty's own, if it relates the change to this incident."""

    id: str
    summary: str
    at: datetime
    service_ids: tuple[str, ...]
    source: str | None = None
    url: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    #: As PagerDuty says it: an IANA or a Rails name; None is not known.
    time_zone: str | None = None
    is_active: bool = True
    url: str | None = None
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is called at a level (from 1) of the incident's escalation policy now; `until` None is always."""

    level: int
    person_id: str
    schedule: Reference | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """An entry of the incident's own log; `kind` without `_log_entry`."""

    id: str
    kind: str
    at: datetime
    agent: Reference | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Maintenance:
    id: str
    start: datetime
    end: datetime
    description: str
    service_ids: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ThisIncident:
    id: str
    title: str
    created_at: datetime
    status: str
    number: int | None = None
    service: Reference | None = None
    teams: tuple[Reference, ...] = ()
    escalation_policy: Reference | None = None
    assignees: tuple[Reference, ...] = ()
    urgency: str | None = None
    priority: str | None = None
    url: str | None = None
    #: How many people were asked to join.
    responders: int = 0


@dataclass(frozen=True, slots=True)
class PagerDutySuggestions:
    """PagerDuty's own answers (a paid add-on), to check ours against: incident ids with scores."""

    past: tuple[tuple[str, float], ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """`now` is when the gathering ended. `changes` and `past` reach back to their `…_since`: rates are
    counted over that time. Past incidents are newest first and do not hold this one.
    """

    now: datetime
    incident: ThisIncident
    alerts: tuple[Alert, ...] = ()
    log: tuple[LogLine, ...] = ()
    #: What people wrote, oldest first: `kind` is `annotate`.
    notes: tuple[LogLine, ...] = ()
    dependencies: Dependencies = field(default_factory=Dependencies)
    #: Names of priorities, the most severe first.
    priorities: tuple[str, ...] = ()
    open_incidents: tuple[OpenIncident, ...] = ()
    changes: tuple[Change, ...] = ()
    changes_since: datetime | None = None
    past: tuple[PastIncident, ...] = ()
    past_since: datetime | None = None
    on_call: tuple[OnCall, ...] = ()
    people: Mapping[str, Person] = field(default_factory=dict)
    #: Names of teams and policies, by id.
    names: Mapping[str, str] = field(default_factory=dict)
    maintenance: tuple[Maintenance, ...] = ()
    #: Business services that PagerDuty itself says are impacted.
    business_impacts: tuple[Reference, ...] = ()
    pagerduty_suggestions: PagerDutySuggestions | None = None
    missing_sources: frozenset[Source] = frozenset()
