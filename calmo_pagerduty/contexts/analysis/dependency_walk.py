"""Walk an account's dependencies from one service, hop by hop.

PagerDuty returns the dependencies of one service at a time. The walk goes three hops upstream (services
that it depends on) and all hops downstream (services that depend on it).
Source: PagerDuty's REST API, `GET /service_dependencies/technical_services/{id}` (and `business_services`).
"""

from collections.abc import Iterable, Mapping

from calmo_pagerduty.contexts.analysis.inputs import NodeKind
from calmo_pagerduty.contexts.analysis.parse_accounts import Edge

#: A kind of service and an id: ids are unique per kind only.
NodeKey = tuple[str, str]
MAX_UPSTREAM_HOPS = 3


class DependencyWalk:
    """The state of a walk: read each node of `frontier()` and pass its edges to `add_edges`, until the
    frontier is empty.
    """

    def __init__(self, service_id: str) -> None:
        self._start: NodeKey = (NodeKind.TECHNICAL.value, service_id)
        #: Hops from the start, by node; the start is at 0 in both.
        self.upstream: dict[NodeKey, int] = {self._start: 0}
        self.downstream: dict[NodeKey, int] = {self._start: 0}
        self.edges: set[Edge] = set()
        self._supporters: dict[NodeKey, set[NodeKey]] = {}
        self._dependents: dict[NodeKey, set[NodeKey]] = {}
        self._read: set[NodeKey] = set()

    def frontier(self) -> list[NodeKey]:
        """Return the nodes that are reached but not yet read, the nearest first."""
        # Computed anew each time: in a cycle, a node is reached first from one side, later from the other.
        self.upstream = self._hops_by_node(self._supporters, MAX_UPSTREAM_HOPS)
        self.downstream = self._hops_by_node(self._dependents, None)
        hops = {node: hop for node, hop in self.upstream.items() if hop < MAX_UPSTREAM_HOPS}
        for node, hop in self.downstream.items():
            hops[node] = min(hop, hops.get(node, hop))
        waiting = [node for node in hops if node not in self._read]
        return sorted(waiting, key=lambda node: (hops[node], node))

    def add_edges(self, node: NodeKey, edges: Iterable[Edge]) -> None:
        """Add the edges of a node: its supporters and its dependents."""
        self._read.add(node)
        for edge in edges:
            supporting, dependent = edge[:2], edge[2:]
            if node in {supporting, dependent}:
                self.edges.add(edge)
            if dependent == node:
                self._supporters.setdefault(node, set()).add(supporting)
            if supporting == node:
                self._dependents.setdefault(node, set()).add(dependent)

    def skip(self, node: NodeKey) -> None:
        """Skip a node that can't be read: the nodes behind it stay unknown."""
        self._read.add(node)

    def nearest_upstream(self, at_most: int) -> tuple[str, ...]:
        """Return the ids of the technical services upstream, nearest first; the start comes first."""
        ordered = sorted(self.upstream.items(), key=lambda item: (item[1], item[0]))
        return tuple(id_ for (kind, id_), _ in ordered if kind == NodeKind.TECHNICAL)[:at_most]

    def _hops_by_node(self, step: Mapping[NodeKey, set[NodeKey]], most: int | None) -> dict[NodeKey, int]:
        hops, level, hop = {self._start: 0}, {self._start}, 0
        while level and (most is None or hop < most):
            hop += 1
            level = {to for node in level for to in step.get(node, ())} - hops.keys()
            hops |= dict.fromkeys(level, hop)
        return hops
