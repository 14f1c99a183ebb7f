"""Random pasts of a PagerDuty account: what happened, with time between, and the webhooks that told it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.resources import Incident, IncidentStatus
from pagerduty_simulator.shop import online_shop
from tests.support.chance import repeatable

TRIGGERED, ACKNOWLEDGED, RESOLVED = IncidentStatus
Move = Callable[[Account, str, random.Random], tuple[Event, ...]]


def _somebody(account: Account, rng: random.Random) -> str:
    return rng.choice(list(account.users))


def _priority(account: Account, rng: random.Random) -> str | None:
    return rng.choice([*account.priorities, None])


def _silently(change: Callable[[Account, str, random.Random], None]) -> Move:
    def move(account: Account, incident_id: str, rng: random.Random) -> tuple[Event, ...]:
        change(account, incident_id, rng)
        return ()

    return move


def _can_escalate(incident: Incident) -> bool:
    return incident.status is not RESOLVED and incident.escalation_level + 1 < len(
        incident.escalation_policy.levels
    )


#: What may happen to an incident that stands so.
MOVES: Mapping[str, tuple[Callable[[Incident], bool], Move]] = {
    "acknowledge": (
        lambda incident: incident.status is TRIGGERED,
        lambda a, i, r: a.acknowledge(i, by=_somebody(a, r)),
    ),
    "unacknowledge": (lambda incident: incident.status is ACKNOWLEDGED, lambda a, i, r: a.unacknowledge(i)),
    "resolve": (
        lambda incident: incident.status is not RESOLVED,
        lambda a, i, r: a.resolve(i, by=_somebody(a, r)),
    ),
    "reopen": (lambda incident: incident.status is RESOLVED, lambda a, i, r: a.reopen(i, by=_somebody(a, r))),
    "escalate": (_can_escalate, lambda a, i, r: a.escalate(i)),
    "reassign": (
        lambda incident: incident.status is not RESOLVED,
        lambda a, i, r: a.reassign(i, (_somebody(a, r),), by=_somebody(a, r)),
    ),
    "priority": (
        lambda incident: incident.status is not RESOLVED,
        lambda a, i, r: a.set_priority(i, _priority(a, r)),
    ),
    "note": (lambda incident: True, lambda a, i, r: a.annotate(i, f"Seen {r.random()}", by=_somebody(a, r))),
    "title": (lambda incident: True, _silently(lambda a, i, r: a.retitle(i, f"Trouble {r.random()}"))),
    "urgency": (
        lambda incident: incident.status is not RESOLVED,
        _silently(lambda a, i, r: a.set_urgency(i, r.choice(["high", "low"]))),
    ),
}


@dataclass
class Past:
    """An account to which things happen, each some time after the other."""

    begins_at: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=2))
    seed: int = 0
    pause: timedelta = timedelta(seconds=20)

    def __post_init__(self) -> None:
        self.clock = ManualClock(self.begins_at)
        self.account = online_shop(now=self.clock.now, seed=11)
        # What happens is what a test lets happen, and all of it is in `events`.
        self.account.acts_by_itself = False
        self.rng = repeatable(self.seed)
        self.incident_ids: list[str] = []
        self.events: list[Event] = []

    def trigger(self) -> tuple[Event, ...]:
        self.clock.advance(self.pause)
        service = self.rng.choice(list(self.account.services))
        title = f"Trouble number {len(self.incident_ids) + 1}"
        priority = _priority(self.account, self.rng)
        told = self.account.trigger(service, title, priority_id=priority)
        self.incident_ids.append(str(told[0].incident_id))
        return self._told(told)

    def move(self, incident_id: str | None = None, name: str | None = None) -> tuple[Event, ...]:
        """Let something happen, if it can to this incident."""
        self.clock.advance(self.pause)
        chosen = incident_id or self.rng.choice(self.incident_ids)
        incident = self.account.incident(chosen)
        possible = [key for key, (allowed, _) in MOVES.items() if allowed(incident)]
        if name is not None and name not in possible:
            return ()
        _, move = MOVES[name or self.rng.choice(possible)]
        return self._told(move(self.account, chosen, self.rng))

    def live(self, incidents: int, events: int) -> None:
        """Go on until so many incidents and events have come to be."""
        until = len(self.incident_ids) + incidents
        told = len(self.events) + events
        while len(self.events) < told:
            left = until - len(self.incident_ids)
            if left and (not self.incident_ids or self.rng.random() < left / (told - len(self.events))):
                self.trigger()
            else:
                self.move()

    def _told(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        self.events += events
        return events


def hours_ago(count: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=count)
