"""A service whose incidents go to the wrong team, which hands them on."""

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

    In the placebo it has as many incidents, and they stay with its own team.
    """
    company = build_company(now=now, seed=f"misrouted/{seed}", shape=shape or CompanySize(), site=site)
    rng, present = company.rng, Present(company)
    known = rng.choice(company.tier(1))
    others = [policy for policy in company.policies if policy.id != known.service.escalation_policy.id]
    right = rng.choice(others)
    known.incidents_per_day = 0.0
    opened_at = company.now - timedelta(minutes=rng.uniform(3, 9))
    lives: list[IncidentLife] = []
    for _ in range(rng.randrange(*_INCIDENTS)):
        at = opened_at - timedelta(days=rng.uniform(0.2, company.shape.days))
        handed = not placebo and rng.random() < _HANDED_ON
        lives.append(draw_life(company, known, at, opened_at, handed_to=right if handed else None))
    present.begin_after(opened_at, (known,), lives)
    truth = present.truth(present.open(known, opened_at), known)
    if placebo:
        return present.world(truth)
    fixer = company.responder_of_policy(right)
    return present.world(replace(truth, misrouted_to_team_id=right.teams[0].id, fixer_id=fixer.id))
