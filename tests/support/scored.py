"""Assessments of many seeded worlds, each made once, to be held against what is true of them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import NamedTuple

from calmo_pagerduty.contexts.analysis.assessment import assess
from calmo_pagerduty.contexts.model import Assessment
from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.catalogue import PACKS
from pagerduty_simulator.packs.truth import GroundTruth, PackWorld
from tests.support.surroundings_of import surroundings_of

#: How many worlds of each kind are looked at in every run, and how many by `make torture`.
FEW, MANY = 12, 40
_BEGIN = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)

#: By the name of what is looked at.
_MAKERS: dict[str, Callable[..., PackWorld]] = {
    **PACKS,
    "cascade, seen from a dependent": partial(cascade, seen_from="dependent"),
}


class Scored(NamedTuple):
    """What is true of a world, and what was concluded of it."""

    seed: int
    truth: GroundTruth
    said: Assessment

    @property
    def first_candidate(self) -> str | None:
        candidates = self.said.root_cause.candidates
        return candidates[0].thing.id if candidates else None

    @property
    def named(self) -> list[str]:
        """The first three people who were named, the best first."""
        return [person.who.id for person in self.said.recommendation.people[:3]]


@cache
def scored(name: str, worlds: int, *, placebo: bool = False) -> tuple[Scored, ...]:
    """Return the worlds of one kind: at all hours of the week, as incidents come."""
    found = []
    for seed in range(worlds):
        moment = _BEGIN + seed * timedelta(hours=13, minutes=7)
        world = _MAKERS[name](now=lambda at=moment: at, seed=seed, placebo=placebo)
        around = surroundings_of(world.account, world.truth.incident_id)
        found.append(Scored(seed, world.truth, assess(around)))
    return tuple(found)


def misses(worlds: tuple[Scored, ...], is_right: Callable[[Scored], bool]) -> list[int]:
    """Return the seeds of the worlds about which something wrong was said."""
    return [world.seed for world in worlds if not is_right(world)]
