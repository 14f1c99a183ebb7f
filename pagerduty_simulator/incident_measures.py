"""The analytics measures of one incident, computed from its log. All durations are in seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pagerduty_simulator.account_state import AccountState
from pagerduty_simulator.incident_log import LogEntry
from pagerduty_simulator.resources import Incident, User

_BUSINESS_HOURS: Final = range(8, 18)
_SLEEP_HOURS: Final = frozenset({22, 23, 0, 1, 2, 3, 4, 5, 6, 7})
_ONE_INTERRUPTION: Final = timedelta(seconds=60)
_ENDS_SNOOZE: Final = frozenset({"unacknowledge", "resolve", "escalate", "assign", "delegate"})


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one incident; a duration is None if its end has not happened."""

    incident: Incident
    updated_at: datetime
    major: bool
    acknowledged_by: tuple[User, ...]
    assigned_to: tuple[User, ...]
    joined: tuple[User, ...]
    resolved_by: User | None
    acknowledgement_count: int
    assignment_count: int
    reassignment_count: int
    manual_escalations: int
    timeout_escalations: int
    notified: tuple[tuple[datetime, User], ...]
    interrupting: tuple[tuple[datetime, User], ...]
    seconds_to_first_ack: int | None
    seconds_to_resolve: int | None
    seconds_to_mobilize: int | None
    engaged_seconds: int
    snoozed_seconds: int

    @property
    def auto_resolved(self) -> bool:
        """Return whether it was resolved, but not by a person."""
        return self.seconds_to_resolve is not None and self.resolved_by is None

    @property
    def engaged(self) -> tuple[User, ...]:
        """Return the users who acknowledged it or joined, each once."""
        return tuple({user.id: user for user in (*self.acknowledged_by, *self.joined)}.values())

    def interruptions(self, user_id: str | None = None) -> dict[str, int]:
        """Count interruptions by hours in the notified person's time zone.

        E-mail interrupts nobody, and what reaches a person within a minute is one interruption.
        """
        counts = {"business": 0, "off": 0, "sleep": 0}
        latest: dict[str, datetime] = {}
        for at, user in self.interrupting:
            if user.id in latest and at - latest[user.id] < _ONE_INTERRUPTION:
                continue
            latest[user.id] = at
            if user_id in {None, user.id}:
                counts[_kind_of_hour(at.astimezone(ZoneInfo(user.time_zone)))] += 1
        return counts


def _kind_of_hour(local: datetime) -> str:
    if local.isoweekday() < 6 and local.hour in _BUSINESS_HOURS:
        return "business"
    return "sleep" if local.hour in _SLEEP_HOURS else "off"


def measured(account: AccountState, incident: Incident) -> Measures:
    """Compute an incident's measures from its log; durations of an open incident end now."""
    entries = account.log.of(incident.id)
    notifies = [entry for entry in entries if entry.kind == "notify" and entry.users]
    acks = [entry for entry in entries if entry.kind == "acknowledge"]
    assigns = [entry for entry in entries if entry.kind in {"assign", "escalate", "delegate"}]
    born = {entry.created_at for entry in entries if entry.kind in {"trigger", "field_value_change"}}
    resolves = [entry for entry in entries if entry.kind == "resolve"]
    ended_at = incident.resolved_at or account.now()
    joined = tuple(responder.user for responder in incident.responders if responder.state == "joined")
    joined_at = [
        responder.updated_at
        for responder in incident.responders
        if responder.state == "joined" and responder.updated_at
    ]
    engaged_from = [_first_by(acks, user) for user in _agents(acks)] + joined_at
    first_ack = acks[0].created_at if acks else None
    return Measures(
        incident=incident,
        updated_at=account.log.standings[incident.id].updated_at,
        major=_is_major(account, incident, joined),
        acknowledged_by=_agents(acks),
        assigned_to=tuple({user.id: user for entry in assigns for user in entry.users}.values()),
        joined=joined,
        resolved_by=resolves[-1].agent if resolves and incident.resolved_at else None,
        acknowledgement_count=len(acks),
        assignment_count=sum(len(entry.users) for entry in assigns),
        reassignment_count=sum(entry.kind == "assign" and entry.created_at not in born for entry in assigns),
        manual_escalations=sum(entry.kind == "escalate" and entry.agent is not None for entry in assigns),
        timeout_escalations=sum(entry.kind == "escalate" and entry.agent is None for entry in assigns),
        notified=tuple((entry.created_at, entry.users[0]) for entry in notifies),
        interrupting=tuple(
            (entry.created_at, entry.users[0])
            for entry in notifies
            if entry.notification is None or entry.notification.kind != "email"
        ),
        seconds_to_first_ack=None if first_ack is None else _seconds(incident.created_at, first_ack),
        seconds_to_resolve=(
            None if incident.resolved_at is None else _seconds(incident.created_at, incident.resolved_at)
        ),
        seconds_to_mobilize=(
            _seconds(incident.created_at, max(engaged_from)) if len(engaged_from) > 1 else None
        ),
        engaged_seconds=sum(max(0, _seconds(at, ended_at)) for at in engaged_from),
        snoozed_seconds=_snoozed(entries, ended_at),
    )


def _seconds(begin: datetime, end: datetime) -> int:
    return round((end - begin).total_seconds())


def _agents(entries: list[LogEntry]) -> tuple[User, ...]:
    return tuple({entry.agent.id: entry.agent for entry in entries if entry.agent}.values())


def _first_by(entries: list[LogEntry], user: User) -> datetime:
    return next(entry.created_at for entry in entries if entry.agent and entry.agent.id == user.id)


def _is_major(account: AccountState, incident: Incident, joined: tuple[User, ...]) -> bool:
    top_two = list(account.priorities)[:2]
    return len(joined) > 1 or (incident.priority is not None and incident.priority.id in top_two)


def _snoozed(entries: list[LogEntry], ended_at: datetime) -> int:
    total, since = 0, None
    for entry in entries:
        if entry.kind == "snooze" and since is None:
            since = entry.created_at
        elif entry.kind in _ENDS_SNOOZE and since is not None:
            total += _seconds(since, entry.created_at)
            since = None
    return total if since is None else total + _seconds(since, ended_at)
