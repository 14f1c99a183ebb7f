"""Draw a map of services as SVG: business services are squares above, technical ones rounded below.

The same map gives the same bytes. What the picture says, `text_forms.map_rows` says as a table.
"""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

from calmo_pagerduty.contexts.rendering.dependency_layout import HEIGHT, LAYER_HEIGHT, WIDTH, compute_layout
from calmo_pagerduty.dependencies.collapsing import CollapsedMap, MapBox
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.plots.model import Fill
from calmo_pagerduty.plots.svg import Canvas, Figure, fit
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKind,
)

MARGIN, HEADER, LEGEND = 20.0, 74.0, 44.0
#: How far above a box a line bends that comes from the same row or from above.
BEND = 16.0
MAX_LINES = 3
Edge = tuple[str, str]
#: What services of no trouble are filled with.
_CALM = {ServiceKind.BUSINESS: Fill.SHIFT, ServiceKind.TECHNICAL: Fill.INTENDED}


def map_figure(drawn: CollapsedMap, title: str, description: str) -> Figure:
    """Return the picture of the map."""
    canvas = Canvas("service-map")
    canvas.text(MARGIN, 28, title, "title")
    if not drawn.boxes:
        canvas.text(MARGIN, HEADER + 10, "No service has a known dependency.", "muted")
        return canvas.figure(title, description, 480, HEADER + 30)
    layout = compute_layout(drawn.layers, drawn.edges)
    height = HEADER + (len(drawn.layers) - 1) * LAYER_HEIGHT + HEIGHT

    def point(x: float, layer: int) -> tuple[float, float]:
        return MARGIN + x, HEADER + HEIGHT / 2 + (len(drawn.layers) - 1 - layer) * LAYER_HEIGHT

    ends = _ends(drawn, layout.places)
    for edge in sorted(drawn.edges):
        (low, high), up = edge, layout.places[edge[0]][1] < layout.places[edge[1]][1]
        (x1, y1), (x2, y2) = point(*layout.places[low]), point(*layout.places[high])
        start = (x1 + ends[edge, low], y1 - HEIGHT / 2)
        if up:
            between = [point(x, layer) for x, layer in layout.routes[edge][1:-1]]
            route = [start, *between, (x2 + ends[edge, high], y2 + HEIGHT / 2)]
        else:
            # Above the row of the box that it leads to.
            bend = y2 - HEIGHT / 2 - BEND
            route = [
                start,
                (start[0], bend),
                (x2 + ends[edge, high], bend),
                (x2 + ends[edge, high], y2 - HEIGHT / 2),
            ]
        _edge(canvas, route, edge in drawn.returning)
    for box_id, (x, layer) in sorted(layout.places.items()):
        _box(canvas, drawn.boxes[box_id], *point(x, layer))
    right = MARGIN + max(layout.width, 620.0)
    _legend(canvas, height + LEGEND - 12, drawn.left_out)
    return canvas.figure(title, description, right + MARGIN, height + LEGEND + 28)


def _ends(drawn: CollapsedMap, places: Mapping[str, tuple[float, int]]) -> dict[tuple[Edge, str], float]:
    """Return how far from the middle of each of its boxes an edge ends: in the order of where they lead."""
    edges_at: dict[tuple[str, bool], list[tuple[float, Edge]]] = defaultdict(list)
    for edge in drawn.edges:
        low, high = edge
        enters_from_below = places[low][1] < places[high][1]
        edges_at[low, False].append((places[high][0], edge))
        edges_at[high, enters_from_below].append((places[low][0], edge))
    ends = {}
    for (box_id, _), found in edges_at.items():
        step = min(18.0, (WIDTH - 44) / len(found))
        for number, (_, edge) in enumerate(sorted(found)):
            ends[edge, box_id] = (number - (len(found) - 1) / 2) * step
    return ends


def _edge(canvas: Canvas, route: list[tuple[float, float]], is_returning: bool) -> None:
    for (x1, y1), (x2, y2) in pairwise(route):
        canvas.line(x1, y1, x2, y2, "dashed" if is_returning else "axis")
    (_, before), (x, y) = route[-2:]
    up = -1 if y < before else 1
    canvas.path([(x, y), (x - 4, y - up * 8), (x + 4, y - up * 8)], "solid", Fill.BEFORE, closed=True)


def _box(canvas: Canvas, box: MapBox, x: float, y: float) -> None:
    left, top = x - WIDTH / 2, y - HEIGHT / 2
    canvas.plate(left, top, WIDTH, HEIGHT, "background")
    fill = Fill.NOT_READY if box.worst else _CALM[box.kind]
    if box.kind is ServiceKind.BUSINESS:
        canvas.area(left, top, WIDTH, HEIGHT, fill, describe_box(box))
    else:
        _rounded(canvas, left, top, fill)
    lines = [(box.name, "strong middle")]
    below = f"⚠ {box.failed_below} below" if box.failed_below else ""
    if box.is_group:
        lines.append((count_text(len(box.members), "service"), "small middle"))
    if box.worst:
        lines.append((f"{box.worst}, {box.open_incidents} open", "alarm small middle"))
    if below and len(lines) == MAX_LINES:
        lines[-1] = (f"{box.open_incidents} open, {below}", "alarm small middle")
    elif below:
        lines.append((below, "alarm small middle"))
    first = y + 4 - (len(lines) - 1) * 7.5
    for number, (text, classes) in enumerate(lines):
        if box.worst:
            canvas.chip(x, first + number * 15, fit(text, WIDTH - 40, 11), classes.removesuffix(" middle"))
        else:
            canvas.text(x, first + number * 15, text, classes, WIDTH - 24)


def _rounded(canvas: Canvas, left: float, top: float, fill: Fill) -> None:
    """Draw a technical service: a box with cut corners, told apart from a square without colours."""
    cut = 14.0
    right, bottom = left + WIDTH, top + HEIGHT
    corners = [
        (left + cut, top), (right - cut, top), (right, top + cut), (right, bottom - cut),
        (right - cut, bottom), (left + cut, bottom), (left, bottom - cut), (left, top + cut),
    ]  # fmt: skip
    canvas.path(corners, "outline area", fill, closed=True)


def _legend(canvas: Canvas, y: float, left_out: int) -> None:
    canvas.text(
        MARGIN,
        y,
        "What is above depends on what is below. Squares are business services, cut corners technical ones.",
        "small muted",
    )
    canvas.text(
        MARGIN,
        y + 16,
        "⚠ N below: N services it depends on have an open high-urgency incident. Dashed: closes a circle.",
        "small muted",
    )
    if left_out:
        words = f"{left_out:,} weaker dependencies between groups are not drawn; the table has all."
        canvas.text(MARGIN, y + 32, words, "small muted")


def describe_box(box: MapBox) -> str:
    """Return what a box says, in a sentence."""
    words = [box.name if not box.is_group else f"{box.name}: {count_text(len(box.members), 'service')}"]
    if box.worst:
        words.append(f"{count_text(box.open_incidents, 'open incident')}, worst {box.worst}")
    if box.failed_below:
        words.append(f"{count_text(box.failed_below, 'failed service')} below")
    return "; ".join(words)
