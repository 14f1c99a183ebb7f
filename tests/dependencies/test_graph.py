"""The graph of services: cycles by name, cascades counted once, focus, search, teams and time travel."""

from dataclasses import replace

from calmo_pagerduty.dependencies.graph import (
    Direction,
    ServiceGraph,
    cycles,
    failed_below,
    focus,
    graph_of,
    of_teams,
    reached,
    search,
    without_dependencies,
)
from calmo_pagerduty.snapshots.dependency_model import Dependency, ServiceDependencies, ServiceKey
from tests.support.chance import repeatable
from tests.support.service_graphs import graph, key, random_graph
from tests.support.small_accounts import account


def ids(keys: object) -> list[str]:
    return sorted(node.id for node in keys)  # type: ignore[attr-defined] # keys of services


def walk(shape: ServiceGraph, start: ServiceKey, upstream: bool) -> set[ServiceKey]:
    """Return what is reached, by the definition."""
    found, left = set[ServiceKey](), [start]
    while left:
        here = left.pop()
        for low, high in shape.edges:
            there = low if upstream and high == here else high if not upstream and low == here else None
            if there is not None and there not in found:
                found.add(there)
                left.append(there)
    return found - {start}


def test_what_is_reached_and_the_cascade_equal_their_definitions_on_random_graphs() -> None:
    rng = repeatable(7)
    for _ in range(40):
        shape = random_graph(rng, rng.randint(2, 9), rng.randint(1, 16))
        failed = set(rng.sample(sorted(shape.nodes), rng.randint(0, len(shape.nodes))))
        below = failed_below(shape, failed)
        for service in shape.nodes:
            upstream = walk(shape, service, True)
            assert reached(shape, service, Direction.UPSTREAM) == upstream
            assert reached(shape, service, Direction.DOWNSTREAM) == walk(shape, service, False)
            assert below[service] == len(upstream & failed)


def test_the_cascade_counts_a_service_of_a_cycle_once_and_never_itself() -> None:
    shape = graph("a>b b>c c>a c>Shop d>a")
    assert failed_below(shape, {key("a"), key("d")}) == {
        key("a"): 1, key("b"): 2, key("c"): 2, key("d"): 0, key("Shop"): 2,
    }  # fmt: skip
    assert [ids(circle) for circle in cycles(shape)] == [["a", "b", "c"]]


def test_a_service_that_depends_on_itself_is_a_cycle_and_a_lonely_one_has_no_dependencies() -> None:
    shape = graph("a>a b>c", "lonely")
    assert [ids(circle) for circle in cycles(shape)] == [["a"]]
    assert ids(without_dependencies(shape)) == ["lonely"]
    unread = replace(shape.nodes[key("lonely")], is_read=False)
    assert without_dependencies(ServiceGraph({**shape.nodes, key("lonely"): unread}, shape.edges)) == ()


def test_focus_search_and_teams_show_parts() -> None:
    shape = graph("db>api api>web web>Shop cdn>web mail>news")
    assert ids(focus(shape, key("api"), 1).nodes) == ["api", "db", "web"]
    assert ids(focus(shape, key("api"), 2).nodes) == ["Shop", "api", "db", "web"]
    assert ids(search(shape, "  DB ")) == ["db"]
    assert search(shape, "") == ()
    owned = replace(shape.nodes[key("api")], team_ids=("T",))
    of_team = of_teams(ServiceGraph({**shape.nodes, key("api"): owned}, shape.edges), ["T"])
    assert ids(of_team.nodes) == ["api", "db", "web"]


def test_a_past_moment_shows_the_dependencies_of_then() -> None:
    a, b, c = key("a"), key("b"), key("c")
    supports = (
        Dependency(a, b, first_seen=100, last_seen=150, gone_at=200),
        Dependency(a, c, first_seen=300, last_seen=300, absent_at=200),
    )
    snapshot = account(dependencies=(ServiceDependencies(a, 300, supports),))
    assert [graph_of(snapshot, at).edges for at in (50, 199, 200, 299, 300)] == [
        ((a, b),), ((a, b),), (), (), ((a, c),)
    ]  # fmt: skip
    assert graph_of(snapshot).edges == ((a, c),)
