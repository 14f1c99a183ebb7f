"""A map of services as a table, JSON, Mermaid and DOT. Pure; texts of others are made harmless for each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from calmo_pagerduty.dependencies.collapsing import CollapsedMap, MapBox
from calmo_pagerduty.dependencies.picture import describe_box
from calmo_pagerduty.dependencies.service_map import MapNode, ServiceMap
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)

MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class MapRow:
    """A service of the map in a table. `depends_on` and `supports` are direct, by name."""

    node: MapNode
    depends_on: tuple[str, ...]
    supports: tuple[str, ...]


def map_rows(shown: ServiceMap) -> list[MapRow]:
    """Return the map's services: those with open incidents first, then by kind and name."""
    needs: dict[ServiceKey, list[str]] = {key: [] for key in shown.nodes}
    supports: dict[ServiceKey, list[str]] = {key: [] for key in shown.nodes}
    for supporting, dependent in shown.graph.edges:
        needs[dependent].append(shown.names[supporting])
        supports[supporting].append(shown.names[dependent])
    rows = [
        MapRow(node, tuple(sorted(needs[key])), tuple(sorted(supports[key])))
        for key, node in shown.nodes.items()
    ]
    return sorted(
        rows,
        key=lambda row: (
            not row.node.incidents,
            -row.node.failed_below,
            row.node.service.key.kind is not ServiceKind.BUSINESS,
            row.node.service.name.casefold(),
            row.node.service.key,
        ),
    )


def map_document(shown: ServiceMap) -> JsonObject:
    """Return the map as JSON; ids of services are `KIND:ID`."""
    return {
        "at": shown.at,
        "services_of_the_account": shown.services,
        "unread_services": shown.unread,
        "services": [_service(shown.nodes[key]) for key in sorted(shown.nodes)],
        "dependencies": [
            {"supporting": str(supporting), "dependent": str(dependent)}
            for supporting, dependent in shown.graph.edges
        ],
        "cycles": [_named(shown, circle) for circle in shown.cycles],
        "without_dependencies": _named(shown, shown.without_dependencies),
    }


def _named(shown: ServiceMap, keys: Iterable[ServiceKey]) -> list[JsonObject]:
    return [{"key": str(key), "name": shown.names[key]} for key in keys]


def _service(node: MapNode) -> JsonObject:
    service = node.service
    return {
        "key": str(service.key),
        "id": service.key.id,
        "kind": service.key.kind.value,
        "name": service.name,
        "html_url": service.html_url,
        "team_ids": list(service.team_ids),
        "worst": node.worst,
        "open_incidents": [incident.id for incident in node.incidents],
        "failed_below": node.failed_below,
        "is_in_cycle": node.is_in_cycle,
        "is_read": service.is_read,
    }


def map_description(shown: ServiceMap) -> str:
    """Return the map in words, for readers who can't see the picture."""
    edges = count_text(len(shown.graph.edges), "dependency", "dependencies")
    begin = f"{count_text(len(shown.nodes), 'service')} and {edges}."
    troubled = [
        f"{row.node.service.name}: {row.node.worst or 'calm'}, {row.node.failed_below} failed below."
        for row in map_rows(shown)
        if row.node.incidents or row.node.failed_below
    ]
    return " ".join([begin, *troubled[:50], "The table has every service with what it depends on."])


def mermaid(drawn: CollapsedMap) -> str:
    """Return a Mermaid flow chart: failures travel along its arrows, upward."""
    ids = {box_id: f"s{number}" for number, box_id in enumerate(drawn.boxes)}
    return "\n".join(["flowchart BT", *_mermaid_lines(drawn, ids)]) + "\n"


def _mermaid_lines(drawn: CollapsedMap, ids: dict[str, str]) -> Iterator[str]:
    for box_id, box in drawn.boxes.items():
        label = _label(box)
        shape = f'["{label}"]' if box.kind is ServiceKind.BUSINESS else f'(["{label}"])'
        yield f"    {ids[box_id]}{shape}"
    for (low, high), count in drawn.edges.items():
        words = f"|{count}|" if count > 1 else ""
        yield f"    {ids[low]} -->{words} {ids[high]}"


def _label(box: MapBox) -> str:
    """Return a label for Mermaid: its entity codes instead of characters that mean something there."""
    text = single_line(describe_box(box), MAX_NAME)
    return "".join(sign if sign.isalnum() or sign in " .,:;-_/()⚠" else f"#{ord(sign)};" for sign in text)


def dot(drawn: CollapsedMap) -> str:
    """Return a graph in Graphviz's DOT language: failures travel along its edges, upward."""
    lines = ["digraph services {", "  rankdir=BT;", '  node [fontname="sans-serif"];']
    for box_id, box in drawn.boxes.items():
        shape = "box" if box.kind is ServiceKind.BUSINESS else "ellipse"
        alarm = ', color="#b3121a", penwidth=2' if box.worst else ""
        lines.append(f"  {_quoted(box_id)} [label={_quoted(describe_box(box))}, shape={shape}{alarm}];")
    for (low, high), count in drawn.edges.items():
        label = f" [label={_quoted(str(count))}]" if count > 1 else ""
        lines.append(f"  {_quoted(low)} -> {_quoted(high)}{label};")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    plain = single_line(text, MAX_NAME).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'
