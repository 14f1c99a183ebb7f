"""The packs through the whole gathering: the wire, the workflow, the database, the document."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.sources import SourceState
from pagerduty_simulator.packs.cascade import cascade
from pagerduty_simulator.packs.catalogue import PACKS
from pagerduty_simulator.packs.truth import PackWorld
from tests.support.gathering import gathering_system
from tests.support.parts import Parts

Gather = Callable[[PackWorld], Awaitable[IncidentContext]]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def gather(parts: Parts) -> Gather:
    """Gathers the context of a world's incident; each test has one world."""

    async def gathered(world: PackWorld) -> IncidentContext:
        async with gathering_system(parts, world.account) as found:
            context = await found.gather_context(found.ref(world.truth.incident_id))
        lacking = {
            report.source: report.reason
            for report in context.sources
            if report.state is not SourceState.COMPLETE
        }
        assert lacking == {}, "the simulator serves all that a context asks for"
        return context

    return gathered


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_change_that_broke_a_database_is_the_first_candidate(gather: Gather, seed: int) -> None:
    world = cascade(now=now, seed=seed)
    context = await gather(world)
    first = context.assessment.root_cause.candidates[0]
    assert (first.kind, first.thing.id) == ("change", world.truth.origin)
    others = {other.service.id for other in context.assessment.others if other.where == "downstream"}
    assert len(others) >= 6


@pytest.mark.parametrize("seed", [1, 2])
async def test_seen_from_a_service_that_needs_it_the_chain_is_found_upstream(
    gather: Gather, seed: int
) -> None:
    world = cascade(now=now, seed=seed, seen_from="dependent")
    said = (await gather(world)).assessment
    assert said.root_cause.candidates[0].thing.id in world.truth.causes
    assert {candidate.thing.id for candidate in said.root_cause.candidates} >= {world.truth.causes[1]}
    assert said.surrounding.failing_path[-1].id == world.truth.service_id


async def test_in_the_placebo_of_a_cascade_there_is_no_candidate(gather: Gather) -> None:
    said = (await gather(cascade(now=now, seed=3, placebo=True))).assessment
    assert said.root_cause.candidates == ()
    assert said.root_cause.reason


async def test_a_flapping_alert_is_told_as_flapping(gather: Gather) -> None:
    said = (await gather(PACKS["flapping"](now=now, seed=1))).assessment.recurrence
    assert said is not None
    assert said.is_flapping
    assert said.flap_cycles >= 3


async def test_a_misrouted_service_is_told_with_its_right_team(gather: Gather) -> None:
    world = PACKS["misrouted"](now=now, seed=1)
    found = (await gather(world)).assessment.recommendation.misrouting
    assert [misrouting.team.id for misrouting in found] == [world.truth.misrouted_to_team_id]
    assert found[0].team.name


async def test_services_in_circles_are_gathered_to_an_end_and_listed(gather: Gather) -> None:
    world = PACKS["cycles"](now=now, seed=1)
    said = (await gather(world)).assessment
    listed = {frozenset(thing.id for thing in cycle) for cycle in said.surrounding.cycles}
    assert listed == set(world.truth.cycles)
    assert said.root_cause.candidates[0].thing.id in world.truth.causes


async def test_an_account_without_history_gets_a_whole_context_that_claims_nothing(gather: Gather) -> None:
    context = await gather(PACKS["fresh"](now=now, seed=1))
    said = context.assessment
    assert not context.is_degraded
    assert (said.similar, said.root_cause.candidates, said.recommendation.people) == ((), (), ())
    assert said.recurrence is None or said.recurrence.label is None
    assert said.impact.score is not None
