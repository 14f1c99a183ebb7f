"""What an assessment concludes, held against the truth of seeded worlds of each kind.

Every run looks at twelve worlds of each kind, `make torture` at forty.
"""

import pytest

from tests.support.scored import FEW, MANY, Scored, misses, scored

PLANTED = ("cascade", "cascade, seen from a dependent", "cycles")
EVERYWHERE = (*PLANTED, "flapping", "misrouted")


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.torture)])
def size(request: pytest.FixtureRequest) -> int:
    """How many worlds of each kind a test looks at."""
    return int(request.param)


@pytest.mark.parametrize("name", PLANTED)
def test_the_planted_cause_is_ranked_first_in_nine_worlds_of_ten(name: str, size: int) -> None:
    missed = misses(scored(name, size), lambda world: world.first_candidate in world.truth.causes)
    assert len(missed) <= size * 0.1, missed


def test_in_placebos_there_is_no_candidate_in_nineteen_of_twenty(size: int) -> None:
    runs = [(name, world) for name in EVERYWHERE for world in scored(name, size, placebo=True)]
    alarmed = [(name, world.seed) for name, world in runs if world.first_candidate is not None]
    assert len(alarmed) <= len(runs) * 0.05, alarmed


@pytest.mark.parametrize("name", PLANTED)
def test_without_a_candidate_it_is_said_why_there_is_none(name: str, size: int) -> None:
    worlds = [world for world in scored(name, size, placebo=True) if world.first_candidate is None]
    assert worlds
    assert all(world.said.root_cause.reason for world in worlds)


def test_the_failing_path_leads_from_a_service_of_the_chain_to_the_dependent_service(size: int) -> None:
    def is_right(world: Scored) -> bool:
        path = [thing.id for thing in world.said.surrounding.failing_path]
        return path[-1:] == [world.truth.service_id] and path[0] in world.truth.chain_service_ids

    missed = misses(scored("cascade, seen from a dependent", size), is_right)
    assert len(missed) <= size * 0.1, missed


def test_a_flapping_alert_is_found_and_what_only_looks_like_one_is_not(size: int) -> None:
    def is_right(world: Scored) -> bool:
        said = world.said.recurrence
        return said is not None and said.is_flapping == world.truth.is_flapping

    assert misses(scored("flapping", size), is_right) == []
    assert misses(scored("flapping", size, placebo=True), is_right) == []


def test_a_misrouted_service_is_found_with_the_team_that_it_should_go_to(size: int) -> None:
    def is_right(world: Scored) -> bool:
        found = [(this.service.id, this.team.id) for this in world.said.recommendation.misrouting]
        return found == [(world.truth.service_id, world.truth.misrouted_to_team_id)]

    missed = misses(scored("misrouted", size), is_right)
    assert len(missed) <= size * 0.05, missed


@pytest.mark.parametrize("name", [name for name in EVERYWHERE if name != "misrouted"])
@pytest.mark.parametrize("placebo", [False, True])
def test_no_misrouting_is_found_where_there_is_none(name: str, placebo: bool, size: int) -> None:
    alarmed = misses(
        scored(name, size, placebo=placebo), lambda world: not world.said.recommendation.misrouting
    )
    assert len(alarmed) <= size * 0.025, alarmed


def test_no_misrouting_is_found_of_a_service_whose_incidents_stay_with_its_team(size: int) -> None:
    worlds = scored("misrouted", size, placebo=True)
    alarmed = misses(worlds, lambda world: not world.said.recommendation.misrouting)
    assert len(alarmed) <= size * 0.025, alarmed


@pytest.mark.parametrize("names", [(*PLANTED, "flapping"), ("misrouted",)])
def test_who_is_recommended_mends_it_more_often_than_whoever_is_on_call(
    names: tuple[str, ...], size: int
) -> None:
    worlds = [world for name in names for world in scored(name, size) if world.said.recommendation.people]
    named = sum(world.truth.fixer_id in world.named for world in worlds)
    on_call = sum(world.truth.fixer_id in world.truth.on_call_ids[:3] for world in worlds)
    assert len(worlds) >= size / 2, "hardly anybody is ever recommended"
    assert named >= on_call + 0.1 * len(worlds), (named, on_call, len(worlds))


def test_services_that_need_each_other_in_circles_are_all_listed(size: int) -> None:
    def is_right(world: Scored) -> bool:
        listed = {frozenset(thing.id for thing in cycle) for cycle in world.said.surrounding.cycles}
        return listed == set(world.truth.cycles)

    assert misses(scored("cycles", size), is_right) == []
    assert misses(scored("cycles", size, placebo=True), is_right) == []


def test_without_circles_none_is_listed(size: int) -> None:
    assert misses(scored("cascade", size), lambda world: world.said.surrounding.cycles == ()) == []


def test_of_an_account_without_history_nothing_is_said_that_is_not_known(size: int) -> None:
    for world in scored("fresh", size):
        said = world.said
        assert said.similar == ()
        assert said.root_cause.candidates == ()
        assert said.root_cause.reason
        assert said.recommendation.people == ()
        assert said.recommendation.reason
        assert said.recommendation.misrouting == ()
        tested = said.recommendation
        assert (tested.hit_at_3, tested.baseline_hit_at_3) == (None, None)


def test_without_history_how_often_it_comes_is_not_known_instead_of_zero(size: int) -> None:
    for world in scored("fresh", size):
        said = world.said.recurrence
        assert said is None or (said.label, said.share, said.last_at) == (None, None, None)


def test_what_is_known_of_a_fresh_accounts_incident_still_gives_it_an_impact(size: int) -> None:
    for world in scored("fresh", size):
        impact = world.said.impact
        assert impact.score is not None
        assert 0 < impact.score <= 100
        unknown = [part for part in impact.contributions if part.points is None]
        known = sum(part.weight for part in impact.contributions if part.points is not None)
        assert impact.confidence == pytest.approx(known / 100)
        assert all(part.why for part in unknown)
