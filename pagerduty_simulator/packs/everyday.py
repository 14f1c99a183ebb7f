"""Everyday incidents and changes of a company, at each service's own rate."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.account import Account
from pagerduty_simulator.packs import vocabulary
from pagerduty_simulator.packs.company import Company, ServiceProfile
from pagerduty_simulator.packs.vocabulary import Trouble
from pagerduty_simulator.past import IncidentLife, poisson_moments, write_change
from pagerduty_simulator.resources import EscalationPolicy, Priority, Service, User

#: After this time without an acknowledgement, the policy's next level is paged.
_ESCALATES_AFTER: Final = timedelta(minutes=15)
#: The share of incidents that follow a change by minutes.
CAUSED_BY_A_CHANGE: Final = 0.15
#: The share of incidents that spread to a dependent service.
_SPREADS: Final = 0.12
_ASIDES: Final = ("Looking into it.", "Customers notice.", "Same as last month?", "Numbers are falling.")


def background_incidents(company: Company, until: datetime) -> list[IncidentLife]:
    """Return the incidents of all services before `until`; those that would end later are open."""
    rng, since = company.rng, company.now - timedelta(days=company.shape.days)
    lives: list[IncidentLife] = []
    for profile in company.profiles.values():
        for at in poisson_moments(rng, profile.incidents_per_day, since, until):
            lives.append(draw_life(company, profile, at, until))
            if rng.random() < CAUSED_BY_A_CHANGE:
                deploy(company, profile, at - timedelta(minutes=rng.uniform(2, 25)))
            if rng.random() < _SPREADS:
                lives += _spread(company, profile, at, until)
    return lives


def background_changes(company: Company) -> None:
    """Add the changes of all services until now."""
    since = company.now - timedelta(days=company.shape.days)
    for profile in company.profiles.values():
        for at in poisson_moments(company.rng, profile.deploys_per_day, since, company.now):
            deploy(company, profile, at)


def deploy(company: Company, profile: ServiceProfile, at: datetime, summary: str | None = None) -> str:
    """Add a change to a service; return its id."""
    rng = company.rng
    text = summary or fill_template(rng.choice(vocabulary.CHANGES), rng)
    return write_change(company.account, profile.service, at, text, rng).id


def fill_template(template: str, rng: random.Random) -> str:
    """Fill in a random number and host."""
    return template.replace("#", str(rng.randrange(3, 990))).replace("@", f"node-{rng.randrange(1, 9)}")


def title_of(service: Service, trouble: Trouble, rng: random.Random) -> str:
    """Return the monitoring tool's title for a trouble."""
    return f"{service.name}: {fill_template(trouble.title, rng)}"


def key_of(service: Service, trouble: Trouble) -> str:
    """Return the monitoring tool's key for the trouble."""
    return f"{service.name.lower().replace(' ', '-')}/{trouble.check}"


def draw_trouble(profile: ServiceProfile, rng: random.Random) -> Trouble:
    """Draw a trouble of the service; its first trouble is the most frequent."""
    return rng.choices(profile.troubles, weights=range(len(profile.troubles), 0, -1))[0]


def draw_life(
    company: Company,
    profile: ServiceProfile,
    at: datetime,
    until: datetime,
    *,
    handed_to: EscalationPolicy | None = None,
    trouble: Trouble | None = None,
) -> IncidentLife:
    """Draw an incident: it resolves itself, or somebody is paged and somebody resolves it."""
    rng, service = company.rng, profile.service
    trouble = trouble or draw_trouble(profile, rng)
    on_call = company.on_call(service, at)
    life = IncidentLife(
        service,
        title_of(service, trouble, rng),
        at,
        (on_call,),
        urgency=trouble.urgency,
        alert_key=key_of(service, trouble),
        priority=_a_priority(company.account, rng),
    )
    if handed_to is None and rng.random() < trouble.heals_itself:
        return _cut(replace(life, resolved_at=at + timedelta(minutes=2 + rng.expovariate(1 / 8))), until)
    acknowledged_at = at + timedelta(minutes=0.5 + rng.expovariate(1 / 5))
    if acknowledged_at - at > _ESCALATES_AFTER:
        (on_call,) = (target for target in service.escalation_policy.levels[1] if isinstance(target, User))
        life = replace(life, escalated_at=at + _ESCALATES_AFTER, escalated_to=(on_call,))
    if handed_to is None and rng.random() < company.shape.handed_by_chance:
        handed_to = rng.choice(
            [policy for policy in company.policies if policy.id != service.escalation_policy.id]
        )
    mender = company.responder(service, at)
    if handed_to is not None:
        mender = company.responder_of_policy(handed_to)
    life = replace(
        life,
        acknowledged_at=acknowledged_at,
        acknowledged_by=on_call,
        handed_to=handed_to,
        taken_by=mender if mender.id != on_call.id or handed_to else None,
        resolved_by=mender,
        resolved_at=acknowledged_at + timedelta(minutes=5 + rng.expovariate(1 / 50)),
        resolution=fill_template(trouble.resolution, rng),
        notes=(rng.choice(_ASIDES),) if rng.random() < 0.4 else (),
    )
    return _cut(life, until)


def _a_priority(account: Account, rng: random.Random) -> Priority | None:
    return rng.choice([None, None, *account.priorities.values()])


def _cut(life: IncidentLife, until: datetime) -> IncidentLife:
    """Return the incident's state at `until`: an incident that ends later is still open."""
    if life.resolved_at is not None and life.resolved_at < until:
        return life
    life = replace(life, resolved_at=None, resolved_by=None, resolution=None, notes=())
    if life.acknowledged_at is not None and life.acknowledged_at < until - timedelta(seconds=1):
        return life
    if life.escalated_at is not None and life.escalated_at >= until:
        life = replace(life, escalated_at=None, escalated_to=())
    return replace(life, acknowledged_at=None, acknowledged_by=None, handed_to=None, taken_by=None)


def _spread(
    company: Company, profile: ServiceProfile, at: datetime, until: datetime
) -> Iterator[IncidentLife]:
    """Yield an incident of a random dependent service, minutes later."""
    here = ("technical_service", profile.service.id)
    above = [
        dependency.dependent[1]
        for dependency in company.account.belongings.dependencies
        if dependency.supporting == here
    ]
    above = [service_id for service_id in above if service_id in company.profiles]
    later = at + timedelta(seconds=company.rng.uniform(20, 300))
    if above and later < until:
        yield draw_life(company, company.profiles[company.rng.choice(above)], later, until)
