"""Walks over service dependencies: which services need which."""

from collections.abc import Iterable

from pagerduty_simulator.belongings import Dependency

# A kind of service (technical_service or business_service) and its id.
Node = tuple[str, str]


def neighbours(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return what is one hop away, in either direction."""
    found = set()
    for dependency in dependencies:
        if dependency.supporting == node:
            found.add(dependency.dependent)
        elif dependency.dependent == node:
            found.add(dependency.supporting)
    return found


def supporting(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return everything that the node needs, however many hops away."""
    return _reached(node, ((dependency.dependent, dependency.supporting) for dependency in dependencies))


def dependents(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return everything that needs the node, however many hops away."""
    return _reached(node, ((dependency.supporting, dependency.dependent) for dependency in dependencies))


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
