"""What an analysis returns: figures, and findings that a person can check, act on and undo."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject


class FindingSeverity(StrEnum):
    """In the order of what comes first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Confidence(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Entity:
    """An object of PagerDuty's that a finding is about. `kind`: service, policy, schedule, user, team …"""

    kind: str
    id: str
    name: str
    html_url: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A figure, or ids that prove the finding. `words` state it in a sentence; `data` holds the numbers."""

    words: str
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, or worth doing. Same account and same `now`: the same bytes.

    `key` identifies the finding within code and connection across runs: it holds ids, never times that
    move from run to run; a gap's start is part of it only if two gaps of one policy must be told apart.
    `about_persons` is True if it names what single persons did or bear: only they and managers see it.
    """

    code: str
    key: str
    severity: FindingSeverity
    confidence: Confidence
    title: str
    entities: tuple[Entity, ...]
    evidence: tuple[Evidence, ...]
    recommendation: str
    expected_effect: str
    how_to_verify: str
    how_to_undo: str
    #: When it begins to matter, if that is a time; for ranking and for texts.
    at: Span | None = None
    #: Expected incidents that nobody would be paged for; ranks gaps.
    expected_dropped_incidents: float | None = None
    #: A gap or a cliff of a policy becomes an issue.
    opens_issue: bool = False
    about_persons: bool = False


_RANK = {severity: rank for rank, severity in enumerate(FindingSeverity)}


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings with the gravest first, then what drops most incidents, whatever order they came in."""
    return tuple(
        sorted(
            findings,
            key=lambda found: (
                _RANK[found.severity],
                -(found.expected_dropped_incidents or 0),
                found.code,
                found.key,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class AnalysisInputs:
    """What the result rests on: counts, and what was truncated or hidden from this token."""

    counts: dict[str, int]
    fetched_at: int
    truncated: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()
    #: Codes that were judged on complete data. None: all of them if nothing is truncated or missing, else
    #: none. A finding that such a run doesn't have any more is resolved; other findings stay open.
    conclusive_codes: tuple[str, ...] | None = None
    #: Ids of objects that could not be judged: no finding about them is resolved.
    unjudged_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """What an analysis says of one snapshot at `now`. `metrics` are JSON; a value of None is unknown."""

    analysis: str
    version: int
    snapshot_id: str
    now: int
    window: Span
    time_zone: str
    inputs: AnalysisInputs
    metrics: JsonObject
    findings: tuple[Finding, ...]
