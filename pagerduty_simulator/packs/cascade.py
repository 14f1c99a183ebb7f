"""A pack: a change makes a database fail, and then the services that depend on it, one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from pagerduty_simulator.packs.company import Company, CompanySize, ServiceProfile, build_company
from pagerduty_simulator.packs.everyday import deploy
from pagerduty_simulator.packs.present import Present, shift_changes
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.references import Site
from pagerduty_simulator.rest.service_graph import supporting

DEPENDENTS: Final = 6
_WEEK: Final = timedelta(days=7)
#: A database changes rarely: with frequent changes, a single change would be weak evidence.
_DATABASE_CHANGES_PER_DAY: Final = (0.05, 0.3)


def cascade(
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    seen_from: Literal["origin", "dependent"] = "origin",
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return the world in which a change broke a database and six services that need it.

    `seen_from` selects the incident to analyse. The placebo has only this incident, and its changes are
    moved by a week, so that there is nothing to find.
    """
    company = build_company(now=now, seed=f"cascade/{seed}", shape=shape or CompanySize(), site=site)
    rng, present = company.rng, Present(company)
    database = rng.choice(company.tier(0))
    low, high = _DATABASE_CHANGES_PER_DAY
    database.deploys_per_day = rng.uniform(low, high)
    failing = _dependents(company, database)
    failed_at = company.now - timedelta(minutes=rng.uniform(5, 8))
    present.begin_after(failed_at, (database, *failing))
    seen = database if seen_from == "origin" else rng.choice(failing)
    if placebo:
        since = company.now - timedelta(days=company.shape.days)
        shift_changes(company.account, _WEEK, since, company.now)
        return present.world(present.truth(present.open(seen, failed_at), seen))
    change_id = deploy(company, database, failed_at - timedelta(minutes=rng.uniform(2, 12)))
    opened = {database.service.id: present.open(database, failed_at)}
    present.acknowledge(opened[database.service.id], failed_at + timedelta(seconds=9))
    at = failed_at
    for profile in failing:
        at += timedelta(seconds=rng.uniform(10, 40))
        opened[profile.service.id] = present.open(profile, at)
    chain = _chain(company, seen, opened)
    return present.world(
        replace(
            present.truth(opened[seen.service.id], seen),
            causes=(change_id, *(opened[service_id] for service_id in chain)),
            origin=change_id,
            origin_service_id=database.service.id,
            chain_service_ids=chain,
        )
    )


def _dependents(company: Company, database: ServiceProfile) -> list[ServiceProfile]:
    """Return six services that need the database, nearest first; add dependencies if too few need it."""
    hops = {database.service.id: 0}
    wave = [database.service.id]
    while wave:
        edges = company.account.belongings.dependencies
        above = [edge.dependent[1] for edge in edges if edge.supporting[1] in wave]
        wave = [
            service_id
            for service_id in dict.fromkeys(above)
            if service_id in company.profiles and service_id not in hops
        ]
        hops |= dict.fromkeys(wave, max(hops.values()) + 1)
    others = [entry for entry in company.profiles.values() if entry.tier > 0 and entry.service.id not in hops]
    company.rng.shuffle(others)
    for entry in others[: max(DEPENDENTS + 1 - len(hops), 0)]:
        company.needs(entry.service, database.service)
        hops[entry.service.id] = 1
    nearest_first = sorted(hops, key=lambda service_id: (hops[service_id], company.profiles[service_id].tier))
    return [company.profiles[service_id] for service_id in nearest_first[1 : DEPENDENTS + 1]]


def _chain(company: Company, seen: ServiceProfile, opened: dict[str, str]) -> tuple[str, ...]:
    """Return the failed services that the `seen` service needs, directly or not."""
    needed = supporting(company.account.belongings.dependencies, ("technical_service", seen.service.id))
    ids = {service_id for _, service_id in needed}
    return tuple(service_id for service_id in opened if service_id in ids)
