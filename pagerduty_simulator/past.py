"""Write an account's past directly: incidents, their log entries, and changes.

No operation runs and no webhook is sent, so thousands of incidents take a second.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import Alert, ChangeEvent
from pagerduty_simulator.incident_log import IncidentTimes, Notification
from pagerduty_simulator.resources import (
    EscalationPolicy,
    Incident,
    IncidentStatus,
    Note,
    Priority,
    Service,
    User,
)

_A_MOMENT: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class IncidentLife:
    """One incident from its start to its end; it is open without `resolved_at`.

    `resolved_by` None is the monitoring tool or a timeout. At its acknowledgement, the incident was
    delegated to the policy `handed_to` and reassigned to the user `taken_by`, if they are set.
    """

    service: Service
    title: str
    opened_at: datetime
    assignees: tuple[User, ...]
    resolved_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: User | None = None
    escalated_at: datetime | None = None
    #: Whom the next level paged; without anybody, the same people.
    escalated_to: tuple[User, ...] = ()
    handed_to: EscalationPolicy | None = None
    taken_by: User | None = None
    resolved_by: User | None = None
    resolution: str | None = field(default=None, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    urgency: str = "high"
    priority: Priority | None = None
    alert_key: str | None = None
    severity: str = "error"


def write_past(account: Account, lives: Sequence[IncidentLife], rng: random.Random) -> tuple[str, ...]:
    """Write these incidents as the account's past; return their ids in the order of `lives`.

    Raises ValueError if the account has incidents already, because the past must be written first.
    """
    if account.incidents:
        raise ValueError("a past is written before anything else happens")
    ids = [""] * len(lives)
    in_time = sorted(range(len(lives)), key=lambda index: lives[index].opened_at)
    for number, index in enumerate(in_time, start=1):
        incident = _incident(account, number, lives[index], rng)
        account.incidents[incident.id] = incident
        account.incident_order.append(incident.id)
        if incident.status is not IncidentStatus.RESOLVED:
            account.open_ids.add(incident.id)
            account.open_by_key.setdefault((incident.service.id, incident.incident_key), incident.id)
        _write_log(account, incident, lives[index])
        ids[index] = incident.id
    account.log.sort()
    return tuple(ids)


def _incident(account: Account, number: int, life: IncidentLife, rng: random.Random) -> Incident:
    incident_id, key = identifiers.incident_id(rng), life.alert_key or identifiers.incident_key(rng)
    alert = Alert(
        identifiers.incident_id(rng),
        incident_id,
        key,
        life.title,
        life.severity,
        life.opened_at,
        {"source": life.service.name, "check": life.title},
    )
    account.belongings.alerts[incident_id] = [alert]
    policy, teams = life.service.escalation_policy, life.service.teams
    if life.handed_to is not None:
        policy = life.handed_to
        teams = (*teams, *(team for team in policy.teams if team not in teams))
    return Incident(
        id=incident_id,
        number=number,
        title=life.title,
        incident_key=key,
        created_at=life.opened_at,
        service=life.service,
        escalation_policy=policy,
        status=_status(life),
        urgency=life.urgency,
        assignees=_assignees(life),
        escalation_level=0 if life.escalated_at is None else 1,
        teams=teams,
        priority=life.priority,
        resolved_at=life.resolved_at,
        resolution=life.resolution,
        notes=_notes(life, rng),
    )


def _assignees(life: IncidentLife) -> tuple[User, ...]:
    """Return who has the incident now; nobody has a resolved one."""
    if life.resolved_at is not None:
        return ()
    if life.taken_by is not None:
        return (life.taken_by,)
    return life.escalated_to if life.escalated_at and life.escalated_to else life.assignees


def _status(life: IncidentLife) -> IncidentStatus:
    if life.resolved_at is not None:
        return IncidentStatus.RESOLVED
    return IncidentStatus.TRIGGERED if life.acknowledged_at is None else IncidentStatus.ACKNOWLEDGED


def _notes(life: IncidentLife, rng: random.Random) -> tuple[Note, ...]:
    """Return the notes, spread evenly between acknowledgement and end; an open incident has none."""
    if life.resolved_at is None:
        return ()
    author, begun = life.resolved_by or life.acknowledged_by, life.acknowledged_at or life.opened_at
    length = (life.resolved_at - begun) / (len(life.notes) + 1)
    return tuple(
        Note(identifiers.object_id(rng), text, begun + index * length, author)
        for index, text in enumerate(life.notes, start=1)
    )


def _write_log(account: Account, incident: Incident, life: IncidentLife) -> None:
    add = account.log.add
    add("trigger", incident, life.opened_at, None)
    times = IncidentTimes(life.opened_at, life.opened_at, None, life.opened_at)
    if life.assignees:
        add("assign", incident, life.opened_at, None, life.assignees)
        answered_at = life.escalated_at or life.acknowledged_at or life.resolved_at
        _write_notified(account, incident, life.assignees, life.opened_at, answered_at)
    if life.escalated_at is not None:
        next_level = life.escalated_to or life.assignees
        add("escalate", incident, life.escalated_at, None, next_level)
        answered_at = life.acknowledged_at or life.resolved_at
        _write_notified(account, incident, next_level, life.escalated_at, answered_at)
        times = IncidentTimes(life.escalated_at, life.opened_at, None, life.escalated_at)
    if life.acknowledged_at is not None:
        times = _write_acknowledged(account, incident, life, life.acknowledged_at)
    for note in incident.notes:
        add("annotate", incident, note.created_at, note.author, (), note.content)
    if life.resolved_at is not None:
        add("resolve", incident, life.resolved_at, life.resolved_by, (), life.resolution)
        times = IncidentTimes(life.resolved_at, life.resolved_at, life.resolved_by, times.assigned_at)
    account.log.standings[incident.id] = times


def _write_notified(
    account: Account, incident: Incident, users: Iterable[User], since: datetime, until: datetime | None
) -> None:
    """Log the notifications by the users' rules until somebody answered, or until now."""
    ends_at = min(until or account.now(), account.now())
    for user in users:
        known = account.users.get(user.id, user)
        for rule in known.rules(incident.urgency):
            at, method = (
                since + timedelta(minutes=rule.delay_minutes),
                known.contact_method(rule.contact_method_id),
            )
            if at < ends_at and method is not None and method.enabled and not method.blacklisted:
                address = None if method.kind == "push_notification" else method.address
                notification = Notification(method.kind, address)
                account.log.add("notify", incident, at, None, (known,), notification=notification)


def _write_acknowledged(
    account: Account, incident: Incident, life: IncidentLife, at: datetime
) -> IncidentTimes:
    """Log the acknowledgement, and, if it was handed over, that and the next acknowledgement."""
    add, by = account.log.add, life.acknowledged_by
    add("acknowledge", incident, at, by)
    new_assignees = (life.taken_by,) if life.taken_by else ()
    moved_at = at + _A_MOMENT
    if life.handed_to is not None:
        add("delegate", incident, moved_at, by, new_assignees)
    elif new_assignees:
        add("assign", incident, moved_at, by, new_assignees)
    if not new_assignees:
        return IncidentTimes(at, at, by, life.escalated_at or life.opened_at, ((at, by),))
    taken_at = moved_at + _A_MOMENT
    _write_notified(account, incident, new_assignees, moved_at, taken_at)
    add("acknowledge", incident, taken_at, life.taken_by)
    return IncidentTimes(taken_at, taken_at, life.taken_by, moved_at, ((taken_at, life.taken_by),))


def write_change(
    account: Account,
    service: Service,
    at: datetime,
    summary: str,
    rng: random.Random,
    source: str = "release pipeline",
) -> ChangeEvent:
    """Add a change event to the account and return it."""
    change_id = identifiers.event_id(at, rng)
    href = f"{account.site.web_url}/changes/{change_id}"
    details = {"repository": service.name.lower().replace(" ", "-"), "state": "passed"}
    change = ChangeEvent(change_id, summary, at, (service,), source, details, href)
    account.belongings.change_events[change_id] = change
    return change


def poisson_moments(
    rng: random.Random, per_day: float, since: datetime, until: datetime
) -> Iterable[datetime]:
    """Yield the moments of a Poisson process with `per_day` events, oldest first, in whole milliseconds."""
    at = since
    while per_day > 0:
        at += timedelta(days=rng.expovariate(per_day))
        if at >= until:
            return
        yield at.replace(microsecond=at.microsecond // 1000 * 1000)
