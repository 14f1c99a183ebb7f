"""Walk an account's dependencies from one service, hop by hop: PagerDuty tells one service's at a time.

Upstream (what it depends on) three hops are walked, downstream (what depends on it) all.
"""

from collections.abc import Iterable, Mapping

from calmo_pagerduty.contexts.analysis.inputs import NodeKind
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge

#: A kind of service and an id: ids are unique per kind only.
NodeKey = tuple[str, str]
MAX_UPSTREAM_HOPS = 3


class DependencyWalk:
    """Ask `frontier()` for what is to be looked at, nearest first, and tell each one's edges, until empty."""

    def __init__(self, service_id: str) -> None:
        self._start: NodeKey = (NodeKind.TECHNICAL.value, service_id)
        #: Hops from the start, of what is upstream and what is downstream; it is itself at 0 in both.
        self.upstream: dict[NodeKey, int] = {self._start: 0}
        self.downstream: dict[NodeKey, int] = {self._start: 0}
        self.edges: set[Edge] = set()
        self._supporters: dict[NodeKey, set[NodeKey]] = {}
        self._dependents: dict[NodeKey, set[NodeKey]] = {}
        self._looked_at: set[NodeKey] = set()

    def frontier(self) -> list[NodeKey]:
        """Return the nodes that are reached now and were not looked at yet."""
        # Anew each time: in a cycle a node is reached from both sides, one after the other.
        self.upstream = self._hops_by_node(self._supporters, MAX_UPSTREAM_HOPS)
        self.downstream = self._hops_by_node(self._dependents, None)
        hops = {node: hop for node, hop in self.upstream.items() if hop < MAX_UPSTREAM_HOPS}
        for node, hop in self.downstream.items():
            hops[node] = min(hop, hops.get(node, hop))
        waiting = [node for node in hops if node not in self._looked_at]
        return sorted(waiting, key=lambda node: (hops[node], node))

    def add_edges(self, node: NodeKey, edges: Iterable[Edge]) -> None:
        """Take in the edges at a node: who supports it, and whom it supports."""
        self._looked_at.add(node)
        for edge in edges:
            supporting, dependent = edge[:2], edge[2:]
            if node in {supporting, dependent}:
                self.edges.add(edge)
            if dependent == node:
                self._supporters.setdefault(node, set()).add(supporting)
            if supporting == node:
                self._dependents.setdefault(node, set()).add(dependent)

    def skip(self, node: NodeKey) -> None:
        """Give a node up: what lies behind it stays unknown."""
        self._looked_at.add(node)

    def nearest_upstream(self, at_most: int) -> tuple[str, ...]:
        """Return the technical services upstream, the start first, nearest first."""
        ordered = sorted(self.upstream.items(), key=lambda item: (item[1], item[0]))
        return tuple(id_ for (kind, id_), _ in ordered if kind == NodeKind.TECHNICAL)[:at_most]

    def _hops_by_node(self, step: Mapping[NodeKey, set[NodeKey]], most: int | None) -> dict[NodeKey, int]:
        hops, level, hop = {self._start: 0}, {self._start}, 0
        while level and (most is None or hop < most):
            hop += 1
            level = {to for node in level for to in step.get(node, ())} - hops.keys()
            hops |= dict.fromkeys(level, hop)
        return hops
