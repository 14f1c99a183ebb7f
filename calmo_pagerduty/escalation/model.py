"""What an incident would do: whom it is assigned to, and who is paged on what. Times are epoch seconds."""

from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.snapshots.model import ContactKind, Urgency

#: The people of each target. Of round robin's candidates PagerDuty pages one; otherwise there is only one.
Candidates = tuple[tuple[str, ...], ...]


class Outcome(StrEnum):
    """How the escalation ends if nobody acknowledges."""

    #: Every level was paged on every pass. The incident stays with the last people.
    EXHAUSTED = "exhausted"
    #: Low urgency doesn't escalate: the incident stays with the first people.
    STAYS = "stays"
    #: PagerDuty resolves the incident by itself first, after the service's timeout.
    AUTO_RESOLVED = "auto_resolved"
    #: Nobody is on call on any level: PagerDuty creates no incident.
    DROPPED = "dropped"
    #: The service is disabled: PagerDuty creates no incident.
    DISABLED = "disabled"
    #: The service is in maintenance: PagerDuty creates no incident.
    MAINTENANCE = "maintenance"
    #: The service has no escalation policy that we can see.
    NO_POLICY = "no_policy"
    #: The snapshot doesn't know who is on call.
    UNKNOWN = "unknown"


class Silence(StrEnum):
    """Why somebody who is assigned isn't paged by a rule, or at all."""

    #: The policy moves on before the rule's delay is over.
    TOO_LATE = "too_late"
    #: The contact method is disabled or blacklisted.
    UNUSABLE_METHOD = "unusable_method"
    #: The person has no notification rule of this urgency.
    NO_RULE = "no_rule"
    #: The token may not read the person's rules, or the person isn't in the snapshot.
    UNKNOWN_RULES = "unknown_rules"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The incident is assigned to the people of a level, from `at` until it moves on.

    `level` and `pass_number` begin at 1. `until` is None if it stays. With several candidates PagerDuty
    assigns one of them (round robin), in turn.
    """

    at: int
    until: int | None
    level: int
    pass_number: int
    urgency: Urgency
    candidates: Candidates

    @property
    def is_one_of(self) -> bool:
        return len(self.candidates) > 1

    @property
    def user_ids(self) -> tuple[str, ...]:
        return tuple(sorted({user_id for people in self.candidates for user_id in people}))


@dataclass(frozen=True, slots=True, order=True)
class Page:
    """A notification that PagerDuty sends unless somebody acknowledges before. Ordered by time.

    `is_one_of`: only if round robin chooses this person's target. `channel` is None if we may not see it.
    """

    at: int
    level: int
    pass_number: int
    user_id: str
    rule_id: str
    contact_method_id: str
    channel: ContactKind | None
    is_one_of: bool


@dataclass(frozen=True, slots=True)
class Unpaged:
    """Somebody who is assigned on a level and isn't paged by a rule; `rule_id` is None if there is none."""

    level: int
    pass_number: int
    user_id: str
    why: Silence
    rule_id: str | None = None
    delay_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class SkippedLevel:
    """A level with nobody on call when the incident came to it: PagerDuty goes on to the next at once."""

    at: int
    level: int
    pass_number: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """An incident on a service at a moment that nobody acknowledges.

    `ended_at` is when the escalation path is exhausted, or when the service's timeout resolves the incident.
    `notes` say in words what this doesn't know.
    """

    service_id: str
    policy_id: str | None
    at: int
    urgency: Urgency
    outcome: Outcome
    ended_at: int | None
    assignments: tuple[Assignment, ...] = ()
    pages: tuple[Page, ...] = ()
    unpaged: tuple[Unpaged, ...] = ()
    skipped: tuple[SkippedLevel, ...] = ()
    notes: tuple[str, ...] = ()
