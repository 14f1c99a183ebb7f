"""Walks over service dependencies: which services need which."""

from collections.abc import Iterable

from pagerduty_simulator.belongings import Dependency

# A kind of service (technical_service or business_service) and its id.
Node = tuple[str, str]


def neighbours(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return what is one hop away, in either direction."""
    found = set()
    for one in dependencies:
        if one.supporting == node:
            found.add(one.dependent)
        elif one.dependent == node:
            found.add(one.supporting)
    return found


def supporting(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return everything that the node needs, however many hops away."""
    return _reached(node, ((one.dependent, one.supporting) for one in dependencies))


def dependents(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return everything that needs the node, however many hops away."""
    return _reached(node, ((one.supporting, one.dependent) for one in dependencies))


def _reached(node: Node, edges: Iterable[tuple[Node, Node]]) -> set[Node]:
    beyond: dict[Node, set[Node]] = {}
    for here, there in edges:
        beyond.setdefault(here, set()).add(there)
    found: set[Node] = set()
    waiting = [node]
    while waiting:
        for other in beyond.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found
