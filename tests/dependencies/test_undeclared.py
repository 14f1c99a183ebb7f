"""Services that fail together are proposed with their proof; services that fail alike are not."""

import random
from itertools import combinations

import pytest

from calmo_pagerduty.dependencies.undeclared import WEEK, poisson_binomial_tail, propose_dependencies
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import Incident, Urgency
from tests.support.chance import repeatable
from tests.support.service_graphs import graph, key

DAY, HOUR = 86_400, 3600
WINDOW = Span(0, 26 * WEEK)


def incidents(service: str, times: list[int]) -> list[Incident]:
    return [
        Incident(f"{service}{at}", 1, None, service, None, Urgency.HIGH, at, at + HOUR, "resolved")
        for at in sorted(times)
    ]


def office_hours(rng: random.Random, count: int) -> list[int]:
    """Return times on Mondays to Fridays from nine to five."""
    return [
        rng.randrange(26) * WEEK + rng.randrange(5) * DAY + rng.randrange(9 * HOUR, 17 * HOUR)
        for _ in range(count)
    ]


def test_the_tail_is_the_sum_over_all_outcomes() -> None:
    chances = [0.1, 0.5, 0.25, 0.9]
    for count in range(5):
        exact = 0.0
        for size in range(count, 5):
            for happened in combinations(range(4), size):
                term = 1.0
                for number, chance in enumerate(chances):
                    term *= chance if number in happened else 1 - chance
                exact += term
        assert poisson_binomial_tail(chances, count) == pytest.approx(exact)


def test_a_planted_dependency_is_found_with_its_incidents_unless_it_is_declared() -> None:
    rng = repeatable(1)
    causes = office_hours(rng, 12)
    planted = incidents("db", causes) + incidents("web", [at + rng.randint(60, 900) for at in causes])
    noise = [node for name in ("a", "b", "c") for node in incidents(name, office_hours(rng, 20))]
    shape = graph("a>Shop", "db", "web", "b", "c")
    found = propose_dependencies(shape, planted + noise, WINDOW)
    assert [(node.supporting, node.dependent) for node in found] == [(key("db"), key("web"))]
    assert all(low.startswith("db") and high.startswith("web") for low, high in found[0].pairs)
    assert found[0].p < 1e-6 and found[0].began_first == len(found[0].pairs)
    declared = graph("a>Shop db>web", "b", "c")
    assert propose_dependencies(declared, planted + noise, WINDOW) == ()


def test_services_that_merely_share_office_hours_are_seldom_proposed() -> None:
    shape, wrong = graph("", *"abcdefgh"), 0
    for seed in range(40):
        rng = repeatable(seed)
        found = [node for name in "abcdefgh" for node in incidents(name, office_hours(rng, 30))]
        wrong += bool(propose_dependencies(shape, found, WINDOW))
    assert wrong <= 4  # at a false discovery rate of 5 %, 2 of 40 are expected
