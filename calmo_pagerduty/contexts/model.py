"""An incident's context: one document per version, as services, agents and people get it.

What was gathered is in its facts (`context_facts`); what is concluded from them is here. Each carries its
source, and its link where there is one. Times are UTC.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from calmo_pagerduty.contexts.facts import (
    AlertFact,
    ChangeFact,
    EntityRef,
    IncidentFacts,
    MaintenanceFact,
    NoteFact,
    OnCallFact,
    OtherIncident,
    UntrustedText,
)
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.kernel.model import FrozenModel

SCHEMA: Literal["calmo.incident_context/1"] = "calmo.incident_context/1"
#: No database's integers end earlier, and no issue has so many.
MAX_VERSION = 1_000_000


class SourceReport(FrozenModel):
    """How the gathering of one source went. `reason` says what is lacking and why, in words."""

    source: Source
    title: str
    state: SourceState
    reason: str = ""
    count: int = 0
    requests: int = 0
    seconds: float = 0.0
    fetched_at: datetime | None = None


class PastResponse(FrozenModel):
    """Who did what about a past incident."""

    who: EntityRef
    did: str
    at: datetime


class SimilarIncident(FrozenModel):
    """`score` (0–1) is the likeness of the titles, scaled by the services' distance (in hops)."""

    incident: EntityRef
    title: UntrustedText
    service: EntityRef
    score: float
    hops: int | None
    created_at: datetime
    resolved_after_seconds: float | None = None
    resolution: UntrustedText | None = None
    handled: tuple[PastResponse, ...] = ()
    #: Whether PagerDuty names it too; None: its answer isn't available.
    pagerduty_agrees: bool | None = None
    source: Source = Source.HISTORY


class Recurrence(FrozenModel):
    """How often incidents like this one come on its service. `label` None: too little is known.

    `share` is its part of the service's incidents in the window.
    """

    fingerprint: str
    label: Literal["frequent", "rare", "anomaly", "usual"] | None
    count: int
    of: int
    share: float | None
    window_days: float
    #: Three or more trigger-and-auto-resolve cycles within an hour.
    is_flapping: bool = False
    flap_cycles: int = 0
    last_at: datetime | None = None
    source: Source = Source.HISTORY


class Candidate(FrozenModel):
    """Something correlated with the incident. Correlated is not caused.

    `chance` is the p-value: how likely something of its source would have come so close by chance, at
    `rate_per_day`: its source's own, where things come more often at this hour of the day as much more.
    `score` is −log10(chance) × 0.7^hops plus what the lift in past incidents adds.
    """

    kind: Literal["change", "incident", "burst"]
    thing: EntityRef
    summary: UntrustedText
    at: datetime
    #: Seconds before the incident; negative is after.
    lead_seconds: float
    hops: int
    path: tuple[EntityRef, ...] = ()
    rate_per_day: float
    chance: float
    lift: float | None = None
    score: float
    #: PagerDuty's own reason, where it relates the change itself.
    pagerduty_reason: str | None = None
    source: Source = Source.CHANGES


class RootCause(FrozenModel):
    """Candidates, the strongest first. Empty with a `reason` is an answer: no candidate.

    `considered` counts the sources that were looked at. `reason` says what the error is, and what
    could not be looked at.
    """

    candidates: tuple[Candidate, ...] = ()
    considered: int = 0
    reason: str = ""


class Contribution(FrozenModel):
    """One factor of the impact: `points` of `weight`; None is not known, and doesn't count as zero."""

    factor: str
    weight: float
    points: float | None
    why: str
    source: Source


class Impact(FrozenModel):
    """`score` is 0–100: the known points over the known weights. `confidence` is the weight known / 100."""

    score: float | None
    confidence: float
    contributions: tuple[Contribution, ...]
    words: str


class DependencyNode(FrozenModel):
    """What depends on the failing service, and what it depends on. `hops` counts edges from it."""

    thing: EntityRef
    hops: int
    has_open_incident: bool = False


class DependencyView(FrozenModel):
    """The dependency graph around the incident. Cycles are listed, not hidden."""

    downstream: tuple[DependencyNode, ...] = ()
    upstream: tuple[DependencyNode, ...] = ()
    business: tuple[DependencyNode, ...] = ()
    cycles: tuple[tuple[EntityRef, ...], ...] = ()
    #: Along this path the failure probably came: from the strongest upstream candidate to this service, or
    #: from a candidate behind it.
    failing_path: tuple[EntityRef, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    is_whole: bool = True
    source: Source = Source.DEPENDENCIES


class PersonToInvolve(FrozenModel):
    """`score` is the sum of similarity × 2^(−age / 90 days) over the incidents they handled."""

    who: EntityRef
    score: float
    is_on_call: bool
    level: int | None = None
    is_asleep: bool | None = None
    local_time: str | None = None
    reasons: tuple[str, ...]
    evidence: tuple[EntityRef, ...] = ()


class Misrouting(FrozenModel):
    """Incidents of the service end with another team: `handed` of `of`, at least `at_least` of all."""

    service: EntityRef
    team: EntityRef
    handed: int
    of: int
    at_least: float
    advice: str


class Recommendation(FrozenModel):
    """Whom to involve. Empty with a `reason` where the evidence doesn't suffice.

    `hit_at_3` and `baseline_hit_at_3` are measured on the account's own past, leaving one out: how often
    one of the first three named did handle it, beside whoever was named by the policy.
    """

    people: tuple[PersonToInvolve, ...] = ()
    reason: str = ""
    tested_on: int = 0
    hit_at_3: float | None = None
    baseline_hit_at_3: float | None = None
    misrouting: tuple[Misrouting, ...] = ()
    source: Source = Source.HISTORY


class Assessment(FrozenModel):
    """All that is concluded from what was gathered."""

    incident: IncidentFacts
    alerts: tuple[AlertFact, ...] = ()
    #: How many there are, if more than are listed.
    alert_count: int = 0
    notes: tuple[NoteFact, ...] = ()
    changes: tuple[ChangeFact, ...] = ()
    others: tuple[OtherIncident, ...] = ()
    surrounding: DependencyView = Field(default_factory=DependencyView)
    similar: tuple[SimilarIncident, ...] = ()
    recurrence: Recurrence | None = None
    root_cause: RootCause = Field(default_factory=RootCause)
    impact: Impact
    on_call: tuple[OnCallFact, ...] = ()
    recommendation: Recommendation = Field(default_factory=Recommendation)
    maintenance: tuple[MaintenanceFact, ...] = ()
    #: What there was too much of, in words.
    omitted: tuple[str, ...] = ()


class IncidentContext(FrozenModel):
    """One version of an issue's context. `is_degraded`: some source failed; `sources` names it."""

    schema_: Literal["calmo.incident_context/1"] = Field(default=SCHEMA, alias="schema")
    issue_id: str
    connection_id: str
    incident_id: str
    version: int
    reasons: tuple[str, ...]
    begun_at: datetime
    finished_at: datetime
    requests: int
    is_degraded: bool
    sources: tuple[SourceReport, ...]
    assessment: Assessment
