"""Graphs of services from a line: `a>b` says that a failure of a reaches b."""

import random

from calmo_pagerduty.dependencies.graph import ServiceGraph, ServiceNode
from calmo_pagerduty.snapshots.dependency_model import ServiceKey, ServiceKind


def key(name: str) -> ServiceKey:
    """Return the service; a name that begins with a capital is a business service."""
    return ServiceKey(ServiceKind.BUSINESS if name[0].isupper() else ServiceKind.TECHNICAL, name)


def graph(text: str, *alone: str) -> ServiceGraph:
    """Return the graph of edges such as `a>b b>c`, and of services without any."""
    edges = tuple(sorted(tuple(map(key, edge.split(">"))) for edge in text.split()))
    keys = sorted({end for edge in edges for end in edge} | {key(name) for name in alone})
    return ServiceGraph({node: ServiceNode(node, node.id) for node in keys}, edges)  # type: ignore[arg-type]  # mypy knows no pairs here


def random_graph(rng: random.Random, nodes: int, edges: int) -> ServiceGraph:
    """Return a random graph that may have cycles, with a business service on top."""
    names = [f"s{number}" for number in range(nodes)]
    pairs = {tuple(rng.sample(names, 2)) for _ in range(edges)}
    tops = rng.sample(names, min(3, nodes))
    return graph(" ".join([*(f"{a}>{b}" for a, b in sorted(pairs)), *(f"{name}>Shop" for name in tops)]))
