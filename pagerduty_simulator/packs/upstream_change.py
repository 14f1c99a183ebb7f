"""A pack: a change some hops upstream made a service fail, and nothing else failed on the way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.packs import vocabulary
from pagerduty_simulator.packs.company import Company, CompanySize, ServiceProfile, build_company
from pagerduty_simulator.packs.everyday import CAUSED_BY_A_CHANGE, deploy, draw_life
from pagerduty_simulator.packs.present import Present
from pagerduty_simulator.packs.truth import CauseLaw, PackWorld
from pagerduty_simulator.past import IncidentLife, poisson_moments
from pagerduty_simulator.references import Site

BREAKING_KIND: Final = "Schema migration #"
ROLLBACK: Final = "Roll back release #"
#: How long before the incident the change came, in minutes: equally likely in between.
LEAD_MINUTES: Final = (2.0, 12.0)
#: How many hops upstream causes are looked for.
_ANY_DISTANCE: Final = (0, 1, 2, 3)
_ORDINARY_KINDS: Final = tuple(kind for kind in vocabulary.CHANGES if kind != BREAKING_KIND)


@dataclass(frozen=True, slots=True)
class UpstreamWorld:
    """What distinguishes a kind of world; rates are per day."""

    hops: int
    #: All services change so many times as often as usual.
    busyness: float = 1.0
    #: The guilty service's own rate of changes, if it isn't drawn.
    changes_per_day: float | None = None
    #: If it is set, only BREAKING_KIND breaks anything, and comes at this rate on the guilty service.
    breaking_per_day: float | None = None
    #: So many past incidents of the service came after changes of the guilty service, in the last month.
    precedents: int = 0
    #: Each of those was ended by a rollback.
    is_rolled_back: bool = False


def upstream_change(
    kind: UpstreamWorld,
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return the world. The placebo has the same past, and no change was planted before its incident."""
    size = shape or CompanySize(days=60.0)
    size = replace(size, deploys=(size.deploys[0] * kind.busyness, size.deploys[1] * kind.busyness))
    company, seen, guilty = _company_with_a_way(kind, now, seed, size, site)
    rng, present = company.rng, Present(company)
    rates = _change_rates(company, kind, guilty)
    if kind.breaking_per_day is not None:
        guilty.deploys_per_day = 0.0
        _deploy_by_kind(company, guilty, rates)
    elif kind.changes_per_day is not None:
        guilty.deploys_per_day = kind.changes_per_day
    failed_at = company.now - timedelta(minutes=rng.uniform(3, 8))
    lives = [_precedent(company, kind, seen, guilty, failed_at) for _ in range(kind.precedents)]
    present.begin_after(failed_at, (seen,), lives)
    law = CauseLaw(
        rates,
        _cause_shares(company, kind, seen, guilty, (kind.hops,)),
        _cause_shares(company, kind, seen, guilty, _ANY_DISTANCE),
        LEAD_MINUTES,
    )
    change_id = None
    if not placebo:
        at = failed_at - timedelta(minutes=rng.uniform(*LEAD_MINUTES))
        change_id = deploy(company, guilty, at, _summary(company, kind))
    truth = replace(present.truth(present.open(seen, failed_at), seen), law=law)
    if change_id is None:
        return present.world(truth)
    return present.world(
        replace(
            truth,
            causes=(change_id,),
            origin=change_id,
            origin_service_id=guilty.service.id,
            chain_service_ids=(guilty.service.id,),
        )
    )


def _company_with_a_way(
    kind: UpstreamWorld, now: Callable[[], datetime], seed: object, size: CompanySize, site: Site | None
) -> tuple[Company, ServiceProfile, ServiceProfile]:
    """Draw companies until one has a service exactly so many hops upstream of another."""
    attempt = 0
    while True:
        name = f"upstream/{kind.hops}/{seed}/{attempt}"
        company = build_company(now=now, seed=name, shape=size, site=site)
        pairs = [
            (seen, company.profiles[service_id])
            for seen in company.profiles.values()
            for service_id, hops in hops_upstream(company, seen).items()
            if hops == kind.hops
        ]
        if pairs:
            return company, *company.rng.choice(pairs)
        attempt += 1


def hops_upstream(company: Company, seen: ServiceProfile) -> dict[str, int]:
    """Return how many hops each service lies upstream of the `seen` one, 0 for itself."""
    hops = {seen.service.id: 0}
    wave = [seen.service.id]
    while wave:
        below = [
            dependency.supporting[1]
            for dependency in company.account.belongings.dependencies
            if dependency.dependent[1] in wave
        ]
        wave = [service_id for service_id in dict.fromkeys(below) if service_id not in hops]
        hops |= dict.fromkeys(wave, max(hops.values()) + 1)
    return hops


def _change_rates(
    company: Company, kind: UpstreamWorld, guilty: ServiceProfile
) -> dict[tuple[str, str], float]:
    """Return the true rate of each service's changes by kind, those before everyday incidents included."""
    rates = {}
    for profile in company.profiles.values():
        own = profile.deploys_per_day
        if profile is guilty and kind.changes_per_day is not None:
            own = kind.changes_per_day
        split = profile is guilty and kind.breaking_per_day is not None
        for template in vocabulary.CHANGES:
            everyday = CAUSED_BY_A_CHANGE * profile.incidents_per_day / len(vocabulary.CHANGES)
            rate = own / len(vocabulary.CHANGES)
            if split:
                rate = own / len(_ORDINARY_KINDS)
                if template == BREAKING_KIND:
                    rate = kind.breaking_per_day or 0.0
            rates[profile.service.id, template] = rate + everyday
    return rates


def _cause_shares(
    company: Company,
    kind: UpstreamWorld,
    seen: ServiceProfile,
    guilty: ServiceProfile,
    distances: Sequence[int],
) -> dict[tuple[str, str], float]:
    """Return how likely the cause is of each service and kind, if each distance is equally likely.

    With precedents, or a rate of its own, the guilty service is known by them.
    """
    kinds = vocabulary.CHANGES if kind.breaking_per_day is None else (BREAKING_KIND,)
    rings: dict[int, list[str]] = {}
    for service_id, hops in hops_upstream(company, seen).items():
        if hops in distances:
            rings.setdefault(hops, []).append(service_id)
    if kind.precedents or kind.changes_per_day is not None:
        rings = {kind.hops: [guilty.service.id]}
    return {
        (service_id, template): 1 / len(rings) / len(services) / len(kinds)
        for services in rings.values()
        for service_id in services
        for template in kinds
    }


def _summary(company: Company, kind: UpstreamWorld) -> str | None:
    if kind.breaking_per_day is None:
        return None
    return BREAKING_KIND.replace("#", str(company.rng.randrange(3, 990)))


def _deploy_by_kind(company: Company, guilty: ServiceProfile, rates: dict[tuple[str, str], float]) -> None:
    since = company.now - timedelta(days=company.shape.days)
    for template in vocabulary.CHANGES:
        for at in poisson_moments(company.rng, rates[guilty.service.id, template], since, company.now):
            deploy(company, guilty, at, template.replace("#", "7").replace("@", "node-1"))


def _precedent(
    company: Company, kind: UpstreamWorld, seen: ServiceProfile, guilty: ServiceProfile, until: datetime
) -> IncidentLife:
    rng = company.rng
    at = until - timedelta(days=rng.uniform(0.3, 28))
    deploy(company, guilty, at - timedelta(minutes=rng.uniform(*LEAD_MINUTES)), _summary(company, kind))
    if kind.is_rolled_back:
        deploy(
            company,
            guilty,
            at + timedelta(minutes=rng.uniform(3, 15)),
            ROLLBACK.replace("#", str(rng.randrange(3, 990))),
        )
    return draw_life(company, seen, at, until)
