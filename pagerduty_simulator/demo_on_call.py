"""The demo's logistics team, whose on-call is in trouble: five faults that are true in REST and in the log.

- A policy gap: next week from Wednesday 17:00 to Thursday 09:00 (Berlin) nobody is on call on any level. The
  first schedule's old layer ends a day before its new layer begins, and the second level keeps office hours.
- A rule that never pages: Hanna's only high-urgency rule waits ten minutes, but the first level has five.
- An unfair rota: Diego has three of five turns, and the nightly carrier import fails in his night.
- A dead end: one night Diego slept through an incident, the second level was off, and the path was exhausted.
- An alert that flaps: a scanner gateway comes back by itself within minutes, several times in an hour.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.contacts import RulePlan, contact_method, notification_rules, phone_number
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Restriction
from pagerduty_simulator.pages import Page
from pagerduty_simulator.played_past import Answers, PlayedLife, adopt_past, play_past, twin_of
from pagerduty_simulator.resources import ScheduleTarget, Service, Team, User

TEAM: Final = "Logistics"
POLICY: Final = "Logistics on-call"
PRIMARY: Final = "Logistics primary"
BACKUP: Final = "Logistics backup"
NEVER_PAGED: Final = "Hanna Virtanen"
OVERLOADED: Final = "Diego Fuentes"
DEAD_END: Final = "Parcel tracking: no positions from any carrier"
FLAPPING: Final = "Warehouse stock: scanner gateway does not answer"
#: The first level's time in minutes, which is shorter than the delay of the rule that never pages.
FIRST_DELAY: Final = 5

_BERLIN: Final = ZoneInfo("Europe/Berlin")
_WEEK: Final = timedelta(weeks=1)
_DAY: Final = timedelta(days=1)
_SERVICES: Final = ("Parcel tracking", "Warehouse stock")
_LOW: Final = ("low", 0, "email")
_PUSH_THEN_PHONE: Final[RulePlan] = (("high", 0, "push_notification"), ("high", 3, "phone"), _LOW)
_PEOPLE: Final[Mapping[str, tuple[str, str, RulePlan]]] = {
    OVERLOADED: ("America/Mexico_City", "limited_user", _PUSH_THEN_PHONE),
    NEVER_PAGED: (
        "Europe/Helsinki",
        "limited_user",
        (("high", 2 * FIRST_DELAY, "phone"), _LOW),
    ),
    "Aiko Mori": ("Asia/Tokyo", "limited_user", _PUSH_THEN_PHONE),
    "Nils Brandt": ("Europe/Berlin", "admin", (("high", 0, "phone"), _LOW)),
}
#: The turns of the first level: who has which week.
_TURNS: Final = (OVERLOADED, OVERLOADED, NEVER_PAGED, OVERLOADED, "Aiko Mori")
#: How many incidents a week has at whose hours (UTC): the import fails at night in Mexico.
_TROUBLE: Final[Mapping[str, tuple[int, range]]] = {
    OVERLOADED: (5, range(8, 11)),
    NEVER_PAGED: (1, range(9, 13)),
    "Aiko Mori": (1, range(1, 8)),
}
_TITLES: Final = (
    "Parcel tracking: carrier import failed",
    "Parcel tracking: positions older than 40 minutes",
    "Warehouse stock: counts differ from orders",
)


@dataclass(frozen=True, slots=True)
class OnCallTruth:
    """What is planted: ids, and the gap's bounds in UTC."""

    policy_id: str
    gap: tuple[datetime, datetime]
    never_paged_user_id: str
    never_paged_rule_id: str
    overloaded_user_id: str
    dead_end_incident_id: str | None


def plant_on_call_faults(account: Account, *, days: float, seed: int, until: datetime) -> OnCallTruth:
    """Add the team with its schedules, services and past of at most `days` before `until`."""
    rng = random.Random(f"logistics/{seed}")
    people = _hire(account, rng)
    team = account.add_team(TEAM)
    gap = _next_wednesday(account.now())
    primary = _primary(people, team, rng, gap[0], account.now())
    backup = _backup(people["Nils Brandt"], team, rng, account.now())
    for schedule in (primary, backup):
        account.belongings.schedules[schedule.id] = schedule
    levels = tuple((ScheduleTarget(schedule.id, schedule.name),) for schedule in (primary, backup))
    policy = account.add_escalation_policy(POLICY, levels, (team,))
    rule_ids = tuple(identifiers.object_id(rng) for _ in levels)
    account.save_policy(replace(policy, delays_minutes=(FIRST_DELAY, 15), rule_ids=rule_ids))
    services = []
    for name in _SERVICES:
        service = account.add_service(name, account.escalation_policies[policy.id], (team,))
        # Nothing ends by itself: who is not paged finds it in the morning.
        account.save_service(replace(service, auto_resolve_timeout=None, acknowledgement_timeout=None))
        services.append(account.services[service.id])
    dead_end_id = _live(account, rng, primary, services, people, until - timedelta(days=days), until)
    hanna = people[NEVER_PAGED]
    begins_at = datetime.combine(gap[0].astimezone(_BERLIN).date(), time(17), _BERLIN).astimezone(UTC)
    return OnCallTruth(
        policy.id,
        (begins_at, gap[1]),
        hanna.id,
        hanna.rules("high")[0].id,
        people[OVERLOADED].id,
        dead_end_id,
    )


def _hire(account: Account, rng: random.Random) -> dict[str, User]:
    people: dict[str, User] = {}
    for name, (zone, role, plan) in _PEOPLE.items():
        address = name.lower().replace(" ", ".") + "@lantern-lane.example"
        user = account.add_user(name, address, zone, role)
        kinds = ("push_notification", "phone")
        methods = (
            *user.contact_methods,
            *(contact_method(kind, phone_number(rng), rng) for kind in kinds),
        )
        rules = notification_rules(methods, plan, rng)
        account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
        people[name] = account.users[user.id]
    return people


def _next_wednesday(now: datetime) -> tuple[datetime, datetime]:
    """Return Wednesday and Thursday of next week, both at nine in Berlin, in UTC."""
    today = now.astimezone(_BERLIN).date()
    wednesday = today - timedelta(days=today.weekday()) + _WEEK + 2 * _DAY
    begin, end = (datetime.combine(day, time(9), _BERLIN) for day in (wednesday, wednesday + _DAY))
    return begin.astimezone(UTC), end.astimezone(UTC)


def _primary(
    people: Mapping[str, User], team: Team, rng: random.Random, ends_at: datetime, now: datetime
) -> LayerSchedule:
    """Return the first level's schedule: its new layer begins a day after the old layer's end."""
    today = now.astimezone(_BERLIN).date()
    monday = today - timedelta(days=today.weekday()) - 30 * _WEEK
    begin = datetime.combine(monday, time(9), _BERLIN).astimezone(UTC)
    turns = tuple(people[name].id for name in _TURNS)
    again_at = datetime.combine(ends_at.astimezone(_BERLIN).date() + _DAY, time(9), _BERLIN).astimezone(UTC)
    old = Layer(identifiers.object_id(rng), "Weekly", begin, turns, _WEEK, begin, ends_at)
    new = Layer(identifiers.object_id(rng), "Weekly, new rota", again_at, turns, _WEEK, begin)
    return LayerSchedule(
        identifiers.object_id(rng), PRIMARY, _BERLIN.key, (old, new), "Carriers around the clock", (team,)
    )


def _backup(user: User, team: Team, rng: random.Random, now: datetime) -> LayerSchedule:
    begin = now - 30 * _WEEK
    layer = Layer(
        identifiers.object_id(rng),
        "Office hours",
        begin,
        (user.id,),
        _WEEK,
        begin,
        restrictions=tuple(Restriction(time(9), timedelta(hours=8), day) for day in range(1, 6)),
    )
    return LayerSchedule(identifiers.object_id(rng), BACKUP, _BERLIN.key, (layer,), "Only by day", (team,))


def _live(
    account: Account,
    rng: random.Random,
    primary: LayerSchedule,
    services: list[Service],
    people: Mapping[str, User],
    since: datetime,
    until: datetime,
) -> str | None:
    """Play the team's past on a twin, and add it to the account; return the dead end, if the past has one."""
    names = {user.id: name for name, user in people.items()}
    lives, dead_end_at = [], None
    for shift in primary.final_shifts(since, until):
        number, hours = _TROUBLE[names[str(shift.user_id)]]
        for _ in range(number * max(1, round((shift.end - shift.start) / _WEEK))):
            lives.append(_life(rng, shift.start, shift.end, hours, services))
        # Past midnight in Mexico, and before nine in Berlin.
        night = shift.start.replace(hour=6, minute=10) + 2 * _DAY
        if shift.user_id == people[OVERLOADED].id and since < night < until - _DAY:
            dead_end_at = night
    lives = [life for life in lives if since <= life.opened_at < until - timedelta(hours=3)]
    if dead_end_at is not None:
        near = timedelta(hours=12)
        lives = [life for life in lives if abs(life.opened_at - dead_end_at) > near]
        found_at = datetime.combine(dead_end_at.date(), time(9, 12), _BERLIN)
        lives.append(
            PlayedLife(
                services[0].id,
                DEAD_END,
                dead_end_at,
                found_after=found_at - dead_end_at,
                found_by=people["Nils Brandt"].id,
                key="parcel-tracking/positions",
                resolution="Restarted the import by hand; nobody had been reached at night.",
            )
        )
    lives += _flaps(primary, people[OVERLOADED].id, services[1], since, until)
    twin = twin_of(account, f"logistics/{rng.random()}")
    with twin.at(until):
        play_past(twin, lives, _answers(twin, rng), since - _DAY)
    adopt_past(account, twin)
    found = [incident.id for incident in twin.incidents.values() if incident.title == DEAD_END]
    return found[0] if found else None


def _life(
    rng: random.Random, start: datetime, end: datetime, hours: range, services: list[Service]
) -> PlayedLife:
    """Draw an incident of a shift, on a weekday and at one of the hours (UTC)."""
    days = [start + number * _DAY for number in range((end - start).days)]
    day = rng.choice([day for day in days if day.isoweekday() < 6] or days)
    hour, minute, second = rng.choice(hours), rng.randrange(60), rng.randrange(60)
    at = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
    title = rng.choice(_TITLES)
    service = next(service for service in services if title.startswith(service.name))
    works_for = timedelta(minutes=rng.uniform(5, 40))
    return PlayedLife(service.id, title, at, works_for, resolution="Started the import again.")


def _flaps(
    primary: LayerSchedule, user_id: str, service: Service, since: datetime, until: datetime
) -> list[PlayedLife]:
    """Draw the flapping alert: four cycles within an hour, each week that this person is on call."""
    rng = random.Random(f"flapping/{since.toordinal()}")
    lives = []
    for shift in primary.final_shifts(since, until):
        # By day, and on another day than the dead end.
        at = shift.start.replace(hour=14, minute=rng.randrange(5, 20)) + 3 * _DAY
        while shift.user_id == user_id and at < min(shift.end, until - timedelta(hours=3)):
            begins_at = at
            for number in range(4 if at >= since else 0):
                stays = timedelta(seconds=rng.uniform(100, 220))
                key = f"warehouse-stock/scanner/{number}"
                lives.append(PlayedLife(service.id, FLAPPING, begins_at, heals_after=stays, key=key))
                begins_at += stays + timedelta(seconds=rng.uniform(200, 400))
            at += _WEEK
    return lives


def _answers(twin: Account, rng: random.Random) -> Answers:
    def answer(page: Page) -> timedelta | None:
        if twin.incident(page.incident_id).title in (DEAD_END, FLAPPING):
            return None
        return timedelta(seconds=rng.uniform(20, 100))

    return answer
