"""Where people are named, they mend it as often as is said: on seeds that `make torture` draws."""

import random
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from calmo_pagerduty.contexts.analysis.assessment import assess
from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.catalogue import PACKS
from tests.support.surroundings_of import surroundings_of

_BEGIN = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
_MAKERS = {**PACKS, "cascade, seen from a dependent": partial(cascade, seen_from="dependent")}
#: So many worlds have somebody named before the share is judged.
NAMED = 80
MAX_WORLDS = 600
#: By how much both shares may differ, and two standard errors of a share over NAMED worlds.
TOLERANCE = 0.10
NOISE = 2 * 0.045


@pytest.mark.torture
@pytest.mark.parametrize("placebo", [False, True])
@pytest.mark.parametrize(
    "name", ["cascade", "cascade, seen from a dependent", "cycles", "flapping", "misrouted"]
)
def test_who_is_named_mends_it_as_often_as_is_said(name: str, placebo: bool) -> None:
    first = random.SystemRandom().randrange(10**9)
    hits, said, named = 0, 0.0, 0

    def begin(seed: int) -> datetime:
        return _BEGIN + (seed % 400) * timedelta(hours=13, minutes=7)

    for seed in range(first, first + MAX_WORLDS):
        world = _MAKERS[name](now=partial(begin, seed), seed=seed, placebo=placebo)
        found = assess(surroundings_of(world.account, world.truth.incident_id)).recommendation
        if found.people:
            assert found.hit_at_3 is not None
            named, said = named + 1, said + found.hit_at_3
            hits += world.truth.fixer_id in [person.who.id for person in found.people[:3]]
        if named == NAMED:
            break
    assert named == NAMED, (first, named)
    assert abs(hits - said) / named <= TOLERANCE + NOISE, (first, hits / named, said / named)
