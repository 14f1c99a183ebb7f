"""A pack: a new account with its first incident, and nothing to compare it with."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from pagerduty_simulator.packs.company import CompanySize, build_company
from pagerduty_simulator.packs.present import Present
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.references import Site


def fresh(
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return the world without past incidents and changes. The placebo is the same."""
    del placebo
    company = build_company(now=now, seed=f"fresh/{seed}", shape=shape or CompanySize(), site=site)
    present = Present(company)
    profile = company.rng.choice(company.tier(2))
    opened_at = company.now - timedelta(minutes=company.rng.uniform(2, 5))
    truth = present.truth(present.open(profile, opened_at), profile)
    return present.world(replace(truth, fixer_id=None, has_history=False))
