"""Make a large company's account in seconds, to measure what contexts and on-call snapshots of it cost.

Its year really happened: people were paged by their rules, and most answered (`played_past`).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import BusinessService, Dependency, Schedule
from pagerduty_simulator.contacts import RulePlan, contact_method, notification_rules, phone_number
from pagerduty_simulator.events import Event
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Override, Restriction
from pagerduty_simulator.packs.vocabulary import CHANGES, TROUBLES, Trouble
from pagerduty_simulator.pages import Page
from pagerduty_simulator.past import write_change
from pagerduty_simulator.played_past import PlayedLife, play_past
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import ScheduleTarget, Service, SupportHours, Team, UrgencyRule, User
from pagerduty_simulator.shift_schedules import Rotation, RotationEvent, ShiftSchedule

_TIERS: Final = 8
_TEAMS: Final = 50
#: Of each team.
_PEOPLE: Final = 10
_POLICIES: Final = 6
_SCHEDULES: Final = 4
_BUSINESS: Final = 30
#: How many days back incidents and changes go.
_DAYS: Final = 365.0
_DAYS_OF_CHANGES: Final = 30.0
_WORDS: Final = ("ledger", "parcel", "tariff", "basket", "vault", "radar", "quota", "badge", "relay", "index")
_PARTS: Final = ("api", "database", "worker", "cache", "gateway", "stream")
_ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo", "Asia/Kolkata")
_WEEK: Final = timedelta(weeks=1)
_AT_NINE: Final = time(9)
_AT_SIX: Final = time(18)
_AT_EIGHT: Final = time(20)
_PLAN: Final[RulePlan] = (
    ("high", 0, "push_notification"),
    ("high", 1, "sms"),
    ("high", 3, "phone"),
    ("high", 5, "email"),
    ("low", 0, "email"),
    ("low", 10, "push_notification"),
)
#: The share of pages that are answered.
_ANSWERED: Final = 0.4


def big_account(
    *,
    now: Callable[[], datetime],
    seed: int,
    services: int = 500,
    dependencies: int = 2_000,
    incidents: int = 10_000,
    changes: int = 20_000,
    days: float = _DAYS,
    teams: int = _TEAMS,
    site: Site | None = None,
) -> Account:
    """Return an account of this size without open incidents; the same seed and time give the same account."""
    account, rng = Account(now=now, rng=random.Random(f"big/{seed}"), site=site), random.Random(seed)
    for name in ("P1", "P2", "P3", "P4", "P5"):
        account.add_priority(name)
    _organise(account, rng, teams)
    all_services = _services(account, rng, services)
    _depend(account, rng, all_services, dependencies)
    _live(account, rng, all_services, incidents, days)
    ends_at = now()
    for service in rng.choices(all_services, k=changes):
        at = ends_at - timedelta(days=rng.random() * _DAYS_OF_CHANGES)
        write_change(account, service, at, _fill_template(rng.choice(CHANGES), rng), rng)
    return account


def _fill_template(template: str, rng: random.Random) -> str:
    return template.replace("#", str(rng.randrange(3, 990))).replace("@", f"node-{rng.randrange(1, 99)}")


def _organise(account: Account, rng: random.Random, teams: int) -> None:
    """Add people, teams, schedules of both kinds, and policies."""
    people = [_hire(account, rng, number) for number in range(1, teams * _PEOPLE + 1)]
    now = account.now()
    for number in range(teams):
        team, members = account.add_team(f"Team {number + 1}"), people[number::teams]
        for user in members:
            account.add_member(team.id, user.id, "manager" if user is members[0] else "responder")
        schedules: list[Schedule] = []
        for place in range(_SCHEDULES):
            make = _shifts if place % 2 else _layers
            schedules.append(make(rng, team, members[1:], f"{team.name}, schedule {place + 1}", now))
        account.belongings.schedules |= {schedule.id: schedule for schedule in schedules}
        for place in range(_POLICIES):
            _policy(account, rng, f"Policy {place + 1} of {team.name}", team, schedules, members[0])


def _hire(account: Account, rng: random.Random, number: int) -> User:
    address = f"person-{number}@conglomerate.example"
    user = account.add_user(f"Person {number}", address, rng.choice(_ZONES), "limited_user")
    kinds = ("push_notification", "sms", "phone")
    methods = (*user.contact_methods, *(contact_method(kind, phone_number(rng), rng) for kind in kinds))
    rules = notification_rules(methods, _PLAN, rng)
    account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
    return account.users[user.id]


def _a_monday(now: datetime) -> datetime:
    """Return a Monday more than a year ago, at eight UTC."""
    begin = datetime(now.year, now.month, now.day, 8, tzinfo=UTC) - 60 * _WEEK
    return begin - timedelta(days=begin.weekday())


def _layers(rng: random.Random, team: Team, pool: Sequence[User], name: str, now: datetime) -> Schedule:
    zone, ids, begin = rng.choice(_ZONES), [user.id for user in rng.sample(list(pool), 5)], _a_monday(now)
    nights = tuple(Restriction(_AT_EIGHT, timedelta(hours=12), day) for day in range(1, 6))
    turned = tuple(reversed(ids))
    layers = (
        Layer(identifiers.object_id(rng), "Weekly", begin, tuple(ids), _WEEK, begin),
        Layer(identifiers.object_id(rng), "Nights", begin, turned, _WEEK, begin, None, nights),
    )
    schedule = LayerSchedule(identifiers.object_id(rng), name, zone, layers, teams=(team,))
    for _ in range(3):
        start = (begin + rng.uniform(55, 70) * _WEEK).replace(minute=0, second=0, microsecond=0)
        end, override_id = start + timedelta(hours=9), identifiers.object_id(rng)
        schedule.overrides[override_id] = Override(override_id, start, end, rng.choice(ids))
    return schedule


def _shifts(rng: random.Random, team: Team, pool: Sequence[User], name: str, now: datetime) -> Schedule:
    zone, ids, begin = rng.choice(_ZONES), [user.id for user in rng.sample(list(pool), 5)], _a_monday(now)
    event = RotationEvent(
        identifiers.event_id(begin, rng),
        "Weekly",
        begin,
        begin + _WEEK,
        zone,
        begin,
        ("RRULE:FREQ=WEEKLY",),
        tuple(ids),
    )
    rotation = Rotation(identifiers.event_id(begin, rng), {event.id: event})
    return ShiftSchedule(identifiers.object_id(rng), name, zone, {rotation.id: rotation}, teams=(team,))


def _policy(
    account: Account, rng: random.Random, name: str, team: Team, schedules: Sequence[Schedule], lead: User
) -> None:
    first, second, third = (
        ScheduleTarget(schedule.id, schedule.name, schedule.kind)
        for schedule in rng.sample(list(schedules), 3)
    )
    # Half of the policies page two schedules at once.
    levels = ((first, third) if rng.random() < 0.5 else (first,), (second,), (lead,))
    policy = account.add_escalation_policy(name, levels, (team,))
    rule_ids = tuple(identifiers.object_id(rng) for _ in levels)
    account.save_policy(replace(policy, rule_ids=rule_ids, delays_minutes=(10, 15, 20), num_loops=1))


def _services(account: Account, rng: random.Random, count: int) -> list[Service]:
    policies = list(account.escalation_policies.values())
    by_day = UrgencyRule("high", "low")
    for number in range(count):
        policy = rng.choice(policies)
        word, part = _WORDS[number % len(_WORDS)], _PARTS[number // len(_WORDS) % len(_PARTS)]
        service = account.add_service(f"{word}-{part}-{number + 1}", policy, policy.teams)
        service = replace(service, acknowledgement_timeout=None)
        account.save_service(service)
        if number % 5 == 0:
            hours = SupportHours(rng.choice(_ZONES), (1, 2, 3, 4, 5), _AT_NINE, _AT_SIX)
            account.save_service(replace(service, urgency_rule=by_day, support_hours=hours))
    return list(account.services.values())


def _depend(account: Account, rng: random.Random, services: list[Service], count: int) -> None:
    """Add dependencies of each tier's services on those of lower tiers, mostly of the nearest tier."""
    owned, pairs = account.belongings, set[tuple[str, str]]()
    per_tier = -(-len(services) // _TIERS)
    while len(pairs) < count - 2 * _BUSINESS:
        index = rng.randrange(per_tier, len(services))
        tier = index // per_tier
        below = rng.randrange(max(tier - 1 - (rng.random() < 0.2), 0) * per_tier, tier * per_tier)
        pairs.add((services[below].id, services[index].id))
    for supporting, dependent in sorted(pairs):
        ends = ("technical_service", supporting), ("technical_service", dependent)
        owned.dependencies.append(Dependency(identifiers.incident_id(rng), *ends))
    for number in range(_BUSINESS):
        business = BusinessService(identifiers.object_id(rng), f"Offer {number + 1}")
        owned.business_services[business.id] = business
        for service in rng.sample(services[-per_tier:], 2):
            ends = ("technical_service", service.id), ("business_service", business.id)
            owned.dependencies.append(Dependency(identifiers.incident_id(rng), *ends))


def _live(account: Account, rng: random.Random, services: list[Service], count: int, days: float) -> None:
    ends_at = account.now() - timedelta(hours=6)
    # Few services make most of the noise.
    weights = [rng.paretovariate(1.2) for _ in services]
    lives = []
    for service in rng.choices(services, weights=weights, k=count):
        trouble: Trouble = rng.choice(rng.choice(TROUBLES))
        opened_at = (ends_at - timedelta(days=rng.random() * days)).replace(microsecond=0)
        lives.append(_life(service, trouble, opened_at, rng))

    def answer(page: Page) -> timedelta | None:
        if page.channel == "email" or rng.random() > _ANSWERED:
            return None
        return timedelta(seconds=90 + rng.expovariate(1 / 400))

    play_past(account, lives, answer, ends_at - timedelta(days=days + 1))


def _life(service: Service, trouble: Trouble, opened_at: datetime, rng: random.Random) -> PlayedLife:
    heals = rng.random() < trouble.heals_itself
    return PlayedLife(
        service.id,
        f"{service.name}: {_fill_template(trouble.title, rng)}",
        opened_at,
        works_for=timedelta(minutes=min(3 + rng.expovariate(1 / 30), 150)),
        heals_after=timedelta(minutes=2 + rng.expovariate(1 / 10)) if heals else None,
        found_after=timedelta(hours=3),
        key=f"{service.name}/{trouble.check}",
        urgency="low" if trouble.urgency == "low" else None,
        resolution=_fill_template(trouble.resolution, rng),
        moves=((timedelta(minutes=6), _note),) if rng.random() < 0.6 else (),
    )


def _note(account: Account, incident_id: str) -> tuple[Event, ...]:
    assignees = account.incident(incident_id).assignees
    return account.annotate(incident_id, "Looking into it.", by=assignees[0].id if assignees else None)
