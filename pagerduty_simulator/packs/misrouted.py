"""A pack: a service's incidents go to the wrong team, which hands them over."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from pagerduty_simulator.packs.company import CompanySize, build_company
from pagerduty_simulator.packs.everyday import draw_life
from pagerduty_simulator.packs.present import Present
from pagerduty_simulator.packs.truth import PackWorld
from pagerduty_simulator.past import IncidentLife
from pagerduty_simulator.references import Site

_HANDED_ON: Final = 0.7
_INCIDENTS: Final = (24, 40)


def misrouted(
    *,
    now: Callable[[], datetime],
    seed: object,
    placebo: bool = False,
    shape: CompanySize | None = None,
    site: Site | None = None,
) -> PackWorld:
    """Return the world in which two of three incidents of a service are handed to another team.

    In the placebo, the same number of incidents stay with the service's own team.
    """
    company = build_company(now=now, seed=f"misrouted/{seed}", shape=shape or CompanySize(), site=site)
    rng, present = company.rng, Present(company)
    profile = rng.choice(company.tier(1))
    others = [policy for policy in company.policies if policy.id != profile.service.escalation_policy.id]
    right_policy = rng.choice(others)
    profile.incidents_per_day = 0.0
    opened_at = company.now - timedelta(minutes=rng.uniform(3, 9))
    lives: list[IncidentLife] = []
    for _ in range(rng.randrange(*_INCIDENTS)):
        at = opened_at - timedelta(days=rng.uniform(0.2, company.shape.days))
        handed = not placebo and rng.random() < _HANDED_ON
        lives.append(draw_life(company, profile, at, opened_at, handed_to=right_policy if handed else None))
    present.begin_after(opened_at, (profile,), lives)
    truth = present.truth(present.open(profile, opened_at), profile)
    if placebo:
        return present.world(truth)
    fixer = company.responder_of_policy(right_policy)
    return present.world(replace(truth, misrouted_to_team_id=right_policy.teams[0].id, fixer_id=fixer.id))
