"""Candidates by their chances: what is near in time and in the graph, and what isn't."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput
from calmo_pagerduty.contexts.analysis.root_cause import candidate_score, find_root_cause
from calmo_pagerduty.contexts.analysis.streams import (
    LEAD_OF_LATER,
    epoch_seconds,
    hourly_rate_ratio,
    poisson_chance,
)
from calmo_pagerduty.contexts.model import Candidate
from calmo_pagerduty.contexts.rendering.wording import candidate_text
from calmo_pagerduty.contexts.sources import Source
from tests.support.incident_worlds import (
    BEGAN,
    NOW,
    OWN,
    ago,
    an_open,
    around_it,
    depends,
    deploys,
    near,
    past,
    the_incident,
)

#: 0.4 deployments a day: 11 spread over 30 days at all hours, and the one that the test is about.
OLD = tuple(ago(days=2.3 * number, hours=1 + number) for number in range(1, 12))


def candidates(around: AssessmentInput) -> tuple[Candidate, ...]:
    return find_root_cause(near(around)).candidates


def test_chances_as_counted_by_hand() -> None:
    assert poisson_chance(0.4, 10 * 60) == pytest.approx(0.003, abs=5e-4)
    assert poisson_chance(0.4, 4 * 3600) == pytest.approx(0.064, abs=5e-4)
    assert poisson_chance(200, 4 * 3600) == pytest.approx(1.0, abs=1e-12)


@given(rate=st.floats(0.01, 50), lead=st.floats(0, 86_400), later=st.floats(0, 86_400))
def test_the_longer_before_the_likelier_by_chance(rate: float, lead: float, later: float) -> None:
    assert poisson_chance(rate, lead) <= poisson_chance(rate, lead + later)
    assert 0 < poisson_chance(rate, lead) <= 1


@given(p=st.floats(1e-12, 1), hops=st.integers(0, 3), lift=st.none() | st.floats(0.1, 100))
def test_the_farther_and_the_likelier_the_smaller_the_score(p: float, hops: int, lift: float | None) -> None:
    assert candidate_score(p, hops, lift) >= candidate_score(p, hops + 1, lift) >= 0
    assert candidate_score(p, hops, lift) >= candidate_score(min(1.0, p * 2), hops, lift)
    assert candidate_score(p, hops, lift) >= candidate_score(p, hops)


def test_scores_as_counted_by_hand() -> None:
    assert candidate_score(0.001, 0) == pytest.approx(3)
    assert candidate_score(0.001, 2) == pytest.approx(3 * 0.49)
    assert candidate_score(0.001, 1, lift=10) == pytest.approx(4 * 0.7)
    assert candidate_score(0.001, 1, lift=1e9) == pytest.approx(4 * 0.7)
    assert candidate_score(0.001, 0, lift=0.5) == pytest.approx(3)


def test_a_deployment_ten_minutes_before_on_the_service_itself_is_a_candidate() -> None:
    around = around_it(changes=deploys(OWN, ago(minutes=10), *OLD))
    found = find_root_cause(near(around))
    (candidate,) = found.candidates
    assert (candidate.thing.id, candidate.hops, candidate.lead_seconds) == (f"C{OWN}0", 0, 600)
    assert candidate.rate_per_day == pytest.approx(0.4, abs=0.07)
    assert candidate.chance == pytest.approx(0.003, abs=5e-4)
    assert found.considered == 1
    assert "at most 5%" in found.reason


def test_a_deployment_four_hours_before_is_no_candidate() -> None:
    around = around_it(changes=deploys(OWN, ago(hours=4), *OLD))
    found = find_root_cause(near(around))
    assert found.candidates == ()
    assert "no candidate" in found.reason


def test_what_changes_all_the_time_tells_nothing_when_it_changes() -> None:
    always = [NOW - timedelta(minutes=7.2 * number) for number in range(6000)]
    found = find_root_cause(near(around_it(changes=deploys(OWN, *always))))
    assert found.candidates == ()
    assert found.considered == 1


def test_a_change_elsewhere_is_a_candidate_only_if_it_is_close_for_the_whole_account() -> None:
    busy = deploys("OTHER", *(NOW - timedelta(minutes=7.2 * number) for number in range(6000)))
    related = deploys("FAR", ago(minutes=2), reason="intelligent")
    assert candidates(around_it(changes=(*busy, *related))) == ()
    (candidate,) = candidates(around_it(changes=(*deploys("OTHER", *OLD), *related)))
    assert (candidate.thing.id, candidate.hops, candidate.path, candidate.pagerduty_reason) == (
        "CFAR0",
        3,
        (),
        "intelligent",
    )
    unrelated = deploys("FAR", ago(minutes=2))
    assert candidates(around_it(changes=(*deploys("OTHER", *OLD), *unrelated))) == ()


def test_an_incident_that_is_over_ranks_behind_one_that_goes_on() -> None:
    graph = depends(("DB", "API"), ("API", OWN))
    earlier = (past("P1", ago(days=40), "API"), past("P2", ago(days=60), "DB"))
    going_on = replace(an_open("P8", "DB", BEGAN - timedelta(seconds=5)), priority="P1")
    merged = an_open("P9", "API", BEGAN - timedelta(seconds=46), status="resolved")
    around = around_it(dependencies=graph, past=earlier, open_incidents=(going_on, merged))
    first, second = candidates(around)
    assert (first.thing.id, first.status, first.priority) == ("P8", "triggered", "P1")
    assert (second.thing.id, second.status) == ("P9", "resolved")
    assert candidate_text(first).startswith("P1, triggered; ")
    assert candidate_text(second.model_copy(update={"priority": "[a](http://b)"})).startswith("resolved; ")
    over = replace(around, incident=the_incident(status="resolved"))
    assert [candidate.thing.id for candidate in candidates(over)] == ["P9", "P8"]


def test_a_change_upstream_comes_with_its_way() -> None:
    graph = depends(("DB", "API"), ("API", OWN))
    (candidate,) = candidates(around_it(dependencies=graph, changes=deploys("DB", ago(minutes=5))))
    assert [thing.id for thing in candidate.path] == ["DB", "API", OWN]
    assert candidate.hops == 2


def test_more_than_three_hops_upstream_is_not_looked_at() -> None:
    graph = depends(("A", "B"), ("B", "C"), ("C", "D"), ("D", OWN))
    assert len(candidates(around_it(dependencies=graph, changes=deploys("B", ago(minutes=1))))) == 1
    assert candidates(around_it(dependencies=graph, changes=deploys("A", ago(minutes=1)))) == ()


def test_what_depends_on_the_service_is_no_suspect() -> None:
    graph = depends((OWN, "SHOP"))
    around = around_it(
        dependencies=graph,
        changes=deploys("SHOP", ago(minutes=1)),
        open_incidents=(an_open("P9", "SHOP", ago(minutes=1)),),
    )
    assert candidates(around) == ()


def test_in_a_circle_each_is_the_others_suspect() -> None:
    graph = depends((OWN, "SHOP"), ("SHOP", OWN))
    (candidate,) = candidates(around_it(dependencies=graph, changes=deploys("SHOP", ago(minutes=1))))
    assert candidate.hops == 1


def test_the_nearest_service_of_a_change_on_many_counts() -> None:
    graph = depends(("DB", "API"), ("API", OWN))
    change = deploys("DB", ago(minutes=3))[0]
    both = type(change)(change.id, change.summary, change.at, ("DB", "API", "API"))
    (candidate,) = candidates(around_it(dependencies=graph, changes=(both,)))
    assert candidate.hops == 1


@pytest.mark.parametrize(
    ("began", "status", "is_candidate"),
    [
        (ago(minutes=29), "triggered", True),
        (ago(minutes=29), "resolved", True),
        (ago(minutes=45), "resolved", False),
        (ago(minutes=45), "acknowledged", True),
        (BEGAN + timedelta(minutes=4), "triggered", True),
        (BEGAN + timedelta(minutes=6), "triggered", False),
    ],
)
def test_an_incident_upstream_counts_if_it_was_open_or_began_close(
    began: datetime, status: str, is_candidate: bool
) -> None:
    around = around_it(
        dependencies=depends(("DB", OWN)),
        open_incidents=(an_open("P9", "DB", began, status),),
        past=(past("P8", ago(days=100), "DB"),),
    )
    assert [candidate.thing.id for candidate in candidates(around)] == (["P9"] if is_candidate else [])


def test_an_incident_upstream_that_the_history_tells_open_then_counts_too() -> None:
    was_open = past("P9", ago(minutes=45), "DB", resolved_at=BEGAN + timedelta(seconds=30))
    was_over = past("P8", ago(minutes=50), "DB", resolved_at=ago(minutes=44))
    around = around_it(dependencies=depends(("DB", OWN)), past=(was_open, was_over))
    assert [candidate.thing.id for candidate in candidates(around)] == ["P9"]


def test_a_change_that_clocks_put_after_the_incident_counts_as_one_half_an_hour_before() -> None:
    around = around_it(changes=deploys(OWN, BEGAN + timedelta(minutes=2), *OLD))
    (candidate,) = candidates(around)
    assert candidate.lead_seconds == -120
    assert candidate.chance == pytest.approx(poisson_chance(candidate.rate_per_day, LEAD_OF_LATER), rel=0.01)
    assert candidates(around_it(changes=deploys(OWN, BEGAN + timedelta(minutes=6), *OLD))) == ()


def test_what_preceded_past_incidents_ranks_higher() -> None:
    graph = depends(("API", OWN), ("DB", OWN))
    guilty = [ago(days=3 * number, minutes=20) for number in range(1, 9)]
    innocent = [ago(days=3 * number, hours=9) for number in range(1, 9)]
    around = around_it(
        dependencies=graph,
        changes=(*deploys("API", ago(minutes=5), *innocent), *deploys("DB", ago(minutes=6), *guilty)),
        past=tuple(past(f"P{number}", ago(days=3 * number)) for number in range(1, 9)),
    )
    first, second = candidates(around)
    assert (first.path[0].id, second.path[0].id) == ("DB", "API")
    assert first.lift is not None and second.lift is not None
    assert first.lift > 5
    assert second.lift < 1
    assert first.chance > second.chance


def test_of_few_past_incidents_no_lift_is_told() -> None:
    around = around_it(
        changes=deploys(OWN, ago(minutes=5)), past=(past("P1", ago(days=2)), past("P2", ago(days=4)))
    )
    assert candidates(around)[0].lift is None


def test_many_sources_need_more_evidence_than_one() -> None:
    services = [f"S{number}" for number in range(60)]
    graph = depends(*((service, OWN) for service in services))
    old = [change for service in services for change in deploys(service, *OLD)]
    late = deploys("S0", ago(hours=1))
    alone = around_it(dependencies=graph, changes=(*deploys("S0", ago(hours=1), *OLD),))
    among = around_it(dependencies=graph, changes=(*late, *old[1:]))
    assert len(candidates(alone)) == 1
    assert candidates(among) == ()
    assert find_root_cause(near(among)).considered == 60


def test_its_own_deployment_is_not_lost_among_a_hundred_dependencies() -> None:
    services = [f"S{number}" for number in range(100)]
    graph = depends(*((service, OWN) for service in services))
    old = [change for service in services for change in deploys(service, *OLD)]
    around = around_it(dependencies=graph, changes=(*deploys(OWN, ago(minutes=10), *OLD), *old))
    assert [candidate.hops for candidate in candidates(around)] == [0]


def test_many_incidents_elsewhere_at_once_are_a_burst() -> None:
    elsewhere = tuple(an_open(f"P{number}", f"S{number}", ago(minutes=number)) for number in range(1, 7))
    around = around_it(open_incidents=elsewhere, past=(past("P99", ago(days=50), "S99"),))
    (candidate,) = candidates(around)
    assert (candidate.kind, candidate.thing.name, candidate.source) == (
        "burst",
        "6 incidents elsewhere",
        Source.OPEN_INCIDENTS,
    )
    assert candidate.at == ago(minutes=6)


def test_where_bursts_are_usual_one_tells_little() -> None:
    elsewhere = tuple(an_open(f"P{number}", f"S{number}", ago(minutes=number)) for number in range(1, 7))
    hourly = tuple(
        past(f"P{hour}x{number}", ago(hours=hour, minutes=number), f"S{number}")
        for hour in range(1, 500)
        for number in range(1, 7)
    )
    around = around_it(open_incidents=elsewhere, past=hourly, past_since=ago(hours=500))
    assert candidates(around) == ()


def test_at_hours_when_all_is_deployed_a_deployment_tells_less() -> None:
    same_hour = epoch_seconds(ago(days=day, minutes=20) for day in range(1, 31))
    other_hours = epoch_seconds(ago(days=day, hours=9) for day in range(1, 31))
    month = 30 * 86_400.0
    assert hourly_rate_ratio(same_hour, BEGAN.timestamp(), month) > 2
    assert hourly_rate_ratio(other_hours, BEGAN.timestamp(), month) == 1
    assert hourly_rate_ratio(same_hour, BEGAN.timestamp(), 86_400.0) == 1


def test_an_incident_without_a_service_has_no_upstream_and_it_is_said() -> None:
    around = around_it(incident=the_incident(service=None), changes=deploys(OWN, ago(minutes=1)))
    found = find_root_cause(near(around))
    assert found.candidates == ()
    assert "has no service" in found.reason


def test_what_could_not_be_looked_at_is_said() -> None:
    lacking = frozenset({Source.CHANGES, Source.DEPENDENCIES, Source.HISTORY, Source.OPEN_INCIDENTS})
    found = find_root_cause(near(around_it(missing_sources=lacking, changes_since=None, past_since=None)))
    assert found.considered == 0
    assert "There was nothing to look at" in found.reason
    for words in ("changes", "what is upstream", "incidents that are open now", "how often incidents come"):
        assert words in found.reason


def test_without_a_rate_nothing_is_a_candidate() -> None:
    around = around_it(changes=deploys(OWN, ago(minutes=1)), changes_since=None)
    found = find_root_cause(near(around))
    assert found.candidates == ()
    assert "how often changes come" in found.reason


def test_ties_are_told_in_one_order() -> None:
    graph = depends(*((f"S{number}", OWN) for number in range(4)))
    changes = [deploys(f"S{number}", ago(minutes=1))[0] for number in range(4)]
    forward = candidates(around_it(dependencies=graph, changes=tuple(changes)))
    backward = candidates(around_it(dependencies=graph, changes=tuple(reversed(changes))))
    assert forward == backward
    assert [candidate.thing.id for candidate in forward] == ["CS00", "CS10", "CS20", "CS30"]
