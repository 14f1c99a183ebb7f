"""The picture of dependencies: right, readable by all, and of the same bytes every time."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings, strategies as st

from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import DependencyNode, DependencyView, IncidentContext
from calmo_pagerduty.contexts.rendering.dependency_layers import (
    MAX_LEVELS,
    MAX_NODES,
    Role,
    build_layered_graph,
)
from calmo_pagerduty.contexts.rendering.dependency_layout import COLUMN_WIDTH, WIDTH, compute_layout
from calmo_pagerduty.contexts.rendering.dependency_picture import LINE_LENGTH, dependency_svg, wrap_name
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from tests.support.pictures import parsed_picture
from tests.support.sample_context import CHECKOUT, DATABASE, a_context, assessment

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]


def thing(number: int, name: str | None = None, kind: str = "service") -> EntityRef:
    return EntityRef(id=f"P{number:04}", kind=kind, name=name or f"Service {number}")


def around(**fields: Any) -> IncidentContext:
    return a_context(assessment=assessment(surrounding=DependencyView(**fields)))


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed_picture(svg).iter(f"{SVG}text")]


@st.composite
def worlds(draw: st.DrawFn) -> IncidentContext:
    """Any dependencies: circles, islands, the same service on both sides."""
    ids = list(range(draw(st.integers(0, 60))))
    reach = st.builds(
        DependencyNode,
        thing=st.sampled_from(ids or [0]).map(thing),
        hops=st.integers(1, 9),
        has_open_incident=st.booleans(),
    )
    reaches = st.lists(reach, max_size=60).map(tuple)
    names = st.sampled_from([CHECKOUT.id, *(thing(number).id for number in ids)])
    path = draw(
        st.lists(st.sampled_from(ids or [0]).map(thing), max_size=3, unique_by=lambda drawn: drawn.id)
    )
    return around(
        downstream=draw(reaches),
        upstream=draw(reaches),
        business=draw(reaches),
        edges=tuple(draw(st.lists(st.tuples(names, names), max_size=120))),
        failing_path=(*path, CHECKOUT) if path else (),
        is_whole=draw(st.booleans()),
    )


def test_business_stands_on_top_the_failing_service_between_and_what_it_needs_below() -> None:
    graph = build_layered_graph(a_context().assessment)
    level = {node: number for number, layer in enumerate(graph.layers) for node in layer}
    assert level["PSTORAG"] < level["PORDERS"] == level["PGATEWY"] < level["PCHECK0"] < level["PSHOPWB"]
    assert level["PSHOPWB"] == level["PMOBILE"] < level["BBUYING"] == level["BRETURN"]
    assert graph.path == {(DATABASE.id, CHECKOUT.id)} and graph.returning == ()
    assert graph.nodes["PORDERS"].role is Role.ORIGIN and graph.nodes["PORDERS"].has_open_incident


def test_the_picture_says_in_words_what_it_says_by_colour() -> None:
    svg = dependency_svg(a_context())
    said = texts(svg)
    assert {"this incident", "probable origin · open incident", "open incident", "business service"} <= set(
        said
    )
    assert said.count("open incident") == 1
    assert "the failure probably came along here" in said
    root = parsed_picture(svg)
    assert root.get("role") == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and description is not None and title.text and description.text
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert title.text == "Dependencies around incident #4711"
    assert "The failure probably came along Order database to Checkout API." in description.text


@given(worlds())
@settings(deadline=None)
def test_any_dependencies_make_a_picture_that_can_be_read(context: IncidentContext) -> None:
    graph = build_layered_graph(context.assessment)
    level = {node: number for number, layer in enumerate(graph.layers) for node in layer}
    assert set(level) == set(graph.nodes) and CHECKOUT.id in level
    assert len(graph.nodes) <= MAX_NODES and len(graph.layers) <= 2 * MAX_LEVELS + 3
    assert all(level[low] < level[high] for low, high in graph.edges)
    assert all(level[low] >= level[high] for low, high in graph.returning)
    layout = compute_layout(graph.layers, graph.edges)
    for number, layer in enumerate(graph.layers):
        xs = sorted(layout.places[node][0] for node in layer)
        assert all(right - left >= COLUMN_WIDTH - 0.01 for left, right in pairwise(xs)), number
    for route in layout.routes.values():
        for x, number in route[1:-1]:
            boxes = [layout.places[node][0] for node in graph.layers[number]]
            assert all(abs(x - box) > WIDTH / 2 + 4 for box in boxes), "no line runs through a box"
    parsed_picture(dependency_svg(context))


def test_of_what_there_is_no_room_for_the_number_is_told_and_none_is_lost() -> None:
    below = tuple(
        DependencyNode(thing=thing(number), hops=1, has_open_incident=number == 77) for number in range(100)
    )
    context = around(upstream=below, edges=tuple((reach.thing.id, CHECKOUT.id) for reach in below))
    graph = build_layered_graph(context.assessment)
    (more,) = [node for node in graph.nodes.values() if node.role is Role.MORE]
    shown = [node for node in graph.nodes.values() if node.role is Role.SERVICE]
    assert more.name == f"+{100 - len(shown)} more"
    assert thing(77).id in graph.nodes, "an open incident is shown before others"
    assert more.name in texts(dependency_svg(context))


def test_the_boxes_of_a_large_account_stand_for_all_of_it() -> None:
    below = tuple(DependencyNode(thing=thing(number), hops=1 + number // 100) for number in range(500))
    above = tuple(DependencyNode(thing=thing(1000 + number), hops=1 + number // 100) for number in range(500))
    edges = [
        (thing(number).id, thing(number - 100).id if number >= 100 else CHECKOUT.id) for number in range(500)
    ]
    edges += [
        (thing(900 + number).id if number >= 100 else CHECKOUT.id, thing(1000 + number).id)
        for number in range(500)
    ]
    graph = build_layered_graph(around(upstream=below, downstream=above, edges=tuple(edges)).assessment)
    more = [node for node in graph.nodes.values() if node.role is Role.MORE]
    told = sum(int(node.name.strip("+ more")) for node in more) + len(graph.nodes) - len(more)
    assert told == 1001 and len(graph.nodes) <= MAX_NODES


def test_a_circle_is_drawn_as_one() -> None:
    first, second = thing(1), thing(2)
    context = around(
        upstream=(DependencyNode(thing=first, hops=1), DependencyNode(thing=second, hops=2)),
        edges=((first.id, CHECKOUT.id), (second.id, first.id), (CHECKOUT.id, second.id)),
    )
    graph = build_layered_graph(context.assessment)
    assert graph.returning == ((CHECKOUT.id, second.id),)
    svg = dependency_svg(context)
    assert svg.count('stroke-dasharray="6 4"') == 2, "the line and its sample below"
    assert "closes a circle" in texts(svg)


def test_a_box_stands_in_the_middle_of_what_depends_on_it() -> None:
    layout = compute_layout([["a"], ["b", "c"], ["d"]], [("a", "b"), ("a", "c"), ("b", "d")])
    (a, _), (b, _), (c, _) = (layout.places[node] for node in "abc")
    assert a == (b + c) / 2 and abs(b - c) == COLUMN_WIDTH
    assert layout.places["d"] == (b, 2), "a line between two boxes is straight where it can be"


def test_without_dependencies_the_failing_service_stands_alone_and_says_so() -> None:
    said = texts(dependency_svg(around(is_whole=False)))
    assert said == [
        "Failing",
        "Checkout API",
        "this incident",
        "no dependencies are known",
        "…",
        "not all were read",
    ]


HOSTILE = ("</text><script>alert(1)</script>", "a & b", '" onload="alert(1)', "]]>", "<![CDATA[", "<!--")


@given(st.text(max_size=80) | st.sampled_from(HOSTILE), st.text(max_size=80))
@settings(deadline=None)
def test_a_name_stays_a_name(name: str, other: str) -> None:
    context = around(
        upstream=(DependencyNode(thing=thing(1, name), hops=1),),
        business=(DependencyNode(thing=thing(2, other), hops=1),),
    )
    root = parsed_picture(dependency_svg(context))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "rect", "text", "path"}
    assert not [
        name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name
    ]
    boxes = [element.text or "" for element in root.iter(f"{SVG}title")]
    assert " ".join(sanitize_text(name or "Service 1").split()) in boxes


@given(st.text(max_size=120))
def test_a_name_is_wrapped_into_two_lines_at_most(name: str) -> None:
    lines = wrap_name(name)
    assert 1 <= len(lines) <= 2 and all(0 < len(line) <= LINE_LENGTH for line in lines)


def test_long_names_break_where_one_can_read_on() -> None:
    assert wrap_name("user-profile-service-with-a-long-name") == ["user-profile-", "service-with-a-lon…"]
    assert wrap_name("shipping gateway for parcels") == ["shipping gateway", "for parcels"]


def test_the_same_context_gives_the_same_bytes_in_every_process() -> None:
    program = (
        "from tests.support.sample_context import a_context;"
        "from calmo_pagerduty.contexts.rendering.dependency_picture import dependency_svg;"
        "print(dependency_svg(a_context()), end='')"
    )
    pictures = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert pictures == {dependency_svg(a_context())}
