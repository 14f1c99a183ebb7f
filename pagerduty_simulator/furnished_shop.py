"""The online shop with all objects that REST shows: schedules of both kinds, business services, changes."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import BusinessService, Dependency, Schedule
from pagerduty_simulator.contacts import RulePlan, notification_rules
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule, Restriction
from pagerduty_simulator.past import write_change
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import ContactMethod, EscalationTarget, ScheduleTarget, User
from pagerduty_simulator.shift_schedules import Rotation, RotationEvent, ShiftSchedule
from pagerduty_simulator.shop import online_shop

_ONE_DAY: Final = timedelta(days=1)
_LOUDNESS: Final = ("phone", "push_notification", "sms", "email")
_ONE_WEEK: Final = timedelta(weeks=1)

# Name: time zone, PagerDuty role, job title, and the kinds of contact method.
_PEOPLE: Final = {
    "Ines Albrecht": ("Europe/Berlin", "owner", "Head of Storefront", ("email", "phone", "sms")),
    "Tomasz Wolny": ("Europe/Warsaw", "limited_user", "Engineer", ("email", "phone")),
    "Priya Raman": ("Asia/Kolkata", "admin", "Payments lead", ("email", "phone", "push_notification")),
    "Jonas Lindqvist": ("Europe/Stockholm", "limited_user", "Engineer", ("email", "sms")),
    "Amara Okafor": ("Africa/Lagos", "user", "Platform lead", ("email", "phone")),
    "Luc Delorme": ("America/Montreal", "limited_user", "Engineer", ("email", "push_notification")),
    "Mei Tanaka": ("Asia/Tokyo", "limited_user", "Engineer", ("email",)),
    "Sofia Castro": ("America/Bogota", "observer", "Director", ("email", "phone")),
}

# The business and technical services that each business service needs, by name.
_BUSINESS: Final = {
    "Shopping": ("Shop web", "Search", "Image CDN"),
    "Paying": ("Checkout API", "Payment gateway"),
    "Online shop": ("Shopping", "Paying"),
}
_TECHNICAL: Final = (
    ("Shop web", "Search"),
    ("Shop web", "Edge proxies"),
    ("Shop web", "Image CDN"),
    ("Shop web", "Checkout API"),
    ("Checkout API", "Order database"),
    ("Checkout API", "Payment gateway"),
)

_CHANGES: Final = (
    ("Checkout API", "Release 412: retry failed card authorisations", 3),
    ("Order database", "Schema migration 88: index on orders.created_at", 9),
    ("Shop web", "Feature flag: new product page for one user in ten", 20),
    ("Edge proxies", "Configuration: shorter upstream timeout", 50),
    ("Payment gateway", "Certificate renewed", 170),
)


def furnished_shop(*, now: Callable[[], datetime], seed: int, site: Site | None = None) -> Account:
    """Return the account of `online_shop` with more objects; the same seed and time give the same account."""
    account = online_shop(now=now, seed=seed, site=site)
    rng = random.Random(f"furniture/{seed}")
    _introduce(account, rng)
    _schedule(account, rng)
    _connect(account, rng)
    return account


def _introduce(account: Account, rng: random.Random) -> None:
    """Give users time zones, roles and contact methods, also where policies hold them."""
    for user in tuple(account.users.values()):
        zone, role, title, kinds = _PEOPLE[user.name]
        methods = tuple(_contact_method(user, kind, rng) for kind in kinds)
        # A generator of its own: the ids of everything else stay as they are.
        rules = notification_rules(methods, _rule_plan(kinds), random.Random(f"rules/{user.id}"))
        account.users[user.id] = replace(
            user,
            time_zone=zone,
            role=role,
            job_title=title,
            contact_methods=methods,
            notification_rules=rules,
        )
    for policy in tuple(account.escalation_policies.values()):
        levels = tuple(
            tuple(account.users[target.id] if isinstance(target, User) else target for target in level)
            for level in policy.levels
        )
        delays, rule_ids = (15,) * len(levels), tuple(identifiers.object_id(rng) for _ in levels)
        account.save_policy(
            replace(policy, levels=levels, delays_minutes=delays, rule_ids=rule_ids, num_loops=1)
        )


def _rule_plan(kinds: tuple[str, ...]) -> RulePlan:
    """Plan the rules: the loudest ways first, five minutes apart, for high urgency; e-mail for low."""
    loudest_first = sorted(kinds, key=_LOUDNESS.index)
    high = tuple(("high", 5 * place, kind) for place, kind in enumerate(loudest_first))
    return (*high, ("low", 0, "email"))


def _contact_method(user: User, kind: str, rng: random.Random) -> ContactMethod:
    by_mail = kind == "email"
    address = user.email if by_mail else f"30{rng.randrange(1_000_000, 9_999_999)}"
    return ContactMethod(identifiers.object_id(rng), kind, "Work" if by_mail else "Mobile", address)


def _schedule(account: Account, rng: random.Random) -> None:
    ids = {user.name: user.id for user in account.users.values()}
    begin = _a_monday(account.now(), "Europe/Berlin")
    storefront = LayerSchedule(
        identifiers.object_id(rng),
        "Storefront primary",
        "Europe/Berlin",
        (
            Layer(
                identifiers.object_id(rng),
                "Weekly",
                begin,
                (ids["Ines Albrecht"], ids["Tomasz Wolny"]),
                _ONE_WEEK,
                begin,
            ),
            Layer(
                identifiers.object_id(rng),
                "Saturdays",
                begin,
                (ids["Sofia Castro"],),
                _ONE_WEEK,
                begin,
                restrictions=(Restriction(time(8), timedelta(hours=12), 6),),
            ),
        ),
        description="Hands over on Mondays at nine",
    )
    platform = LayerSchedule(
        identifiers.object_id(rng),
        "Platform office hours",
        "America/New_York",
        (
            Layer(
                identifiers.object_id(rng),
                "Office hours",
                begin,
                (ids["Amara Okafor"], ids["Luc Delorme"], ids["Mei Tanaka"]),
                _ONE_DAY,
                begin,
                restrictions=tuple(Restriction(time(9), timedelta(hours=8), day) for day in range(1, 6)),
            ),
        ),
    )
    unused = LayerSchedule(identifiers.object_id(rng), "Old pager list", "UTC", ())
    schedules: tuple[Schedule, ...] = (storefront, platform, unused, _payments(account, ids, begin, rng))
    teams = {policy.name: policy.teams for policy in account.escalation_policies.values()}
    policy_names = ("Storefront on-call", "Platform on-call", None, "Payments on-call")
    for schedule, policy_name in zip(schedules, policy_names, strict=True):
        account.belongings.schedules[schedule.id] = schedule
        if policy_name is not None:
            schedule.teams = teams[policy_name]
            _put_on_first_level(account, policy_name, schedule)


def _payments(account: Account, ids: dict[str, str], begin: datetime, rng: random.Random) -> ShiftSchedule:
    """Return a schedule with a day and a night rotation; every third night is deliberately empty."""

    def event(name: str, hour: int, hours: int, rule: str, members: tuple[str | None, ...]) -> RotationEvent:
        zone = ZoneInfo("Asia/Kolkata")
        start = datetime.combine(begin.astimezone(zone).date(), time(hour), zone)
        event_id = identifiers.event_id(account.now(), rng)
        end = start + timedelta(hours=hours)
        return RotationEvent(event_id, name, start, end, zone.key, begin - _ONE_DAY, (rule,), members)

    day = event("Days", 8, 12, "RRULE:FREQ=DAILY", (ids["Priya Raman"], ids["Jonas Lindqvist"]))
    nights = (ids["Jonas Lindqvist"], None, ids["Sofia Castro"])
    night = event("Nights", 20, 12, "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", nights)
    leads = event(
        "Release day", 10, 4, "RRULE:FREQ=WEEKLY;BYDAY=WE", (ids["Priya Raman"], ids["Ines Albrecht"])
    )
    leads = replace(leads, strategy="every_member_assignment_strategy")
    rotations = {}
    for events in ((day, leads), (night,)):
        rotation = Rotation(
            identifiers.event_id(account.now(), rng),
            {rotation_event.id: rotation_event for rotation_event in events},
        )
        rotations[rotation.id] = rotation
    return ShiftSchedule(identifiers.object_id(rng), "Payments around the clock", "Asia/Kolkata", rotations)


def _put_on_first_level(account: Account, policy_name: str, schedule: Schedule) -> None:
    policy = next(
        escalation_policy
        for escalation_policy in account.escalation_policies.values()
        if escalation_policy.name == policy_name
    )
    target = ScheduleTarget(schedule.id, schedule.name, schedule.kind)
    levels: tuple[tuple[EscalationTarget, ...], ...] = ((target,), *policy.levels[1:])
    account.save_policy(replace(policy, levels=levels))


def _a_monday(now: datetime, zone_name: str) -> datetime:
    """Return the Monday half a year ago at nine in the zone's local time, in UTC."""
    zone = ZoneInfo(zone_name)
    day = now.astimezone(zone).date() - 26 * _ONE_WEEK
    monday = datetime.combine(day - timedelta(days=day.weekday()), time(9), zone)
    return monday.astimezone(UTC)


def _connect(account: Account, rng: random.Random) -> None:
    """Add business services, dependencies and recent changes."""
    services = {service.name: service for service in account.services.values()}
    nodes = {name: ("technical_service", service.id) for name, service in services.items()}
    owned, team = account.belongings, next(iter(account.teams.values()))
    for name in _BUSINESS:
        business = BusinessService(
            identifiers.object_id(rng), name, f"{name}, as customers see it", "Ines Albrecht", team
        )
        owned.business_services[business.id] = business
        nodes[name] = ("business_service", business.id)
    needs = [(name, needed) for name, several in _BUSINESS.items() for needed in several]
    for dependent, needed in (*needs, *_TECHNICAL):
        edge_id = identifiers.incident_id(rng)
        owned.dependencies.append(Dependency(edge_id, nodes[needed], nodes[dependent]))
    for name, summary, hours in _CHANGES:
        at = account.now() - timedelta(hours=hours)
        write_change(account, services[name], at, summary, rng)
