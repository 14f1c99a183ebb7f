"""A company whose on-call is in order: the ground in which the on-call packs plant their faults.

Each team has eight people of one time zone. They take daily turns on the first level, and four days later on
the second; the team's lead is the third level. So everybody has a quarter of the time, with days of rest
between, and nobody is on two levels at once. All answer what they are paged for within minutes.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.contacts import RulePlan, contact_method, notification_rules, phone_number
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule
from pagerduty_simulator.pages import Page
from pagerduty_simulator.past import poisson_moments
from pagerduty_simulator.played_past import PlayedLife, play_past
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import EscalationPolicy, ScheduleTarget, Service, Team, User
from pagerduty_simulator.shift_schedules import Rotation, RotationEvent, ShiftSchedule
from pagerduty_simulator.zones import zone_info

PEOPLE_PER_TEAM: Final = 8
DELAYS: Final = (10, 15, 20)
DAYS: Final = 120
#: Incidents per service and day; each team has two services.
RATE: Final = 0.2

_ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
_TEAMS: Final = ("Harbour", "Ledger", "Orchard")
_SERVICES: Final = ("api", "worker")
_FIRST: Final = (
    "Ada", "Bo", "Cem", "Dana", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo", "Kai", "Lea", "Mia", "Ned", "Oda",
)  # fmt: skip
_LAST: Final = ("Arden", "Birch", "Cole", "Dietz", "Ekman", "Frost", "Grau", "Holm")
_DAY: Final = timedelta(days=1)
_PLAN: Final[RulePlan] = (("high", 0, "push_notification"), ("high", 2, "phone"), ("low", 0, "email"))


@dataclass(slots=True)
class OnCallTeam:
    """A team: its pool takes turns on the schedules of the first and the second level."""

    team: Team
    pool: list[User]
    lead: User
    policy_id: str
    primary_id: str
    secondary_id: str
    service_ids: list[str]


@dataclass(slots=True)
class OnCallCompany:
    """An account under construction."""

    account: Account
    rng: random.Random
    now: datetime
    teams: list[OnCallTeam] = field(default_factory=list)
    lives: list[PlayedLife] = field(default_factory=list)
    #: Incidents, by title, whose pages nobody answers.
    unanswered: set[str] = field(default_factory=set)

    def policy(self, team: OnCallTeam) -> EscalationPolicy:
        """Return the team's policy as it is now."""
        return self.account.escalation_policies[team.policy_id]

    def layered(self, schedule_id: str) -> LayerSchedule:
        """Return a schedule of layers. Raises TypeError for another one."""
        schedule = self.account.belongings.schedules[schedule_id]
        if not isinstance(schedule, LayerSchedule):
            raise TypeError("not a schedule of layers")
        return schedule

    def everyday(self, since: datetime) -> None:
        """Plan everyday incidents of all services."""
        for team in self.teams:
            for service_id in team.service_ids:
                name = self.account.services[service_id].name
                for at in poisson_moments(self.rng, RATE, since, self.now - timedelta(hours=6)):
                    self.lives.append(self.life(service_id, at, f"{name}: errors above {at.minute} %"))

    def life(self, service_id: str, at: datetime, title: str) -> PlayedLife:
        """Return an incident that somebody resolves within the hour."""
        minutes = self.rng.uniform(3, 28)
        return PlayedLife(service_id, title, at, timedelta(minutes=minutes), found_after=timedelta(hours=3))

    def play(self) -> None:
        """Let all planned incidents happen."""
        since = min((life.opened_at for life in self.lives), default=self.now) - _DAY
        play_past(self.account, self.lives, self._answer, since)

    def _answer(self, page: Page) -> timedelta | None:
        if self.account.incident(page.incident_id).title in self.unanswered:
            return None
        return timedelta(seconds=self.rng.uniform(15, 400))


def build_on_call_company(
    *, now: Callable[[], datetime], seed: object, site: Site | None = None, shifts: bool = False
) -> OnCallCompany:
    """Return a company without a past; with `shifts` its schedules are of the v3 kind."""
    rng = random.Random(f"on-call company/{seed}")
    account = Account(now=now, rng=random.Random(f"on-call account/{seed}"), site=site)
    company = OnCallCompany(account, rng, now().replace(microsecond=0))
    for name in ("P1", "P2", "P3"):
        account.add_priority(name)
    names = [f"{first} {last}" for first in _FIRST for last in _LAST]
    rng.shuffle(names)
    for number in range(rng.randrange(2, len(_TEAMS) + 1)):
        hired = [names.pop() for _ in range(PEOPLE_PER_TEAM + 1)]
        company.teams.append(_team(company, _TEAMS[number], rng.choice(_ZONES), hired, shifts=shifts))
    return company


def _team(company: OnCallCompany, name: str, zone: str, hired: Sequence[str], *, shifts: bool) -> OnCallTeam:
    account = company.account
    team = account.add_team(name)
    lead, *pool = (hire(company, person, zone) for person in hired)
    for user in pool:
        account.add_member(team.id, user.id)
    account.add_member(team.id, lead.id, "manager")
    ids = [user.id for user in pool]
    make = shift_rota if shifts else layer_rota
    primary = make(company, f"{name} primary", zone, ids, team)
    half = len(ids) // 2
    secondary = make(company, f"{name} secondary", zone, [*ids[half:], *ids[:half]], team)
    levels = (
        (ScheduleTarget(primary.id, primary.name, primary.kind),),
        (ScheduleTarget(secondary.id, secondary.name, secondary.kind),),
        (lead,),
    )
    policy = account.add_escalation_policy(f"{name} policy", levels, (team,))
    rule_ids = tuple(identifiers.object_id(company.rng) for _ in levels)
    account.save_policy(replace(policy, delays_minutes=DELAYS, rule_ids=rule_ids, num_loops=2))
    services = [_service(account, f"{name} {kind}", policy.id, team).id for kind in _SERVICES]
    return OnCallTeam(team, pool, lead, policy.id, primary.id, secondary.id, services)


def _service(account: Account, name: str, policy_id: str, team: Team) -> Service:
    service = account.add_service(name, account.escalation_policies[policy_id], (team,))
    description = f"What customers see of {name}"
    account.save_service(replace(service, description=description, auto_resolve_timeout=None))
    return account.services[service.id]


def hire(company: OnCallCompany, name: str, zone: str, plan: RulePlan = _PLAN) -> User:
    """Add a person who can be reached in every way of the plan."""
    account, rng = company.account, company.rng
    user = account.add_user(name, f"{name.lower().replace(' ', '.')}@orderly.example", zone, "limited_user")
    kinds = ("push_notification", "phone")
    methods = (*user.contact_methods, *(contact_method(kind, phone_number(rng), rng) for kind in kinds))
    rules = notification_rules(methods, plan, rng)
    account.save_user(replace(user, contact_methods=methods, notification_rules=rules))
    return account.users[user.id]


def first_handover(company: OnCallCompany, zone: str) -> datetime:
    """Return nine o'clock in the zone, half a year ago."""
    local = (company.now - 182 * _DAY).astimezone(zone_info(zone))
    return local.replace(hour=9, minute=0, second=0, microsecond=0)


def layer_rota(
    company: OnCallCompany, name: str, zone: str, user_ids: Sequence[str], team: Team
) -> LayerSchedule:
    """Add a schedule of one layer in which the users take daily turns, without an end."""
    begin = first_handover(company, zone)
    layer = Layer(identifiers.object_id(company.rng), "Daily", begin, tuple(user_ids), _DAY, begin)
    schedule = LayerSchedule(identifiers.object_id(company.rng), name, zone, (layer,), teams=(team,))
    company.account.belongings.schedules[schedule.id] = schedule
    return schedule


def shift_rota(
    company: OnCallCompany, name: str, zone: str, user_ids: Sequence[str], team: Team
) -> ShiftSchedule:
    """Add a schedule of one rotation in which the users take daily turns, without an end."""
    begin = first_handover(company, zone)
    rng = company.rng
    event = RotationEvent(
        identifiers.event_id(begin, rng),
        "Daily",
        begin,
        begin + _DAY,
        zone,
        begin,
        ("RRULE:FREQ=DAILY",),
        tuple(user_ids),
    )
    rotation = Rotation(identifiers.event_id(begin, rng), {event.id: event})
    schedule = ShiftSchedule(identifiers.object_id(rng), name, zone, {rotation.id: rotation}, teams=(team,))
    company.account.belongings.schedules[schedule.id] = schedule
    return schedule
