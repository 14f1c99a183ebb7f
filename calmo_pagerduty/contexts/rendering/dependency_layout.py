"""Where the boxes and lines of a small layered graph are drawn: few crossings, straight lines.

The layers are given; graphlay (a layout after Sugiyama) orders each layer and places its boxes. The same
graph has the same layout in every process.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import graphlay

Edge = tuple[str, str]
#: x in pixels, and the layer.
Point = tuple[float, int]

#: In pixels: a box, and from the middle of one box to the middle of the next, in its layer and above it.
WIDTH, HEIGHT = 172.0, 58.0
COLUMN_WIDTH, LAYER_HEIGHT = WIDTH + 26.0, HEIGHT + 60.0
#: From the middle of a box to a line that passes it, at least.
PASSING = WIDTH / 2 + 30.0
#: graphlay's lines are orthogonal by default: they pass a layer upright, where there is room between boxes.
_OPTIONS: Final[Mapping[str, Any]] = {
    "direction": "topbottom",
    "spacing": {
        "node_gap": COLUMN_WIDTH - WIDTH,
        "isolated_gap": COLUMN_WIDTH - WIDTH,
        "layer_gap": LAYER_HEIGHT - HEIGHT,
    },
    "coords": {"branch_style": "symmetric"},
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Each point is (x, layer): x in pixels from the left edge, layer 0 at the bottom.

    `places` holds the boxes' middles, `routes` the points of each edge, one per layer, from its lower to its
    upper end. `width` is in pixels.
    """

    places: Mapping[str, Point]
    routes: Mapping[Edge, tuple[Point, ...]]
    width: float


def compute_layout(layers: Sequence[Sequence[str]], edges: Iterable[Edge]) -> Layout:
    """Place nodes that are given layer by layer, from the bottom; no layer is empty.

    An edge is (a node, a node of a higher layer); those that don't go upward are left out.
    """
    level = {node: number for number, layer in enumerate(layers) for node in layer}
    upward = sorted({(low, high) for low, high in edges if level[low] < level[high]})
    graph = graphlay.Graph()
    for node, number in level.items():
        # graphlay counts layers from the top.
        graph.node(node, width=WIDTH, height=HEIGHT, rank={"fixed": len(layers) - 1 - number})
    for low, high in upward:
        graph.edge(high, low)
    drawing = graphlay.layout(graph, options=_OPTIONS)
    at = drawing.positions()
    heights = [at[layer[0]][1] for layer in layers]
    routes = {}
    for (low, high), line in zip(upward, drawing.edges, strict=True):
        between = range(level[low] + 1, level[high])
        passing = [_x_at(heights[number], line["points"]) for number in between]
        xs = (at[low][0], *passing, at[high][0])
        routes[low, high] = tuple(zip(xs, range(level[low], level[high] + 1), strict=True))
    places = {node: (x, level[node]) for node, (x, _) in at.items()}
    return _from_the_left(*_centred(places, routes))


def _x_at(height: float, line: Sequence[Mapping[str, float]]) -> float:
    """Return where an orthogonal line passes a layer, which it does upright."""
    return next(
        point["x"]
        for point, following in pairwise(line)
        if min(point["y"], following["y"]) <= height <= max(point["y"], following["y"])
    )


def _centred(
    places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]
) -> tuple[dict[str, Point], dict[Edge, tuple[Point, ...]]]:
    """Move each box that has all its lines on one side to their middle, as far as there is room beside it.

    graphlay keeps as many lines straight as it can, and so puts such a box below one of its neighbours.
    """
    places, routes = dict(places), dict(routes)
    for node, (x, number) in sorted(places.items(), key=lambda item: (item[1][1], item[1][0])):
        above = [route[1][0] for (low, _), route in routes.items() if low == node]
        below = [route[-2][0] for (_, high), route in routes.items() if high == node]
        if (above and below) or len(above) + len(below) < 2:
            continue
        left, right = _room_around(x, number, places, routes)
        moved = (min(max(statistics.fmean(above or below), left), right), number)
        places[node] = moved
        for (low, high), route in routes.items():
            if low == node:
                routes[low, high] = (moved, *route[1:])
            elif high == node:
                routes[low, high] = (*route[:-1], moved)
    return places, routes


def _room_around(
    x: float, number: int, places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]
) -> tuple[float, float]:
    """Return how far the box at this point may move to the left and to the right."""
    beside = [(other, COLUMN_WIDTH) for other, layer in places.values() if layer == number and other != x]
    beside += [(at, PASSING) for route in routes.values() for at, layer in route[1:-1] if layer == number]
    left = max((other + distance for other, distance in beside if other < x), default=-math.inf)
    right = min((other - distance for other, distance in beside if other > x), default=math.inf)
    return min(left, x), max(right, x)


def _from_the_left(places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]) -> Layout:
    passing = [x for route in routes.values() for x, _ in route]
    left = min([x - WIDTH / 2 for x, _ in places.values()] + passing, default=0.0)
    right = max([x + WIDTH / 2 for x, _ in places.values()] + passing, default=0.0)
    return Layout(
        places={node: (round(x - left, 3), number) for node, (x, number) in places.items()},
        routes={
            edge: tuple((round(x - left, 3), number) for x, number in route) for edge, route in routes.items()
        },
        width=round(right - left, 3),
    )
