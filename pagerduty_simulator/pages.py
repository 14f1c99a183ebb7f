"""What paging leaves behind: notifications that were sent, and incidents that never came to be."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One notification that was sent, at exactly the time at which it was due (UTC).

    `channel` is the contact method's kind. `level` counts from 1; it is None for an incident that a person
    assigned. `loop` is 0 in the first pass through the levels.
    """

    at: datetime
    incident_id: str
    user_id: str
    channel: str
    level: int | None
    rule_id: str
    contact_method_id: str
    loop: int = 0


@dataclass(slots=True)
class Course:
    """Where an incident stands. Timers of an older `assignment` or `opening` are void."""

    assignment: int = 0
    opening: int = 0
    loop: int = 0
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class DroppedIncident:
    """An event that opened no incident: the service was disabled or in maintenance, or nobody was on call."""

    at: datetime
    service_id: str
    policy_id: str
    title: str
    #: disabled, maintenance or nobody_on_call.
    reason: str
