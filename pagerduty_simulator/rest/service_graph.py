"""Walk over service dependencies, up- and downstream."""

from collections.abc import Iterable

from pagerduty_simulator.belongings import Dependency

# A kind of service (technical_service or business_service) and its id.
Node = tuple[str, str]


def neighbours(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return the nodes one hop away, in either direction."""
    nodes = set()
    for dependency in dependencies:
        if dependency.supporting == node:
            nodes.add(dependency.dependent)
        elif dependency.dependent == node:
            nodes.add(dependency.supporting)
    return nodes


def supporting(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return all nodes that the node needs, directly or not."""
    return _reached(node, ((dependency.dependent, dependency.supporting) for dependency in dependencies))


def dependents(dependencies: Iterable[Dependency], node: Node) -> set[Node]:
    """Return all nodes that need the node, directly or not."""
    return _reached(node, ((dependency.supporting, dependency.dependent) for dependency in dependencies))


def _reached(node: Node, edges: Iterable[tuple[Node, Node]]) -> set[Node]:
    beyond: dict[Node, set[Node]] = {}
    for start, end in edges:
        beyond.setdefault(start, set()).add(end)
    reached: set[Node] = set()
    waiting = [node]
    while waiting:
        for other in beyond.get(waiting.pop(), ()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached
