"""A random company: teams around the world, services with dependencies, and experts."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import BusinessService, Dependency
from pagerduty_simulator.contacts import contact_method, notification_rules, phone_number
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule
from pagerduty_simulator.packs import vocabulary
from pagerduty_simulator.packs.vocabulary import Trouble
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import EscalationPolicy, ScheduleTarget, Service, User
from pagerduty_simulator.shifts import Shift

_WEEK: Final = timedelta(weeks=1)
_TEAMS: Final = ("Data", "Core", "Commerce", "Front")


@dataclass(frozen=True, slots=True)
class CompanySize:
    """The company's size and rates of events; rates are per service and day."""

    services: int = 14
    people_per_team: int = 4
    days: float = 120.0
    incidents: tuple[float, float] = (0.02, 0.3)
    deploys: tuple[float, float] = (0.05, 0.8)
    #: The share of incidents that the person on call resolves instead of an expert.
    mended_by_chance: float = 0.15
    #: The share that is handed to a random other team.
    handed_by_chance: float = 0.06


@dataclass(slots=True)
class ServiceProfile:
    """A service with its tier, rates and experts; the first expert resolves most of its incidents."""

    service: Service
    tier: int
    troubles: tuple[Trouble, ...]
    experts: tuple[User, ...]
    incidents_per_day: float
    deploys_per_day: float


@dataclass(slots=True)
class Company:
    """An account under construction, with its random generator."""

    account: Account
    rng: random.Random
    shape: CompanySize
    now: datetime
    profiles: dict[str, ServiceProfile] = field(default_factory=dict)
    policies: list[EscalationPolicy] = field(default_factory=list)
    members: dict[str, tuple[User, ...]] = field(default_factory=dict)
    _shifts: dict[str, list[Shift]] = field(default_factory=dict)

    def tier(self, number: int) -> list[ServiceProfile]:
        """Return the services of one tier, 0 at the bottom."""
        return [entry for entry in self.profiles.values() if entry.tier == number]

    def needs(self, dependent: Service, supporting: Service) -> None:
        """Add a dependency between two technical services, unless it exists."""
        ends = ("technical_service", supporting.id), ("technical_service", dependent.id)
        owned = self.account.belongings.dependencies
        if not any((dependency.supporting, dependency.dependent) == ends for dependency in owned):
            owned.append(Dependency(identifiers.incident_id(self.rng), *ends))

    def on_call(self, service: Service, at: datetime) -> User:
        """Return who was on call on the first level of the service's policy."""
        target = self.account.escalation_policies[service.escalation_policy.id].levels[0][0]
        assert isinstance(target, ScheduleTarget)
        shift = self._shift(target.id, at)
        assert shift.user_id is not None
        return self.account.users[shift.user_id]

    def _shift(self, schedule_id: str, at: datetime) -> Shift:
        """Return a schedule's shift. No schedule changes while a company is under construction."""
        known = self._shifts.setdefault(schedule_id, [])
        for shift in known:
            if shift.start <= at < shift.end:
                return shift
        schedule = self.account.belongings.schedules[schedule_id]
        # In a shift's last second the next one begins within the window, too.
        shift = schedule.final_shifts(at, at + timedelta(seconds=1))[0]
        known.append(shift)
        return shift

    def responder(self, service: Service, at: datetime) -> User:
        """Draw who resolves an incident: an expert, or sometimes the person on call."""
        if self.rng.random() < self.shape.mended_by_chance:
            return self.on_call(service, at)
        return self._weighted_choice(self.profiles[service.id].experts)

    def responder_of_policy(self, policy: EscalationPolicy) -> User:
        """Draw who of the policy's team resolves an incident that was handed to it."""
        return self._weighted_choice(self.members[policy.teams[0].id])

    def _weighted_choice(self, people: tuple[User, ...]) -> User:
        return self.rng.choices(people, weights=range(len(people), 0, -1))[0]


def build_company(
    *, now: Callable[[], datetime], seed: object, shape: CompanySize, site: Site | None
) -> Company:
    """Return a company without a past; the same seed and time give the same company."""
    rng = random.Random(f"company/{seed}")
    company = Company(Account(now=now, rng=rng, site=site), rng, shape, now())
    for name in ("P1", "P2", "P3", "P4", "P5"):
        company.account.add_priority(name)
    _hire(company)
    _build(company)
    _connect(company)
    return company


def _hire(company: Company) -> None:
    account, rng = company.account, company.rng
    people = rng.sample(vocabulary.PEOPLE, min(len(_TEAMS) * company.shape.people_per_team, 18))
    users = []
    for name, zone in people:
        address = f"{name.lower().replace(' ', '.')}@harbour-goods.example"
        users.append(_equipped(account, account.add_user(name, address, zone)))
    begins_at = _monday(company.now - timedelta(days=company.shape.days + 30))
    for number, name in enumerate(_TEAMS):
        team, members = account.add_team(name), tuple(users[number :: len(_TEAMS)])
        schedule = LayerSchedule(
            identifiers.object_id(rng),
            f"{name} on call",
            "Etc/UTC",
            (
                Layer(
                    identifiers.object_id(rng),
                    "Weekly",
                    begins_at,
                    tuple(member.id for member in members[1:]),
                    _WEEK,
                    begins_at,
                ),
            ),
            teams=(team,),
        )
        account.belongings.schedules[schedule.id] = schedule
        levels = ((ScheduleTarget(schedule.id, schedule.name),), (members[0],))
        company.policies.append(account.add_escalation_policy(f"{name} policy", levels, (team,)))
        company.members[team.id] = members


def _equipped(account: Account, user: User) -> User:
    """Give a user a telephone and an app; its generator is its own, so nothing else changes."""
    rng = random.Random(f"equipment/{user.id}")
    kinds = ("push_notification", "phone")
    methods = (
        *user.contact_methods,
        *(contact_method(kind, phone_number(rng), rng) for kind in kinds),
    )
    plan = (("high", 0, "push_notification"), ("high", rng.randrange(2, 8), "phone"), ("low", 0, "email"))
    rules = notification_rules(methods, plan, rng)
    account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
    return account.users[user.id]


def _monday(at: datetime) -> datetime:
    day = at.date() - timedelta(days=at.weekday())
    return datetime.combine(day, time(9), UTC)


def _build(company: Company) -> None:
    """Add the services of each tier; they belong to the tier's team."""
    account, rng, shape = company.account, company.rng, company.shape
    everybody = list(account.users.values())
    for number in range(shape.services):
        tier = number % len(vocabulary.TIERS)
        names = vocabulary.TIERS[tier]
        round_number, place = divmod(number // len(vocabulary.TIERS), len(names))
        name = names[place] if round_number == 0 else f"{names[place]} {round_number + 1}"
        policy = company.policies[tier % len(company.policies)]
        service = account.add_service(name.capitalize(), policy, policy.teams)
        own = company.members[policy.teams[0].id]
        # One service in five has its best expert outside its team.
        experts = rng.sample(own, 2)
        if rng.random() < 0.2:
            experts[0] = rng.choice([user for user in everybody if user not in experts])
        company.profiles[service.id] = ServiceProfile(
            service,
            tier,
            tuple(rng.sample(vocabulary.TROUBLES[tier], 3)),
            tuple(experts),
            _between(rng, shape.incidents),
            _between(rng, shape.deploys),
        )


def _between(rng: random.Random, bounds: tuple[float, float]) -> float:
    """Draw from a log-uniform distribution: few services make most of the noise."""
    low, high = bounds
    return float(low * (high / low) ** rng.random())


def _connect(company: Company) -> None:
    account, rng = company.account, company.rng
    for entry in company.profiles.values():
        below: list[ServiceProfile] = [
            other for other in company.profiles.values() if other.tier < entry.tier
        ]
        nearest = [other for other in below if other.tier == entry.tier - 1]
        if nearest:
            chosen = [rng.choice(nearest), *rng.sample(below, min(len(below), rng.randrange(3)))]
            for other in chosen:
                company.needs(entry.service, other.service)
    for name in vocabulary.BUSINESS:
        business = BusinessService(identifiers.object_id(rng), name, f"{name}, as customers see it")
        account.belongings.business_services[business.id] = business
        fronts = company.tier(len(vocabulary.TIERS) - 1)
        for front in rng.sample(fronts, min(2, len(fronts))):
            ends = ("technical_service", front.service.id), ("business_service", business.id)
            account.belongings.dependencies.append(Dependency(identifiers.incident_id(rng), *ends))
