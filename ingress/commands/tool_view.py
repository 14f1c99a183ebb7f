"""Tools, calls, connections and the audit as a terminal shows them."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.untrusted_text import clean_text

Json = dict[str, Any]

RISK_STYLE = {"low": "green", "medium": "yellow", "high": "bold red"}
STATE_STYLE = {
    "done": "green", "waiting": "bold yellow", "running": "cyan", "failed": "bold red",
    "unknown": "bold red", "denied": "red", "expired": "red", "refused": "red",
}  # fmt: skip
LONGEST_CELL = 200
WHOLE = frozenset({"#", "tool", "access", "risk", "allowed", "ticket", "connection", "state"})


def a_table(*columns: str) -> Table:
    """Return an empty table; a word that is to be copied is never broken in two."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=name in WHOLE, overflow="fold")
    return table


def words(value: Any) -> Text:
    """Return a value as one cell: clean, and never longer than a cell should be."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(words(part).plain for part in value))
    if isinstance(value, dict):
        return words(value.get("summary") or value.get("name") or value.get("id") or json.dumps(value))
    return Text(clean_text(str(value), LONGEST_CELL).replace("\n", " "))


def tool_table(tools: Sequence[Json], judged: bool) -> Table:
    """Return the tools under the heading of their category."""
    table = a_table("tool", "access", "risk", *(["allowed"] if judged else []), "what it does")
    for category, of_it in groupby(tools, key=lambda tool: str(tool["category"])):
        table.add_row(Text(f"\n{category}", style="dim"))
        for tool in of_it:
            allowed = "approval" if tool["allowed"] and tool["needs_approval"] else tool["allowed"]
            table.add_row(
                Text(tool["name"], style="bold"),
                words(tool["access"]),
                Text(tool["risk"], style=RISK_STYLE[tool["risk"]]),
                *([words(allowed)] if judged else []),
                words(tool["title"]),
            )
    return table


def result_view(result: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    """Return a list as a table, an object as lines, a report as its text."""
    if isinstance(result.get("items"), list):
        return _list_view(result, columns)
    if isinstance(result.get("text"), str):
        return Text(clean_text(result["text"], 100_000))
    lines = Table.grid(padding=(0, 2))
    for name, value in _flat(result):
        lines.add_row(Text(clean_text(name), style="dim"), words(value))
    return lines


def _list_view(result: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for title, path in columns:
        table.add_column(title, no_wrap=path == "id" or path.endswith(".id"), overflow="fold")
    for item in result["items"]:
        table.add_row(*(words(_at(item, path)) for _, path in columns))
    parts: list[RenderableType] = [table]
    parts += [Text(f"note: {clean_text(str(note))}", style="yellow") for note in result.get("notes") or ()]
    if result.get("next"):
        parts.append(Text(f"more: after={clean_text(str(result['next']))}", style="dim", overflow="fold"))
    return Group(*parts)


def call_view(call: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    """Return how a call stands: its result if there is one, else what it waits for or why it failed."""
    if call["state"] == "done" and call["result"] is not None:
        return result_view(call["result"], columns)
    parts: list[RenderableType] = [
        Text.assemble((call["state"], STATE_STYLE.get(call["state"], "")), f"  {call['tool']}")
    ]
    if call["error"]:
        parts.append(Text(clean_text(str(call["error"].get("message")))))
    if call["call_id"]:
        parts += [
            Text(f"ticket     {call['call_id']}"),
            Text(f"asked by   {clean_text(str(call['requester']))} on {call['connection_id']}"),
            Text(f"arguments  {clean_text(json.dumps(call['arguments']))}"),
            Text(f"workflow   {call['workflow_url']}", overflow="fold"),
        ]
    if call["state"] == "waiting":
        parts.append(Text(f"waits for approval until {call['expires_at']}", style="yellow"))
        parts.append(Text(f"calmo-pagerduty tool approve {call['call_id']}", style="dim"))
    return Group(*parts)


def call_table(calls: Iterable[Json]) -> Table:
    table = a_table("ticket", "state", "tool", "asked by", "connection", "asked at", "arguments")
    for call in calls:
        table.add_row(
            words(call["call_id"]), Text(call["state"], style=STATE_STYLE.get(call["state"], "")),
            words(call["tool"]), words(call["requester"]), words(call["connection_id"]),
            words(call["created_at"]), words(json.dumps(call["arguments"])),
        )  # fmt: skip
    return table


def audit_table(rows: Iterable[Json]) -> Table:
    table = a_table("#", "at", "who", "through", "what", "decision", "outcome", "ms")
    for row in rows:
        record = row["record"]
        table.add_row(
            str(row["seq"]), words(row["at"][:19]), words(record.get("requester")),
            words(record.get("face")), words(record.get("tool") or record.get("connection_id")),
            words(f"{record['decision']} ({record['rule']})" if "rule" in record else None),
            words(record.get("outcome")), words(record.get("duration_ms")),
        )  # fmt: skip
    return table


def connection_table(connections: Iterable[Json]) -> Table:
    table = a_table("connection", "name", "scope", "region", "token", "switches")
    for connection in connections:
        switches = [f"{name}={state}" for name, state in connection["rules"]["switches"].items()]
        table.add_row(
            words(connection["id"]),
            words(connection["name"]),
            words(connection["scope"]),
            words(connection["region"]),
            words(connection["token_kind"] or "none"),
            words(switches or "reads only"),
        )
    return table


def found_view(found: Json) -> RenderableType:
    """Return what a test of a connection found out."""
    return Group(
        *(Text(f"• {clean_text(line)}") for line in found["report"]),
        *(
            Text(f"✗ {tool}: {clean_text(why)}", style="yellow")
            for tool, why in found["cannot_serve"].items()
        ),
    )


def _at(item: Any, path: str) -> Any:
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


def _flat(value: Json, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict) and not {"summary", "id"} & set(part):
            yield from _flat(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part
