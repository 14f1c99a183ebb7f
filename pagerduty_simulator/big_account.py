"""Make a large company's account in seconds, to measure the cost of contexts on it."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator import identifiers
from pagerduty_simulator.account import Account
from pagerduty_simulator.belongings import BusinessService, Dependency
from pagerduty_simulator.packs.vocabulary import CHANGES, TROUBLES, Trouble
from pagerduty_simulator.past import IncidentLife, write_change, write_past
from pagerduty_simulator.references import Site
from pagerduty_simulator.resources import Service, User

_TIERS: Final = 8
_TEAMS: Final = 40
_PEOPLE: Final = 240
_BUSINESS: Final = 30
#: How many days back incidents and changes go.
_DAYS: Final = 180.0
_DAYS_OF_CHANGES: Final = 30.0
_WORDS: Final = ("ledger", "parcel", "tariff", "basket", "vault", "radar", "quota", "badge", "relay", "index")
_PARTS: Final = ("api", "database", "worker", "cache", "gateway", "stream")
_ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo", "Asia/Kolkata")


def big_account(
    *,
    now: Callable[[], datetime],
    seed: int,
    services: int = 500,
    dependencies: int = 2_000,
    incidents: int = 10_000,
    changes: int = 20_000,
    site: Site | None = None,
) -> Account:
    """Return an account of this size without open incidents; the same seed and time give the same account."""
    account, rng = Account(now=now, rng=random.Random(f"big/{seed}"), site=site), random.Random(seed)
    for name in ("P1", "P2", "P3", "P4", "P5"):
        account.add_priority(name)
    all_services = _services(account, rng, services)
    _depend(account, rng, all_services, dependencies)
    _live(account, rng, all_services, incidents)
    ends_at = now()
    for service in rng.choices(all_services, k=changes):
        at = ends_at - timedelta(days=rng.random() * _DAYS_OF_CHANGES)
        write_change(account, service, at, _fill_template(rng.choice(CHANGES), rng), rng)
    return account


def _fill_template(template: str, rng: random.Random) -> str:
    return template.replace("#", str(rng.randrange(3, 990))).replace("@", f"node-{rng.randrange(1, 99)}")


def _services(account: Account, rng: random.Random, count: int) -> list[Service]:
    people = [
        account.add_user(f"Person {number}", f"person-{number}@conglomerate.example", rng.choice(_ZONES))
        for number in range(1, _PEOPLE + 1)
    ]
    policies = []
    for number in range(_TEAMS):
        team, members = account.add_team(f"Team {number + 1}"), people[number::_TEAMS]
        levels = ((members[0], members[1]), (members[2],), (members[3],))
        policies.append(account.add_escalation_policy(f"Policy of team {number + 1}", levels, (team,)))
    services = []
    for number in range(count):
        policy = rng.choice(policies)
        word, part = _WORDS[number % len(_WORDS)], _PARTS[number // len(_WORDS) % len(_PARTS)]
        services.append(account.add_service(f"{word}-{part}-{number + 1}", policy, policy.teams))
    return services


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


def _live(account: Account, rng: random.Random, services: list[Service], count: int) -> None:
    ends_at = account.now() - timedelta(minutes=10)
    # Few services make most of the noise.
    weights = [rng.paretovariate(1.2) for _ in services]
    lives = []
    for service in rng.choices(services, weights=weights, k=count):
        trouble: Trouble = rng.choice(rng.choice(TROUBLES))
        resolved_at = ends_at - timedelta(days=rng.random() * _DAYS)
        lives.append(_life(service, trouble, resolved_at, rng))
    write_past(account, lives, rng)


def _life(service: Service, trouble: Trouble, resolved_at: datetime, rng: random.Random) -> IncidentLife:
    paged = tuple(target for target in service.escalation_policy.levels[0] if isinstance(target, User))
    opened_at = resolved_at - timedelta(minutes=3 + rng.expovariate(1 / 45))
    title, key = f"{service.name}: {_fill_template(trouble.title, rng)}", f"{service.name}/{trouble.check}"
    if rng.random() < trouble.heals_itself:
        return IncidentLife(
            service, title, opened_at, paged, resolved_at, alert_key=key, urgency=trouble.urgency
        )
    responder = rng.choice(paged)
    return IncidentLife(
        service,
        title,
        opened_at,
        paged,
        resolved_at,
        acknowledged_at=opened_at + (resolved_at - opened_at) * rng.uniform(0.05, 0.5),
        acknowledged_by=responder,
        resolved_by=responder,
        alert_key=key,
        urgency=trouble.urgency,
        resolution=_fill_template(trouble.resolution, rng),
    )
