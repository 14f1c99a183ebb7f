"""A pack: services depend on each other in cycles, and a change to one of them broke others."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pagerduty_simulator.packs.company import Company, CompanySize, ServiceProfile, build_company
from pagerduty_simulator.packs.everyday import deploy
from pagerduty_simulator.packs.present import Present, shift_changes
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.references import Site
from pagerduty_simulator.rest.service_graph import Node, supporting


def cyclic(
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return a world with a dependency cycle of three services, and another of two.

    A change broke the second service and then the first, whose incident is analysed. The placebo has only
    this incident, and its changes are moved by a week; the cycles stay.
    """
    company = build_company(now=now, seed=f"cyclic/{seed}", shape=shape or CompanySize(), site=site)
    rng, present = company.rng, Present(company)
    first, second, third = (rng.choice(company.tier(number)) for number in (2, 1, 3))
    for dependent, needed in ((first, second), (second, third), (third, first)):
        company.needs(dependent.service, needed.service)
    entry, other = rng.sample(company.tier(0), 2)
    company.needs(entry.service, other.service)
    company.needs(other.service, entry.service)
    second.deploys_per_day = rng.uniform(0.05, 0.3)
    failed_at = company.now - timedelta(minutes=rng.uniform(4, 7))
    present.begin_after(failed_at, (first, second, third))
    circles = _circles(company, first)
    if placebo:
        since = company.now - timedelta(days=company.shape.days)
        shift_changes(company.account, timedelta(days=7), since, company.now)
        truth = present.truth(present.open(first, failed_at), first)
        return present.world(replace(truth, cycles=circles))
    change_id = deploy(company, second, failed_at - timedelta(minutes=rng.uniform(2, 10)))
    cause = present.open(second, failed_at)
    seen = present.open(first, failed_at + timedelta(seconds=rng.uniform(20, 150)))
    return present.world(
        replace(
            present.truth(seen, first),
            causes=(change_id, cause),
            origin=change_id,
            origin_service_id=second.service.id,
            chain_service_ids=(second.service.id,),
            cycles=circles,
        )
    )


def _circles(company: Company, seen: ServiceProfile) -> tuple[frozenset[str], ...]:
    """Return the sets of services that depend on each other, up- and downstream of the `seen` service."""
    edges = company.account.belongings.dependencies
    needs: dict[str, set[Node]] = {
        service_id: supporting(edges, ("technical_service", service_id)) for service_id in company.profiles
    }

    def needed(service_id: str, by: str) -> bool:
        return ("technical_service", service_id) in needs[by]

    circles = {
        frozenset(
            other
            for other in company.profiles
            if needed(other, by=service_id) and needed(service_id, by=other)
        )
        for service_id in company.profiles
        if needed(service_id, by=seen.service.id) or needed(seen.service.id, by=service_id)
    }
    return tuple(sorted((circle for circle in circles if len(circle) > 1), key=sorted))
