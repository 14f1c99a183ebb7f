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
    below: dict[Node, set[Node]] = {}
    for one in dependencies:
        below.setdefault(one.dependent, set()).add(one.supporting)
    found: set[Node] = set()
    waiting = [node]
    while waiting:
        for needed in below.get(waiting.pop(), ()):
            if needed not in found:
                found.add(needed)
                waiting.append(needed)
    return found
