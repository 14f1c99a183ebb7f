"""Collapse a large map into boxes that fit on a page, and put the boxes into layers. Pure.

Up to `MAX_BOXES` services, each is a box. Above it, technical services of one team are one box, and the
business services too if they are many; a box leads to its team's own map.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from calmo_pagerduty.dependencies.service_map import MapNode, ServiceMap
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)

K = TypeVar("K", bound=Hashable)
MAX_BOXES = 60
#: With more edges, each box keeps those to the boxes that it depends on most.
MAX_EDGES, KEPT_PER_BOX = 120, 2
#: A layer is at most so wide; a wider one is put on top of itself.
MAX_IN_LAYER = 10
#: A map of groups has circles everywhere, so its boxes stand in order, in rows of this length.
IN_ROW = 8


@dataclass(frozen=True, slots=True)
class MapBox:
    """A service, or all services of a team and kind. `id` names the box within its picture."""

    id: str
    kind: ServiceKind
    name: str
    members: tuple[MapNode, ...]

    @property
    def is_group(self) -> bool:
        return len(self.members) > 1

    @property
    def worst(self) -> str | None:
        incidents = [incident for member in self.members for incident in member.incidents]
        return min(incidents, key=lambda incident: incident.rank).label if incidents else None

    @property
    def open_incidents(self) -> int:
        return len({incident.id for member in self.members for incident in member.incidents})

    @property
    def failed_below(self) -> int:
        return max(member.failed_below for member in self.members)


@dataclass(frozen=True, slots=True)
class CollapsedMap:
    """Boxes in layers from the bottom, what is depended on below; `edges` with how many dependencies each
    stands for. `returning` edges would close a circle. `left_out` dependencies have no edge.
    """

    boxes: Mapping[str, MapBox]
    layers: tuple[tuple[str, ...], ...]
    edges: Mapping[tuple[str, str], int]
    returning: frozenset[tuple[str, str]]
    is_collapsed: bool
    left_out: int


def collapse(shown: ServiceMap, team_names: Mapping[str, str], most: int = MAX_BOXES) -> CollapsedMap:
    """Return the map's boxes; services without any dependency are left to the table."""
    connected = sorted({end for edge in shown.graph.edges for end in edge} or shown.nodes)
    grouped: set[ServiceKind] = set()
    if len(connected) > most:
        grouped.add(ServiceKind.TECHNICAL)
        if sum(key.kind is ServiceKind.BUSINESS for key in connected) > most // 2:
            grouped.add(ServiceKind.BUSINESS)
    box_of = {key: _box_id(shown.nodes[key], grouped) for key in connected}
    boxes = _boxes(shown, box_of, team_names)
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for supporting, dependent in shown.graph.edges:
        low, high = box_of[supporting], box_of[dependent]
        if low != high:
            counts[low, high] += 1
    kept = strongest(counts) if len(counts) > MAX_EDGES else dict(sorted(counts.items()))
    top = {box.id for box in boxes.values() if box.kind is ServiceKind.BUSINESS}
    layers, returning = layered(boxes, kept, top, IN_ROW if len(kept) < len(counts) else None)
    left_out = sum(counts.values()) - sum(kept.values())
    return CollapsedMap(boxes, layers, kept, returning, bool(grouped), left_out)


def strongest(counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return the edges to the boxes that each box depends on most."""
    needs: dict[str, list[tuple[int, tuple[str, str]]]] = defaultdict(list)
    for edge, count in counts.items():
        needs[edge[1]].append((-count, edge))
    kept = [edge for found in needs.values() for _, edge in sorted(found)[:KEPT_PER_BOX]]
    return {edge: counts[edge] for edge in sorted(kept)}


def _box_id(node: MapNode, grouped: set[ServiceKind]) -> str:
    if node.service.key.kind not in grouped:
        return str(node.service.key)
    return f"{node.service.key.kind}:team:{next(iter(node.service.team_ids), '')}"


def _boxes(
    shown: ServiceMap, box_of: Mapping[ServiceKey, str], team_names: Mapping[str, str]
) -> dict[str, MapBox]:
    members: dict[str, list[MapNode]] = defaultdict(list)
    for key, box_id in box_of.items():
        members[box_id].append(shown.nodes[key])
    boxes = {}
    for box_id in sorted(members):
        found = tuple(members[box_id])
        first = found[0].service
        team = next(iter(first.team_ids), "")
        name = first.name if len(found) == 1 else team_names.get(team, team) or "without a team"
        boxes[box_id] = MapBox(box_id, first.key.kind, name, found)
    return boxes


def layered(
    boxes: Iterable[str], edges: Iterable[tuple[str, str]], top: set[str], in_row: int | None = None
) -> tuple[tuple[tuple[str, ...], ...], frozenset[tuple[str, str]]]:
    """Return the layers from the bottom, and the edges that go against them.

    A box stands above all that it depends on, as far as circles allow; those of `top` above all others.
    With `in_row`, boxes stand in rows of that length, each in or above the row of most that it depends on.
    """
    ordered = sorted(set(edges))
    sequence = _order(sorted(boxes), ordered)
    place = {box: number for number, box in enumerate(sequence)}
    returning = frozenset(edge for edge in ordered if place[edge[0]] > place[edge[1]])
    if in_row is None:
        level = _levels(sequence, [edge for edge in ordered if edge not in returning])
    else:
        level = {box: number // in_row for number, box in enumerate(sequence)}
    floor = max((level[box] + 1 for box in place if box not in top), default=0)
    rows: dict[int, list[str]] = defaultdict(list)
    for box in sorted(place):
        rows[level[box] + (floor if box in top else 0)].append(box)
    return _split([rows[number] for number in sorted(rows)]), returning


def _levels(sequence: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    below: dict[str, list[str]] = defaultdict(list)
    for low, high in edges:
        below[high].append(low)
    level: dict[str, int] = {}
    for box in sequence:
        level[box] = max((level[low] + 1 for low in below[box]), default=0)
    return level


def _split(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        tuple(row[start : start + MAX_IN_LAYER]) for row in rows for start in range(0, len(row), MAX_IN_LAYER)
    )


def _order(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[str]:
    """Return the nodes so that few edges go backwards.

    Source: P. Eades, X. Lin, W. F. Smyth, Inform. Process. Lett. 47 (1993) 319-323.
    """
    after: dict[str, set[str]] = {node: set() for node in nodes}
    before: dict[str, set[str]] = {node: set() for node in nodes}
    for low, high in edges:
        after[low].add(high)
        before[high].add(low)
    first: list[str] = []
    last: list[str] = []
    left = dict.fromkeys(nodes)
    while left:
        node = next((node for node in left if not after[node]), None)
        if node is not None:
            last.append(node)
        else:
            node = next((node for node in left if not before[node]), None) or max(
                left, key=lambda node: len(after[node]) - len(before[node])
            )
            first.append(node)
        del left[node]
        for other in before.pop(node):
            after[other].discard(node)
        for other in after.pop(node):
            before[other].discard(node)
    return first + last[::-1]
