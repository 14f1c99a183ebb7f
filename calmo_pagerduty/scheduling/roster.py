"""The rostering problem: shifts, people, hard and soft constraints, and an objective. Immutable values.

A constraint without a price is hard. A price is in points; the fairness of on-call shifts is in hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span


@dataclass(frozen=True, slots=True)
class RosterShift:
    """A shift that needs people. Times are epoch seconds (UTC); `day` numbers local days from any origin.

    `load` is the burden in hours, weighted or not. `weekend` numbers the weekend it lies in, None for none.
    """

    id: str
    name: str
    start: int
    end: int
    day: int
    load: float
    kind: str = ""
    weekend: int | None = None
    need: int = 1
    #: The price of each person too few or too many; None: the need must be met exactly.
    under_price: float | None = None
    over_price: float | None = None
    #: Only people with all of these skills may take it.
    skills: frozenset[str] = frozenset()
    #: The times within start and end that it consists of; the whole time if there are none.
    parts: tuple[Span, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        return self.parts or (Span(self.start, self.end),)

    @property
    def minutes(self) -> int:
        return sum(span.seconds for span in self.spans) // 60


class Unavailable(StrEnum):
    """Why a person can't take a shift, whatever else they have."""

    LEAVE = "on leave"
    #: By a stored calendar, of which readers learn no more than this.
    CALENDAR = "not available"
    NOT_IN_POOL = "not in the pool"
    SKILL = "without the skill"


@dataclass(frozen=True, slots=True)
class Limits:
    """A person's hard limits; None: no limit. A run at a border may go on outside: it is never too short."""

    max_minutes: int | None = None
    min_minutes: int | None = None
    max_shifts: Mapping[str, int] = field(default_factory=dict)
    max_consecutive_days: int | None = None
    min_consecutive_days: int | None = None
    min_days_off: int | None = None
    max_weekends: int | None = None


@dataclass(frozen=True, slots=True)
class RosterPerson:
    """`history` is the load carried over, in hours; `weight` is the size of their share."""

    id: str
    name: str
    unavailable: Mapping[str, Unavailable] = field(default_factory=dict)
    limits: Limits = Limits()
    history: float = 0.0
    weight: float = 1.0
    skills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """A person wants a shift, or wants it not; not to follow it has the price."""

    person_id: str
    shift_id: str
    wants: bool
    price: float


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two people work at the same times or never do: all shifts with the same start are one time."""

    first_id: str
    second_id: str
    is_together: bool
    #: For each time at which it is broken; None: hard.
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Fairness:
    """10 · max |dev| + Σ |dev|: dev is history plus load minus the share, in hours.

    The maximum first makes the most loaded person's load small, the sum then all others'.
    """

    max_price: float = 10.0
    sum_price: float = 1.0


@dataclass(frozen=True, slots=True)
class RosterProblem:
    """Shifts in order of start, people in order of id. `present` is who has the shifts now."""

    shifts: tuple[RosterShift, ...]
    people: tuple[RosterPerson, ...]
    min_rest_seconds: int = 0
    fixed: frozenset[tuple[str, str]] = frozenset()
    requests: tuple[Request, ...] = ()
    pairings: tuple[Pairing, ...] = ()
    fairness: Fairness | None = None
    present: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: For each person who has a shift that is not theirs now.
    change_price: float = 0.0

    def shares(self) -> dict[str, float]:
        """Return each person's share of all load and history, in hours."""
        total = sum(shift.load * shift.need for shift in self.shifts)
        total += sum(person.history for person in self.people)
        weights = sum(person.weight for person in self.people) or 1.0
        return {person.id: total * person.weight / weights for person in self.people}


#: Shift id → ids of the people who have it.
Assignment = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Violation:
    """A constraint that an assignment breaks. Without a price it is hard: the assignment is impossible."""

    rule: str
    text: str
    price: float | None
    person_id: str | None = None
    shift_id: str | None = None


class Stop(StrEnum):
    """Why the solver stopped."""

    OPTIMAL = "optimal"
    LIMIT = "limit"
    INFEASIBLE = "infeasible"


@dataclass(frozen=True, slots=True)
class Roster:
    """What the solver found. No roster's objective is below `bound`; `gap` is None if that is unknown."""

    stop: Stop
    assignment: Assignment
    objective: float | None
    bound: float | None
    violations: tuple[Violation, ...] = ()
    #: Why no roster is possible, a sentence for each shift or person.
    explanation: tuple[str, ...] = ()

    @property
    def gap(self) -> float | None:
        if self.objective is None or self.bound is None:
            return None
        return max(0.0, self.objective - self.bound) / max(1e-9, abs(self.objective))
