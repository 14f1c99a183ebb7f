"""Place the boxes and lines of a small layered graph, with few crossings and straight lines.

The caller gives the layers; graphlay (a Sugiyama layout) orders each layer and places its boxes. The same
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
#: x in pixels, and the layer's number.
Point = tuple[float, int]

#: In pixels: the size of a box, and the distance between the middles of neighbours, in a layer and above it.
WIDTH, HEIGHT = 172.0, 58.0
COLUMN_WIDTH, LAYER_HEIGHT = WIDTH + 26.0, HEIGHT + 60.0
#: The least distance, in pixels, from the middle of a box to a line that passes it.
PASSING = WIDTH / 2 + 30.0
#: graphlay's lines are orthogonal by default: they pass a layer vertically, in a gap between boxes.
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
    """Place the nodes of each layer, from the bottom; no layer may be empty.

    An edge is (a node, a node of a higher layer); edges that don't go upward are left out.
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
    positions = drawing.positions()
    heights = [positions[layer[0]][1] for layer in layers]
    routes = {}
    for (low, high), line in zip(upward, drawing.edges, strict=True):
        layers_between = range(level[low] + 1, level[high])
        xs_between = [_x_at(heights[number], line["points"]) for number in layers_between]
        xs = (positions[low][0], *xs_between, positions[high][0])
        routes[low, high] = tuple(zip(xs, range(level[low], level[high] + 1), strict=True))
    places = {node: (x, level[node]) for node, (x, _) in positions.items()}
    return _shift_to_left_edge(*_centre_boxes(places, routes))


def _x_at(height: float, line: Sequence[Mapping[str, float]]) -> float:
    """Return the x at which an orthogonal line passes a layer, vertically."""
    return next(
        point["x"]
        for point, following in pairwise(line)
        if min(point["y"], following["y"]) <= height <= max(point["y"], following["y"])
    )


def _centre_boxes(
    places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]
) -> tuple[dict[str, Point], dict[Edge, tuple[Point, ...]]]:
    """Centre each box that has all its lines on one side above or below its neighbours, if there is room.

    graphlay keeps as many lines straight as it can, so it puts such a box directly below a neighbour.
    """
    places, routes = dict(places), dict(routes)
    for node, (x, number) in sorted(places.items(), key=lambda item: (item[1][1], item[1][0])):
        above = [route[1][0] for (low, _), route in routes.items() if low == node]
        below = [route[-2][0] for (_, high), route in routes.items() if high == node]
        if (above and below) or len(above) + len(below) < 2:
            continue
        left, right = _free_interval(x, number, places, routes)
        moved = (min(max(statistics.fmean(above or below), left), right), number)
        places[node] = moved
        for (low, high), route in routes.items():
            if low == node:
                routes[low, high] = (moved, *route[1:])
            elif high == node:
                routes[low, high] = (*route[:-1], moved)
    return places, routes


def _free_interval(
    x: float, number: int, places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]
) -> tuple[float, float]:
    """Return the smallest and the largest x to which the box at `x` may move."""
    beside = [(other, COLUMN_WIDTH) for other, layer in places.values() if layer == number and other != x]
    beside += [(at, PASSING) for route in routes.values() for at, layer in route[1:-1] if layer == number]
    left = max((other + distance for other, distance in beside if other < x), default=-math.inf)
    right = min((other - distance for other, distance in beside if other > x), default=math.inf)
    return min(left, x), max(right, x)


def _shift_to_left_edge(places: Mapping[str, Point], routes: Mapping[Edge, tuple[Point, ...]]) -> Layout:
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
