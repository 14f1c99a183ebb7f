"""The document of an incident's context, one per version, as services, agents and people get it.

The gathered facts are in `contexts.facts`; the conclusions are here. Each names its source, and has its link
if there is one. Times are UTC.
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
    """How the gathering of one source went. `reason` says what is missing and why, for readers."""

    source: Source
    title: str
    state: SourceState
    reason: str = ""
    count: int = 0
    requests: int = 0
    seconds: float = 0.0
    fetched_at: datetime | None = None


class PastResponse(FrozenModel):
    """What a person did about a past incident."""

    who: EntityRef
    did: str
    at: datetime


class SimilarIncident(FrozenModel):
    """A similar past incident. `score` (0–1) is the similarity of the titles × 0.7^hops."""

    incident: EntityRef
    title: UntrustedText
    service: EntityRef
    score: float
    hops: int | None
    created_at: datetime
    resolved_after_seconds: float | None = None
    resolution: UntrustedText | None = None
    handled: tuple[PastResponse, ...] = ()
    #: True if PagerDuty suggests it too; None if PagerDuty's answer is unavailable.
    pagerduty_agrees: bool | None = None
    source: Source = Source.HISTORY


class Recurrence(FrozenModel):
    """How often incidents of this kind recur on the service. `label` is None if too little is known.

    `share` is `count` / `of`: the kind's share of the service's incidents in the window.
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
    """A change, an incident or a burst that is correlated with the incident. Correlated is not caused.

    `chance` is the p-value: the probability that its stream brings an event so close to the incident by
    chance, at `rate_per_day`. That is the stream's rate, scaled by the hour-of-day ratio.
    Candidates are ranked by `likelihood_ratio`, where an incident that is over counts half. `score` is
    (−log10(chance) + bonus) × 0.7^hops; the bonus, at most 1, is log10(lift). An incident
    that is over counts half there too. `status` and `priority` are an incident's.
    """

    kind: Literal["change", "incident", "burst"]
    thing: EntityRef
    summary: UntrustedText
    at: datetime
    #: Seconds before the incident; negative after it.
    lead_seconds: float
    hops: int
    path: tuple[EntityRef, ...] = ()
    rate_per_day: float
    chance: float
    lift: float | None = None
    score: float
    #: PagerDuty's reason, if PagerDuty relates the change.
    pagerduty_reason: str | None = None
    source: Source = Source.CHANGES
    status: str | None = None
    priority: str | None = None
    #: By how much likelier it is where it is if it led to the incident than by chance; candidates are ranked
    #: by it. None for a burst.
    likelihood_ratio: float | None = None
    #: The p-value over all sources: the probability that chance brings anything as telling. None for a burst.
    overall_chance: float | None = None
    #: What the account's own past adds, in words; no text from outside.
    because: tuple[str, ...] = ()


class RootCause(FrozenModel):
    """Candidates, the strongest first. No candidate, with a `reason`, is a valid result.

    `considered` counts the tested streams. `reason` states the error rate and what could not be tested.
    """

    candidates: tuple[Candidate, ...] = ()
    considered: int = 0
    reason: str = ""


class Contribution(FrozenModel):
    """One factor of the impact: `points` of `weight`. None is unknown, which doesn't count as zero."""

    factor: str
    weight: float
    points: float | None
    why: str
    source: Source


class Impact(FrozenModel):
    """`score` (0–100) is known points / known weights; `confidence` (0–1) is known weights / 100."""

    score: float | None
    confidence: float
    contributions: tuple[Contribution, ...]
    words: str


class DependencyNode(FrozenModel):
    """A service up- or downstream of the failing service; `hops` is its distance in edges."""

    thing: EntityRef
    hops: int
    has_open_incident: bool = False


class DependencyView(FrozenModel):
    """The dependency graph around the incident. Cycles are listed, not hidden."""

    downstream: tuple[DependencyNode, ...] = ()
    upstream: tuple[DependencyNode, ...] = ()
    business: tuple[DependencyNode, ...] = ()
    cycles: tuple[tuple[EntityRef, ...], ...] = ()
    #: The path along which the failure probably came: from the strongest candidate upstream, or from a
    #: candidate behind it, to this service.
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
    """Another team ends up with `handed` of the service's `of` incidents.

    `at_least` (0–1) is the lower end of the 95 % Wilson interval of that share.
    """

    service: EntityRef
    team: EntityRef
    handed: int
    of: int
    at_least: float
    advice: str


class Recommendation(FrozenModel):
    """The people to involve; nobody, with a `reason`, if the evidence doesn't suffice.

    A backtest on `tested_on` past incidents like this one measures both shares (0–1): how often one of the
    first three named people handled the incident (`hit_at_3`), and one of the people on call
    (`baseline_hit_at_3`).
    """

    people: tuple[PersonToInvolve, ...] = ()
    reason: str = ""
    tested_on: int = 0
    hit_at_3: float | None = None
    baseline_hit_at_3: float | None = None
    misrouting: tuple[Misrouting, ...] = ()
    source: Source = Source.HISTORY


class Assessment(FrozenModel):
    """The gathered facts and all conclusions from them."""

    incident: IncidentFacts
    alerts: tuple[AlertFact, ...] = ()
    #: The number of all alerts; `alerts` may list fewer.
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
    #: One text for each list that was cut.
    omitted: tuple[str, ...] = ()


class IncidentContext(FrozenModel):
    """One version of an issue's context. It is degraded if a source failed; `sources` says which."""

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
