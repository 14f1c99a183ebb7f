"""Draw the dependencies around an incident as SVG; the same context gives the same bytes.

The picture needs no style sheet and no script, suits light and dark pages, and expresses nothing by colour
alone. Every name is escaped.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise

from calmo_pagerduty.contexts.model import IncidentContext
from calmo_pagerduty.contexts.rendering.dependency_layers import Box, LayeredGraph, Role, build_layered_graph
from calmo_pagerduty.contexts.rendering.dependency_layout import (
    HEIGHT,
    LAYER_HEIGHT,
    WIDTH,
    Layout,
    compute_layout,
)
from calmo_pagerduty.kernel.untrusted_text import sanitize_text

Point = tuple[float, float]

LEFT, MARGIN, LEGEND = 118.0, 22.0, 40.0
#: Medium greys are readable on white and on black.
LINE, CAPTION = "#7d8794", "#737d88"
PATH = "#d1242f"
#: The length of a line in a box, in narrow characters.
LINE_LENGTH = 19
MAX_LINES = 2
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
#: Fill, border colour, border width, text colour. Boxes have their own background.
_CARD = ("#f6f8fa", "#8c959f", 1.2, "#1f2328")
_OPEN = ("#ffebe9", "#cf222e", 1.6, "#1f2328")
_STYLE_OF_ROLE: Mapping[Role, tuple[str, str, float, str]] = {
    Role.FAILING: ("#b3202b", "#7d0f18", 2.6, "#ffffff"),
    Role.ORIGIN: ("#ffebe9", "#cf222e", 2.6, "#1f2328"),
    Role.BUSINESS: ("#ddf0ff", "#3b7dbd", 1.4, "#1f2328"),
    Role.SERVICE: _CARD,
    Role.MORE: ("#f6f8fa", "#8c959f", 1.2, "#57606a"),
}
_TAG_OF_ROLE: Mapping[Role, str] = {
    Role.FAILING: "this incident",
    Role.ORIGIN: "probable origin",
    Role.BUSINESS: "business service",
    Role.SERVICE: "",
    Role.MORE: "",
}


def dependency_svg(context: IncidentContext) -> str:
    """Return the picture as an SVG document; lengths are in pixels."""
    graph = build_layered_graph(context.assessment)
    # A line that closes a cycle is laid out like any other and drawn downward.
    layout = compute_layout(graph.layers, [*graph.edges, *((high, low) for low, high in graph.returning)])
    canvas = _Canvas(graph, layout)
    name = f"graph-{context.issue_id}-{context.version}"
    width, height = canvas.right + MARGIN, canvas.height
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}"'
        f' aria-labelledby="{escape(name)}-title {escape(name)}-desc">',
        f'<title id="{escape(name)}-title">{_xml_text(_title(context))}</title>',
        f'<desc id="{escape(name)}-desc">{_xml_text(_alt_text(graph))}</desc>',
        *canvas.captions(),
        *canvas.lines(),
        *(line for node in graph.nodes for line in canvas.box(graph.nodes[node])),
        *canvas.legend(),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _title(context: IncidentContext) -> str:
    facts = context.assessment.incident
    number = f"#{facts.number}" if facts.number is not None else facts.incident.id
    return f"Dependencies around incident {number}"


def _alt_text(graph: LayeredGraph) -> str:
    """Return the alternative text, for readers who can't see the picture."""
    sentences = []
    middle = _layer_of_role(graph, Role.FAILING)
    for number in range(len(graph.layers) - 1, -1, -1):
        names = ", ".join(_node_label(graph.nodes[node]) for node in graph.layers[number])
        sentences.append(f"{_caption(graph, number, middle)}: {names}.")
    path = [node.name for node in _path_nodes(graph)]
    if path:
        sentences.append(f"The failure probably came along {' to '.join(path)}.")
    if graph.returning:
        sentences.append("Some depend on each other in a circle.")
    if not graph.is_whole:
        sentences.append("Not all dependencies were read.")
    return " ".join(sentences)


def _node_label(node: Box) -> str:
    tags = ", ".join(_tags(node))
    return f"{node.name} ({tags})" if tags else node.name


def _tags(node: Box) -> list[str]:
    """Return the texts below the name in a box."""
    tags = [_TAG_OF_ROLE[node.role]] if _TAG_OF_ROLE[node.role] else []
    if node.has_open_incident and node.role is not Role.FAILING:
        tags.append("open incidents" if node.role is Role.MORE else "open incident")
    return tags


def _path_nodes(graph: LayeredGraph) -> list[Box]:
    """Return the boxes of the failing path in order, the origin first."""
    next_of = dict(graph.path)
    starts = [low for low in next_of if low not in next_of.values()]
    boxes: list[Box] = []
    node = starts[0] if starts else None
    while node is not None and node in graph.nodes and len(boxes) <= len(next_of):
        boxes.append(graph.nodes[node])
        node = next_of.get(node)
    return boxes


def _layer_of_role(graph: LayeredGraph, role: Role) -> int:
    return next(
        number
        for number, layer in enumerate(graph.layers)
        if any(graph.nodes[node].role is role for node in layer)
    )


def _caption(graph: LayeredGraph, number: int, middle: int) -> str:
    if any(graph.nodes[node].role is Role.BUSINESS for node in graph.layers[number]):
        return "Business"
    if number == middle:
        return "Failing"
    return "Depends on it" if number > middle else "It depends on"


class _Canvas:
    """Turns the layout into SVG points and lines. y grows downward, layer numbers grow upward."""

    def __init__(self, graph: LayeredGraph, layout: Layout) -> None:
        self._graph = graph
        self._layout = layout
        self._middle = _layer_of_role(graph, Role.FAILING)
        self.right = LEFT + layout.width
        self._bottom = MARGIN + (len(graph.layers) - 1) * LAYER_HEIGHT + HEIGHT
        self._legend = list(_legend(graph))
        self.right = max(self.right, LEFT + sum(room for *_, room in self._legend))
        self.height = self._bottom + LEGEND + MARGIN

    def captions(self) -> Iterator[str]:
        """Yield the name of each band of layers, at its topmost layer."""
        last = ""
        for number in range(len(self._graph.layers) - 1, -1, -1):
            caption = _caption(self._graph, number, self._middle)
            if caption != last:
                y = self._y(number) + 4.0
                yield f'<text x="{MARGIN:.0f}" y="{y:.1f}" font-size="12" fill="{CAPTION}">{caption}</text>'
            last = caption

    def lines(self) -> Iterator[str]:
        graph, ports = self._graph, self._ports()
        for edge in sorted(graph.edges, key=lambda edge: edge in graph.path):
            yield from _line(self._points(edge, ports), edge in graph.path)
        for low, high in graph.returning:
            if (high, low) in self._layout.routes:
                yield from _downward(self._points((high, low), ports))
            else:
                yield from self._sideways(low, high)

    def box(self, node: Box) -> Iterator[str]:
        x, y = self._x(self._layout.places[node.id][0]), self._y(self._layout.places[node.id][1])
        fill, border, width, colour = _style_of(node)
        rounded = HEIGHT / 2 if node.role is Role.BUSINESS else 8.0
        dashes = ' stroke-dasharray="5 4"' if node.role is Role.MORE else ""
        yield "<g>"
        yield f"<title>{_xml_text(_node_label(node))}</title>"
        yield (
            f'<rect x="{x - WIDTH / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{WIDTH:.0f}"'
            f' height="{HEIGHT:.0f}" rx="{rounded:.0f}" fill="{fill}" stroke="{border}"'
            f' stroke-width="{width:.1f}"{dashes}/>'
        )
        rows = [(row, 12.5, "600") for row in wrap_name(node.name)]
        tags = " · ".join(_tags(node))
        rows += [(tags, 10.5, "400")] if tags else []
        top = y - (len(rows) - 1) * 7.5 + 4.0
        for number, (text, size, weight) in enumerate(rows):
            yield (
                f'<text x="{x:.1f}" y="{top + number * 15.0:.1f}" font-size="{size}" font-weight="{weight}"'
                f' text-anchor="middle" fill="{colour}">{_xml_text(text)}</text>'
            )
        yield "</g>"

    def legend(self) -> Iterator[str]:
        x, y = LEFT, self._bottom + LEGEND
        for sample, text, room in self._legend:
            yield f'<g transform="translate({x:.1f} {y:.1f})">{sample}'
            yield f'<text x="22" y="4" font-size="11" fill="{CAPTION}">{text}</text></g>'
            x += room

    def _x(self, x: float) -> float:
        return LEFT + x

    def _y(self, layer: int) -> float:
        return MARGIN + HEIGHT / 2 + (len(self._graph.layers) - 1 - layer) * LAYER_HEIGHT

    def _ports(self) -> dict[tuple[str, str, bool], float]:
        """Spread the lines of a box along its side; return each line end's offset from the middle."""
        ends: dict[tuple[str, bool], list[tuple[float, str, str]]] = {}
        for (low, high), route in self._layout.routes.items():
            ends.setdefault((low, True), []).append((route[1][0], low, high))
            ends.setdefault((high, False), []).append((route[-2][0], low, high))
        ports = {}
        for (_, is_low), lines in ends.items():
            step = min(20.0, (WIDTH - 50.0) / len(lines))
            for number, (_, low, high) in enumerate(sorted(lines)):
                ports[low, high, is_low] = (number - (len(lines) - 1) / 2) * step
        return ports

    def _points(self, edge: tuple[str, str], ports: Mapping[tuple[str, str, bool], float]) -> list[Point]:
        """Return the points of a line, with two points for each layer that it passes straight."""
        (first, below), *between, (last, above) = self._layout.routes[edge]
        points = [(self._x(first) + ports[(*edge, True)], self._y(below) - HEIGHT / 2)]
        for layout_x, layer in between:
            x, y = self._x(layout_x), self._y(layer)
            points += [(x, y + HEIGHT / 2), (x, y - HEIGHT / 2)]
        return [*points, (self._x(last) + ports[(*edge, False)], self._y(above) + HEIGHT / 2)]

    def _sideways(self, low: str, high: str) -> Iterator[str]:
        """Draw an arc between two boxes of one layer, above the boxes between them."""
        (x, layer), (to, _) = self._layout.places[low], self._layout.places[high]
        start, end, y = self._x(x), self._x(to), self._y(layer) - HEIGHT / 2
        curve = f"M{start:.1f} {y:.1f}C{start:.1f} {y - 44:.1f} {end:.1f} {y - 44:.1f} {end:.1f} {y - 7:.1f}"
        yield _dashed(curve)
        yield f'<path d="{_arrow_head(end, y, -1.0)}" fill="{LINE}"/>'


def _line(points: Sequence[Point], is_path: bool) -> Iterator[str]:
    colour, width, size = (PATH, 3.4, 1.5) if is_path else (LINE, 1.5, 1.0)
    *_, (end, top) = points
    curve = _curve([*points[:-1], (end, top + 6.0 * size)])
    yield f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
    yield f'<path d="{_arrow_head(end, top, size)}" fill="{colour}"/>'


def _downward(points: Sequence[Point]) -> Iterator[str]:
    (start, bottom), *_ = points
    yield _dashed(_curve([(start, bottom - 6.0), *points[1:]]))
    yield f'<path d="{_arrow_head(start, bottom, -1.0)}" fill="{LINE}"/>'


def _dashed(curve: str) -> str:
    return f'<path d="{curve}" fill="none" stroke="{LINE}" stroke-width="1.6" stroke-dasharray="6 4"/>'


def _curve(points: Sequence[Point]) -> str:
    """Return a smooth SVG path through the points, vertical in each."""
    curve = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (x_next, y_next) in pairwise(points):
        middle = (y + y_next) / 2
        curve += f"C{x:.1f} {middle:.1f} {x_next:.1f} {middle:.1f} {x_next:.1f} {y_next:.1f}"
    return curve


def _arrow_head(x: float, y: float, size: float) -> str:
    """Return an arrow's head with its tip at a point; a negative size points downward."""
    half = 4.2 * size
    return f"M{x:.1f} {y:.1f}L{x - half:.1f} {y + 8 * size:.1f}L{x + half:.1f} {y + 8 * size:.1f}Z"


def _style_of(node: Box) -> tuple[str, str, float, str]:
    style = _STYLE_OF_ROLE[node.role]
    if node.has_open_incident and node.role in {Role.SERVICE, Role.BUSINESS}:
        style = _OPEN
    return style


def _legend(graph: LayeredGraph) -> Iterator[tuple[str, str, float]]:
    """Yield a sample, its meaning and the width of both, for each kind of line that the picture has."""
    vertical = ((6.0, 9.0), (6.0, -9.0))
    if not graph.edges:
        yield "", "no dependencies are known", 180.0
    else:
        yield "".join(_line(vertical, False)), "what is above depends on what is below", 268.0
    if graph.path:
        yield "".join(_line(vertical, True)), "the failure probably came along here", 250.0
    if graph.returning:
        yield "".join(_downward(vertical)), "closes a circle", 124.0
    if not graph.is_whole:
        yield f'<text x="2" y="4" font-size="16" fill="{CAPTION}">…</text>', "not all were read", 130.0


def _xml_text(text: str) -> str:
    """Return the text sanitized, in one line and escaped for XML."""
    return escape(" ".join(sanitize_text(text).split()))


def wrap_name(name: str) -> list[str]:
    """Return a name in at most MAX_LINES lines; a truncated name ends with `…`."""
    lines = [""]
    for piece in _breakable_pieces(sanitize_text(name, 200)):
        longer = lines[-1] + piece
        if _width(longer.strip()) <= LINE_LENGTH:
            lines[-1] = longer
        elif len(lines) < MAX_LINES:
            lines.append(piece)
        else:
            lines[-1] = _truncate(longer)
            break
    return [line.strip() for line in lines if line.strip()] or ["(no name)"]


def _breakable_pieces(name: str) -> Iterator[str]:
    """Yield words with the space before them. Break long words, after a hyphen or the like if possible."""
    for word in name.split():
        left = f" {word}"
        while _width(left) > LINE_LENGTH:
            end = next(end for end in range(len(left), 0, -1) if _width(left[:end]) <= LINE_LENGTH)
            breaks = [
                at + 1 for at, sign in enumerate(left[:end]) if sign in "-_./" and at > LINE_LENGTH // 3
            ]
            end = breaks[-1] if breaks else end
            yield left[:end]
            left = left[end:]
        if left:
            yield left


def _truncate(line: str) -> str:
    line = line.strip()
    while _width(line) >= LINE_LENGTH:
        line = line[:-1]
    return f"{line.rstrip()}…"


def _width(text: str) -> int:
    """Return the width of a text; wide East Asian characters and emoji count as two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
