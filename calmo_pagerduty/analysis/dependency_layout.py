"""Where the nodes of a small layered graph are drawn: few crossings, straight lines. Deterministic.

After Sugiyama: a long edge passes each layer between by a point of its own, the order within layers is
by the mean of the neighbours, and the places are the closest to the neighbours' that keep the distances.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Edge = tuple[str, str]

SWEEPS = 24
#: An edge that passes a layer needs less room than a node.
PASSING = 0.22


@dataclass(frozen=True, slots=True)
class Layout:
    """`places` holds (x, layer): x in node widths from the left, layer 0 at the bottom.

    `routes` holds the points of each edge from its lower to its upper end.
    """

    places: Mapping[str, tuple[float, int]]
    routes: Mapping[Edge, tuple[tuple[float, int], ...]]
    width: float


@dataclass
class _Drawing:
    layers: list[list[str]]
    lower: dict[str, list[str]] = field(default_factory=dict)
    upper: dict[str, list[str]] = field(default_factory=dict)

    def connect(self, below: str, above: str) -> None:
        self.upper.setdefault(below, []).append(above)
        self.lower.setdefault(above, []).append(below)


def place(layers: Sequence[Sequence[str]], edges: Iterable[Edge]) -> Layout:
    """Place nodes that are given layer by layer, from the bottom. Edges go from a lower layer to a higher."""
    level = {node: number for number, layer in enumerate(layers) for node in layer}
    drawing = _Drawing([list(layer) for layer in layers])
    chains = {
        edge: _chain(drawing, level, edge) for edge in sorted(set(edges)) if level[edge[0]] < level[edge[1]]
    }
    _order(drawing)
    x = _spread(drawing)
    numbered = {name: number for number, layer in enumerate(drawing.layers) for name in layer}
    return Layout(
        places={node: (x[node], number) for node, number in level.items()},
        routes={edge: tuple((x[name], numbered[name]) for name in chain) for edge, chain in chains.items()},
        width=max(x.values(), default=0.0) + 1.0,
    )


def _chain(drawing: _Drawing, level: Mapping[str, int], edge: Edge) -> list[str]:
    """Connect an edge's ends, by a point in each layer between."""
    below, above = edge
    passing = [f"\0{below}\0{above}\0{number}" for number in range(level[below] + 1, level[above])]
    chain = [below, *passing, above]
    for number, name in enumerate(passing, level[below] + 1):
        drawing.layers[number].append(name)
    for low, high in pairwise(chain):
        drawing.connect(low, high)
    return chain


def _order(drawing: _Drawing) -> None:
    """Order each layer so that few edges cross; the best order seen is kept."""
    best, fewest = [list(layer) for layer in drawing.layers], _crossings(drawing)
    for sweep in range(SWEEPS):
        upward = sweep % 2 == 0
        neighbours = drawing.lower if upward else drawing.upper
        numbers = range(1, len(drawing.layers)) if upward else range(len(drawing.layers) - 2, -1, -1)
        for number in numbers:
            beside = drawing.layers[number - 1 if upward else number + 1]
            _sort(drawing.layers[number], beside, neighbours)
        crossings = _crossings(drawing)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in drawing.layers], crossings
    drawing.layers = best


def _sort(layer: list[str], beside: Sequence[str], neighbours: Mapping[str, list[str]]) -> None:
    at = {name: place for place, name in enumerate(beside)}
    scale = max(len(beside) - 1, 1) / max(len(layer) - 1, 1)
    wanted = {}
    for place_now, name in enumerate(layer):
        near = [at[other] for other in neighbours.get(name, ()) if other in at]
        wanted[name] = sum(near) / len(near) if near else place_now * scale
    layer.sort(key=lambda name: wanted[name])


def _crossings(drawing: _Drawing) -> int:
    count = 0
    for below, above in pairwise(drawing.layers):
        at = {name: place for place, name in enumerate(above)}
        ends = [
            at[other] for name in below for other in sorted(drawing.upper.get(name, ()), key=at.__getitem__)
        ]
        count += sum(left > right for place, left in enumerate(ends) for right in ends[place + 1 :])
    return count


def _spread(drawing: _Drawing) -> dict[str, float]:
    """Return each name's x: near to its neighbours', in order, and never closer than the distances."""
    x = {name: float(place) for layer in drawing.layers for place, name in enumerate(layer)}
    for sweep in range(SWEEPS):
        layers = drawing.layers if sweep % 2 == 0 else list(reversed(drawing.layers))
        for layer in layers:
            wanted = []
            for name in layer:
                near = [*drawing.lower.get(name, ()), *drawing.upper.get(name, ())]
                wanted.append(sum(x[other] for other in near) / len(near) if near else x[name])
            x.update(zip(layer, _apart(wanted, _offsets(layer)), strict=True))
    left = min(x.values(), default=0.0)
    return {name: round(value - left, 3) for name, value in x.items()}


def _offsets(layer: Sequence[str]) -> list[float]:
    """Return how far from the first of its layer each must be at least."""
    offsets, at = [], 0.0
    for place, name in enumerate(layer):
        if place:
            at += _half(layer[place - 1]) + _half(name)
        offsets.append(at)
    return offsets


def _half(name: str) -> float:
    return PASSING if name.startswith("\0") else 0.5


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """Return the places closest to those wanted (least squares) at these distances: pool adjacent
    violators.
    """
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    flat = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=True)]
