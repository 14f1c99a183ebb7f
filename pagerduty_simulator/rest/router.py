"""Finds the operation of a path: literal segments first, as /users/me before /users/{id}."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pagerduty_simulator.rest.calls import Operation


@dataclass(slots=True)
class _Node:
    literal: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    operations: dict[str, Operation] = field(default_factory=dict)


class Router:
    """A tree of path segments; its depth, not the number of operations, is what a search costs."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._root
            for segment in operation.path.strip("/").split("/"):
                if segment == "{}":
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.operations[operation.method] = operation

    def find(self, path: str) -> tuple[dict[str, Operation], tuple[str, ...]] | None:
        """Return the operations of a path by method, and its parameters; None when there is none."""
        segments = path.strip("/").split("/")
        found = self._search(self._root, segments, 0)
        if found is None:
            return None
        node, parameters = found
        return node.operations, parameters

    def _search(self, node: _Node, segments: list[str], depth: int) -> tuple[_Node, tuple[str, ...]] | None:
        if depth == len(segments):
            return (node, ()) if node.operations else None
        segment = segments[depth]
        if (literal := node.literal.get(segment)) is not None:
            found = self._search(literal, segments, depth + 1)
            if found is not None:
                return found
        if node.parameter is None or not segment:
            return None
        below = self._search(node.parameter, segments, depth + 1)
        return None if below is None else (below[0], (segment, *below[1]))
