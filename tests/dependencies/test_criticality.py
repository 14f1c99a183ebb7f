"""Impact, critical chains and single points of failure: golden numbers, brute force, and laws."""

import math
from itertools import pairwise

import networkx as nx
import pytest

from calmo_pagerduty.dependencies.critical_chain import critical_chain
from calmo_pagerduty.dependencies.graph import Direction, ServiceGraph, reached
from calmo_pagerduty.dependencies.impact import failures_of, impact_on
from calmo_pagerduty.dependencies.single_points import common_grounds, immediate_dominators, single_points
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.dependency_model import ServiceKey
from calmo_pagerduty.snapshots.model import Incident, Urgency
from tests.support.chance import repeatable
from tests.support.service_graphs import graph, key, random_graph

WINDOW = Span(0, 1000)


def test_dominators_and_post_dominators_are_those_of_the_literature() -> None:
    # Source: networkx, `test_dominance.py`.
    shape = nx.DiGraph([(1, 2), (2, 3), (2, 4), (2, 6), (3, 5), (4, 5), (5, 2)])
    assert immediate_dominators(shape, 1) == {2: 1, 3: 2, 4: 2, 5: 2, 6: 2}
    assert immediate_dominators(shape.reverse(), 6) == {1: 2, 2: 6, 3: 5, 4: 5, 5: 2}


def test_the_chain_of_equal_costs_is_the_longest_path_of_the_literature() -> None:
    # Source: networkx, `test_dag.py`: the longest path is 1, 2, 3, 5, 6.
    shape = graph("n1>n2 n2>n3 n2>n4 n3>n5 n5>Six n3>n7")
    found = critical_chain(shape, key("Six"), dict.fromkeys(shape.nodes, math.exp(-1)))
    assert [service.id for service in found.services] == ["n1", "n2", "n3", "n5", "Six"]
    assert found.cost == pytest.approx(5)


def test_availabilities_in_series_multiply_and_a_repair_gains_its_share() -> None:
    shape = graph("a>b b>Buying")
    found = critical_chain(shape, key("Buying"), {key("a"): 0.999, key("b"): 0.995, key("Buying"): 1.0})
    assert found.series == pytest.approx(0.994005)
    assert found.cost == pytest.approx(-math.log(0.994005))
    assert [gain.service.id for gain in found.gains] == ["b", "a"]
    assert found.gains[0].points == pytest.approx(100 * (0.999 * 0.9995 - 0.994005))


def simple_paths_to(shape: ServiceGraph, service: ServiceKey) -> list[list[ServiceKey]]:
    digraph = shape.digraph()
    sources = [node for node in digraph if node == service or nx.has_path(digraph, node, service)]
    return [path for node in sources for path in nx.all_simple_paths(digraph, node, service)] + [[service]]


def test_a_chain_costs_as_much_as_the_costliest_path_of_an_acyclic_graph() -> None:
    rng = repeatable(3)
    for _ in range(30):
        names = [f"s{number}" for number in range(7)]
        pairs = {tuple(sorted(rng.sample(range(7), 2))) for _ in range(10)}
        shape = graph(" ".join([*(f"{names[a]}>{names[b]}" for a, b in sorted(pairs)), "s6>Shop"]))
        known = {node: rng.choice([1.0, 0.9, 0.99, 0.5]) for node in shape.nodes}
        costs = [sum(-math.log(known[node]) for node in path) for path in simple_paths_to(shape, key("Shop"))]
        found = critical_chain(shape, key("Shop"), known)
        assert found.cost == pytest.approx(max(costs))
        assert all(edge in shape.edges for edge in pairwise(found.services))


def incident(service: str, start: int, end: int | None, urgency: Urgency = Urgency.HIGH) -> Incident:
    return Incident(f"{service}{start}", 1, None, service, None, urgency, start, end, "resolved")


def test_impact_is_a_union_and_tells_who_alone_was_down() -> None:
    shape = graph("db>api api>Shop cdn>Shop")
    incidents = [
        incident("db", 100, 300), incident("api", 200, 400), incident("cdn", 250, 260),
        incident("cdn", 990, None), incident("other", 0, 900), incident("db", 500, 600, Urgency.LOW),
    ]  # fmt: skip
    impact = impact_on(shape, key("Shop"), failures_of(incidents, WINDOW), WINDOW)
    assert (impact.seconds, impact.availability) == (310, 0.69)
    assert [(node.service.id, node.seconds, node.alone_seconds) for node in impact.contributions] == [
        ("api", 200, 100), ("db", 200, 100), ("cdn", 20, 10),
    ]  # fmt: skip


def reaches_without(shape: ServiceGraph, root: ServiceKey, without: ServiceKey) -> frozenset[ServiceKey]:
    return reached(shape.part(shape.nodes.keys() - {without}), root, Direction.UPSTREAM)


def test_what_is_behind_a_single_point_is_cut_off_without_it_on_random_graphs() -> None:
    rng = repeatable(11)
    for _ in range(60):
        shape = random_graph(rng, rng.randint(2, 8), rng.randint(1, 14))
        root = key("Shop")
        cone = reached(shape, root, Direction.UPSTREAM)
        points = {point.service: point for point in single_points(shape, root, {})}
        for service in cone:
            cut_off = cone - reaches_without(shape, root, service) - {service}
            found = points.get(service)
            assert set(found.behind if found else ()) == cut_off


def test_a_common_ground_lies_on_every_way_down() -> None:
    needs = graph("db>api db>web api>Shop web>Shop").digraph().reverse()
    assert common_grounds(needs, key("Shop")) == {key("db")}
    assert common_grounds(graph("db>api api>Shop cdn>Shop").digraph().reverse(), key("Shop")) == frozenset()
    circle = graph("a>b b>a a>api b>web api>Shop web>Shop").digraph().reverse()
    assert common_grounds(circle, key("Shop")) == frozenset()
    ring = graph("a>b b>a a>api a>web api>Shop web>Shop").digraph().reverse()
    assert common_grounds(ring, key("Shop")) == {key("a")}


def test_other_names_change_nothing_but_names() -> None:
    rng = repeatable(5)
    shape = random_graph(rng, 8, 14)
    other = {
        node: key(f"x{number}")
        for number, node in enumerate(rng.sample(sorted(shape.nodes), len(shape.nodes)))
    }
    other[key("Shop")] = key("Zoo")
    renamed = graph(" ".join(f"{other[a].id}>{other[b].id}" for a, b in shape.edges))
    failures = {node: [Span(rng.randint(0, 400), rng.randint(500, 900))] for node in shape.nodes}
    moved = {other[node]: spans for node, spans in failures.items()}
    before, after = single_points(shape, key("Shop"), failures), single_points(renamed, key("Zoo"), moved)
    assert {
        (other[node.service], frozenset(map(other.get, node.behind)), node.seconds) for node in before
    } == {(node.service, frozenset(node.behind), node.seconds) for node in after}
    impacts = impact_on(shape, key("Shop"), failures, WINDOW), impact_on(renamed, key("Zoo"), moved, WINDOW)
    assert impacts[0].spans == impacts[1].spans
