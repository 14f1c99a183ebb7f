"""What coverage says: where somebody is on call, where nobody is and why, and what that costs. Frozen values.

All times are epoch seconds (UTC), intervals half-open. None is unknown, never "nothing".
"""

from dataclasses import dataclass, field
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span, total_seconds


@dataclass(frozen=True, slots=True)
class Coverage:
    """A window in three disjoint parts: somebody is on call, nobody is, or it is unknown."""

    window: Span
    covered: tuple[Span, ...]
    gaps: tuple[Span, ...]
    unknown: tuple[Span, ...] = ()

    @property
    def percentage(self) -> float | None:
        """The covered share of the known time, 0 to 100; None if nothing is known."""
        return percentage(total_seconds(self.covered), total_seconds(self.covered) + total_seconds(self.gaps))


def percentage(part: int, whole: int) -> float | None:
    """Return a share in per cent, to three decimals; None of nothing."""
    return round(100 * part / whole, 3) if whole > 0 else None


class Cause(StrEnum):
    """Why nobody is on call by a schedule. `causes.REMEDIES` says what to do about each."""

    NO_LAYERS = "no_layers"
    NO_USERS = "no_users"
    USER_DELETED = "user_deleted"
    RESTRICTION = "restriction"
    RECURRENCE = "recurrence"
    LAYER_ENDED = "layer_ended"
    ROTATION_ENDED = "rotation_ended"
    OVERRIDE_ENDED = "override_ended"
    NOT_STARTED = "not_started"
    INTENDED = "intended"
    UNEXPLAINED = "unexplained"


#: Causes that begin at a date: until then there is cover, from then on there is none.
ENDINGS = frozenset({Cause.LAYER_ENDED, Cause.ROTATION_ENDED, Cause.OVERRIDE_ENDED})


@dataclass(frozen=True, slots=True)
class GapCause:
    """Why a schedule leaves a gap. `ended_at` is when the layer, rotation or override ended."""

    schedule_id: str
    cause: Cause
    ended_at: int | None = None
    #: The layer, rotation or override that ended, by id.
    part_id: str | None = None


@dataclass(frozen=True, slots=True)
class ScheduleGap:
    span: Span
    why: GapCause


class Agreement(StrEnum):
    """How our union of entries compares with PagerDuty's `rendered_coverage_percentage`."""

    AGREES = "agrees"
    EXPLAINED = "explained"
    DIFFERS = "differs"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True)
class RenderedComparison:
    """Both percentages, over the snapshot's whole rendered window, and why they differ if they do."""

    agreement: Agreement
    ours: float | None
    pagerduty: float | None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleCoverage:
    schedule_id: str
    #: None if PagerDuty's rendering could not be read.
    coverage: Coverage | None
    gaps: tuple[ScheduleGap, ...]
    intended: tuple[Span, ...]
    comparison: RenderedComparison
    policy_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LevelCoverage:
    """A level of a policy, 1 for the first. `is_empty`: nobody during the whole known window."""

    number: int
    rule_id: str
    coverage: Coverage
    is_empty: bool


@dataclass(frozen=True, slots=True)
class ServiceRisk:
    """What a service would lose in a policy's gaps. `expected` is None with insufficient data."""

    service_id: str
    expected: float | None
    incidents: int
    exposure_days: float


@dataclass(frozen=True, slots=True)
class PolicyGap:
    """A time in which an incident would be dropped: no level has anybody. `causes`: one per schedule."""

    span: Span
    causes: tuple[GapCause, ...]
    expected_dropped_incidents: float | None


@dataclass(frozen=True, slots=True)
class PolicyCoverage:
    """`gaps` are within the time that a service of the policy requires; `intended` gaps are outside of it."""

    policy_id: str
    coverage: Coverage
    levels: tuple[LevelCoverage, ...]
    gaps: tuple[PolicyGap, ...]
    intended: tuple[Span, ...]
    #: First level empty while a later level has somebody, within required time.
    first_level_gaps: tuple[Span, ...]
    service_ids: tuple[str, ...]
    risks: tuple[ServiceRisk, ...]
    expected_dropped_incidents: float | None


@dataclass(frozen=True, slots=True)
class ServiceCoverage:
    """Coverage of a service in the time that it requires: its support hours, or always."""

    service_id: str
    policy_id: str | None
    required: tuple[Span, ...]
    gaps: tuple[Span, ...]
    intended: tuple[Span, ...]
    unknown: tuple[Span, ...]
    #: Covered share of the required and known time, 0 to 100.
    percentage: float | None
    risk: ServiceRisk
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cliff:
    """From `at` on, gaps come because a layer, rotation or override ends: the first gap and all of them."""

    schedule_id: str
    why: GapCause
    at: int
    gaps: tuple[Span, ...]


class OrphanKind(StrEnum):
    USER_DELETED = "user_deleted"
    LEFT_POOL = "left_pool"
    SHIFT_MOVED = "shift_moved"


@dataclass(frozen=True, slots=True)
class OrphanedOverride:
    """An override that no longer does what it was made for."""

    schedule_id: str
    override_id: str
    kind: OrphanKind
    span: Span
    user_id: str | None


class ConflictKind(StrEnum):
    """What a person can't do, or should not have to."""

    SUCCESSIVE_LEVELS = "successive_levels"
    TWO_SCHEDULES = "two_schedules"
    LITTLE_REST = "little_rest"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A person's conflict. `object_ids` are the policy, or the schedules; `rest_hours` is what is left."""

    kind: ConflictKind
    user_id: str
    spans: tuple[Span, ...]
    object_ids: tuple[str, ...] = ()
    rest_hours: float | None = None


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Everything that coverage says of a window. Lists stand in the order of ids."""

    window: Span
    #: What of the window the snapshot doesn't reach is unknown.
    rendered: Span
    schedules: tuple[ScheduleCoverage, ...]
    policies: tuple[PolicyCoverage, ...]
    services: tuple[ServiceCoverage, ...]
    cliffs: tuple[Cliff, ...]
    orphans: tuple[OrphanedOverride, ...]
    conflicts: tuple[Conflict, ...]
    #: Schedules in no policy, policies of no service, services without a policy.
    unused_schedule_ids: tuple[str, ...]
    unused_policy_ids: tuple[str, ...]
    service_ids_without_policy: tuple[str, ...]
    #: What limits the report: sections that are not complete, unknown zones.
    limits: tuple[str, ...] = field(default=())
