"""Blast radius, suspects, ways and circles, beside a reference by powers of the matrix."""

from itertools import pairwise

import numpy as np
from hypothesis import given, strategies as st

from calmo_pagerduty.contexts.analysis.dependency_graph import (
    blast_radius,
    build_neighbourhood,
    distance_decay,
    suspects,
)
from tests.support.incident_worlds import depends

NODES = "ABCDEFG"
EDGES = st.frozensets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=20)


@given(edges=EDGES, new=st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), at=st.sampled_from(NODES))
def test_an_edge_more_never_shrinks_the_blast_radius(
    edges: frozenset[tuple[str, str]], new: tuple[str, str], at: str
) -> None:
    assert blast_radius(edges, at) <= blast_radius(edges | {new}, at)


@given(edges=EDGES, at=st.sampled_from(NODES))
def test_turning_all_edges_around_swaps_blast_radius_and_suspects(
    edges: frozenset[tuple[str, str]], at: str
) -> None:
    turned = frozenset((there, here) for here, there in edges)
    assert blast_radius(edges, at) == suspects(turned, at)
    assert suspects(edges, at) == blast_radius(turned, at)


@given(edges=EDGES, at=st.sampled_from(NODES))
def test_reach_and_hops_agree_with_powers_of_the_matrix(edges: frozenset[tuple[str, str]], at: str) -> None:
    matrix = np.zeros((len(NODES), len(NODES)), int)
    for here, there in edges:
        matrix[NODES.index(here), NODES.index(there)] = 1
    hops: dict[str, int] = {}
    power = np.eye(len(NODES), dtype=int)
    for hop in range(1, len(NODES) + 1):
        power = np.minimum(power @ matrix, 1)
        for index in np.flatnonzero(power[NODES.index(at)]):
            if NODES[index] != at:
                hops.setdefault(NODES[index], hop)
    assert dict(build_neighbourhood(at, depends(*edges)).downstream) == hops


@given(edges=EDGES, at=st.sampled_from(NODES))
def test_each_suspect_nearby_has_a_way_of_real_edges(edges: frozenset[tuple[str, str]], at: str) -> None:
    found = build_neighbourhood(at, depends(*edges))
    assert set(found.paths) == set(found.suspects())
    for suspect, path in found.paths.items():
        assert (path[0], path[-1], len(path) - 1) == (suspect, at, found.upstream[suspect])
        assert all(step in edges for step in pairwise(path))


def test_a_circle_ends_and_is_told() -> None:
    found = build_neighbourhood(
        "A", depends(("A", "B"), ("B", "C"), ("C", "A"), ("C", "D"), ("D", "D"), ("X", "Y"))
    )
    assert found.downstream == {"B": 1, "C": 2, "D": 3}
    assert found.upstream == {"C": 1, "B": 2}
    assert found.cycles == (("A", "B", "C"),)
    assert ("X", "Y") not in found.edges


def test_of_two_ways_equally_short_the_same_is_found() -> None:
    edges = [("DB", f"MID{number}") for number in range(9)] + [(f"MID{number}", "APP") for number in range(9)]
    for order in (edges, edges[::-1]):
        assert build_neighbourhood("APP", depends(*order)).paths["DB"] == ("DB", "MID0", "APP")


def test_a_chain_of_twenty_thousand_services_is_walked() -> None:
    chain = [(f"S{number:05}", f"S{number + 1:05}") for number in range(20_000)]
    found = build_neighbourhood("S10000", depends(*chain))
    assert (len(found.downstream), len(found.upstream), len(found.paths)) == (10_000, 10_000, 3)
    assert found.is_whole


def test_too_many_edges_are_not_all_looked_at_and_it_is_said() -> None:
    star = [("CENTRE", f"S{number:06}") for number in range(50_001)]
    found = build_neighbourhood("CENTRE", depends(*star))
    assert len(found.downstream) == 50_000
    assert not found.is_whole


def test_a_service_alone_has_nothing_around_it() -> None:
    found = build_neighbourhood("ALONE", depends(("A", "B")))
    assert (found.downstream, found.upstream, found.cycles, found.edges) == ({}, {}, (), ())
    assert (found.hops_to("ALONE"), found.hops_to("A")) == (0, None)


def test_weight_fades_with_hops_and_most_without_a_way() -> None:
    assert [distance_decay(hops) for hops in (0, 1, 2, 3)] == [0.7**hops for hops in (0, 1, 2, 3)]
    assert distance_decay(None) < distance_decay(3)
    assert distance_decay(None) == distance_decay(17)
