"""The inputs of an assessment: the data gathered around an incident.

Times are UTC. If a source failed, its part is empty and `missing_sources` has its name: the assessment
never takes unknown for empty.
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
    #: UTC; None if unknown.
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The account's dependencies; each edge is (supporting id, dependent id).

    `is_whole` is False if some were not read: more services may then be up- or downstream.
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
    #: The monitoring tool's text, cut.
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
    #: The alert's key, if there is one.
    key: str | None = None
    url: str | None = None
    responded: tuple[ResponderAction, ...] = ()
    #: Whether `responded` and `resolution` were read at all.
    is_read_in_full: bool = False
    resolution: str | None = None
    #: The monitoring tool or a timeout resolved it, not a person.
    is_auto_resolved: bool = False
    #: The teams that had it in the end, if they are not its service's.
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
    """A change event. `reason` is PagerDuty's reason, if PagerDuty relates the change to this incident."""

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
    #: PagerDuty's name: an IANA or a Rails name; None if unknown.
    time_zone: str | None = None
    is_active: bool = True
    url: str | None = None
    team_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OnCall:
    """A person on call now, at a level (from 1) of the incident's escalation policy.

    `until` is None for a person who is always on call.
    """

    level: int
    person_id: str
    schedule: Reference | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """An entry of the incident's log; `kind` is PagerDuty's type without `_log_entry`."""

    id: str
    kind: str
    at: datetime
    agent: Reference | None = None
    text: str = ""
    #: Whom it concerns: assigned, notified.
    people: tuple[Reference, ...] = ()


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
    #: The number of people who were asked to join.
    responders: int = 0


@dataclass(frozen=True, slots=True)
class PagerDutySuggestions:
    """PagerDuty's past and related incidents (a paid add-on), to compare with ours.

    `past` pairs incident ids with PagerDuty's scores; `related` has ids.
    Source: PagerDuty's REST API, `GET /incidents/{id}/past_incidents` and `…/related_incidents`.
    """

    past: tuple[tuple[str, float], ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """All that an assessment may use. `now` is when the gathering ended. `changes` and `past` reach back to
    their `…_since`: rates are counted over that time. `past` is newest first, without this incident.
    """

    now: datetime
    incident: ThisIncident
    alerts: tuple[Alert, ...] = ()
    log: tuple[LogLine, ...] = ()
    #: People's notes, oldest first; their `kind` is `annotate`.
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
    #: Business services that are impacted, according to PagerDuty.
    business_impacts: tuple[Reference, ...] = ()
    pagerduty_suggestions: PagerDutySuggestions | None = None
    missing_sources: frozenset[Source] = frozenset()
