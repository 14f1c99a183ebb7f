"""Show tools, tool calls, connections and audit rows in a terminal."""

import json
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.untrusted_text import sanitize_text

Json = dict[str, Any]

RISK_STYLE = {"low": "green", "medium": "yellow", "high": "bold red"}
STATE_STYLE = {
    "done": "green", "waiting": "bold yellow", "running": "cyan", "failed": "bold red",
    "unknown": "bold red", "denied": "red", "expired": "red", "refused": "red",
}  # fmt: skip
MAX_CELL_LENGTH = 200
UNBROKEN_COLUMNS = frozenset({"#", "tool", "access", "risk", "allowed", "ticket", "connection", "state"})


def empty_table(*columns: str) -> Table:
    """Return an empty table. Columns whose values people copy are never wrapped."""
    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=name in UNBROKEN_COLUMNS, overflow="fold")
    return table


def cell_text(value: Any) -> Text:
    """Return a value as a cell: sanitized, on a single line, at most MAX_CELL_LENGTH characters long."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, list):
        return Text(", ".join(cell_text(part).plain for part in value))
    if isinstance(value, dict):
        return cell_text(value.get("summary") or value.get("name") or value.get("id") or json.dumps(value))
    return Text(sanitize_text(str(value), MAX_CELL_LENGTH).replace("\n", " "))


def tool_table(tools: Sequence[Json], judged: bool) -> Table:
    """Return a table of the tools, grouped by category. With `judged`, it has the column `allowed`."""
    table = empty_table("tool", "access", "risk", *(["allowed"] if judged else []), "what it does")
    for category, tools_of_category in groupby(tools, key=lambda tool: str(tool["category"])):
        table.add_row(Text(f"\n{category}", style="dim"))
        for tool in tools_of_category:
            allowed = "approval" if tool["allowed"] and tool["needs_approval"] else tool["allowed"]
            table.add_row(
                Text(tool["name"], style="bold"),
                cell_text(tool["access"]),
                Text(tool["risk"], style=RISK_STYLE[tool["risk"]]),
                *([cell_text(allowed)] if judged else []),
                cell_text(tool["title"]),
            )
    return table


def result_view(result: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    """Return a result: a list as a table, an object as lines, a report as its text."""
    if isinstance(result.get("items"), list):
        return _list_view(result, columns)
    if isinstance(result.get("text"), str):
        return Text(sanitize_text(result["text"], 100_000))
    lines, tables = Table.grid(padding=(0, 2)), list[RenderableType]()
    for name, value in _flatten(result):
        if _is_table(value):
            tables += [Text(f"\n{sanitize_text(name)}", style="dim"), _table_of(value)]
        else:
            lines.add_row(Text(sanitize_text(name), style="dim"), cell_text(value))
    return Group(lines, *tables)


def changes_view(before: Json, after: Json) -> RenderableType:
    """Return the fields of an object that a command changed, as they were and as they are."""
    old, new = dict(_flatten(before)), dict(_flatten(after))
    lines = Table.grid(padding=(0, 2))
    for name in [name for name in old | new if old.get(name) != new.get(name)]:
        values = (cell_text(old.get(name)), Text("→"), cell_text(new.get(name)))
        lines.add_row(Text(sanitize_text(name), style="dim"), *values)
    return lines if lines.row_count else Text("nothing changed: it was so before")


def _is_table(value: Any) -> bool:
    """Tell whether a value is a list of objects that no name stands for."""
    rows = isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    return rows and not any({"summary", "name"} & set(row) and len(row) <= 4 for row in value)


def _table_of(rows: Sequence[Json]) -> Table:
    flat = [dict(_flatten(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    table = empty_table(*(sanitize_text(name) for name in names))
    for row in flat:
        table.add_row(*(cell_text(row.get(name)) for name in names))
    return table


def _list_view(result: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    for title, path in columns:
        table.add_column(title, no_wrap=path == "id" or path.endswith(".id"), overflow="fold")
    for item in result["items"]:
        table.add_row(*(cell_text(_at(item, path)) for _, path in columns))
    parts: list[RenderableType] = [table]
    parts += [Text(f"note: {sanitize_text(str(note))}", style="yellow") for note in result.get("notes") or ()]
    if result.get("next"):
        parts.append(Text(f"more: after={sanitize_text(str(result['next']))}", style="dim", overflow="fold"))
    return Group(*parts)


def call_view(call: Json, columns: Sequence[Sequence[str]]) -> RenderableType:
    """Return the state of a call: its result, or what it waits for, or why it failed."""
    if call["state"] == "done" and call["result"] is not None:
        return result_view(call["result"], columns)
    parts: list[RenderableType] = [
        Text.assemble((call["state"], STATE_STYLE.get(call["state"], "")), f"  {call['tool']}")
    ]
    if call["error"]:
        parts.append(Text(sanitize_text(str(call["error"].get("message")))))
    if call["call_id"]:
        parts += [
            Text(f"ticket     {call['call_id']}"),
            Text(f"asked by   {sanitize_text(str(call['requester']))} on {call['connection_id']}"),
            Text(f"arguments  {sanitize_text(json.dumps(call['arguments']))}"),
            Text(f"workflow   {call['workflow_url']}", overflow="fold"),
        ]
        if call["approver"]:
            decided = "denied by" if call["state"] == "denied" else "approved by"
            parts.append(Text(f"{decided:<11}{sanitize_text(str(call['approver']))}"))
    if call["state"] == "waiting":
        parts.append(Text(f"waits for approval until {call['expires_at']}", style="yellow"))
        parts.append(Text(f"calmo-pagerduty tool approve {call['call_id']}", style="dim"))
    return Group(*parts)


def call_table(calls: Iterable[Json]) -> Table:
    table = empty_table("ticket", "state", "tool", "asked by", "connection", "asked at", "arguments")
    for call in calls:
        table.add_row(
            cell_text(call["call_id"]),
            Text(call["state"], style=STATE_STYLE.get(call["state"], "")),
            cell_text(call["tool"]),
            cell_text(call["requester"]),
            cell_text(call["connection_id"]),
            cell_text(call["created_at"]),
            cell_text(json.dumps(call["arguments"])),
        )
    return table


def audit_table(rows: Iterable[Json]) -> Table:
    table = empty_table("#", "at", "who", "through", "what", "decision", "outcome", "ms")
    for row in rows:
        record = row["record"]
        table.add_row(
            str(row["seq"]),
            cell_text(row["at"][:19]),
            cell_text(record.get("requester")),
            cell_text(record.get("face")),
            cell_text(record.get("tool") or record.get("connection_id")),
            cell_text(f"{record['decision']} ({record['rule']})" if "rule" in record else None),
            cell_text(_outcome(record)),
            cell_text(record.get("duration_ms")),
        )
    return table


def _outcome(record: Json) -> str | None:
    """Return a step's outcome, with the person who decided on it."""
    outcome, approver = record.get("outcome"), record.get("approver")
    return f"{outcome} by {approver}" if outcome in {"approved", "denied"} and approver else outcome


def connection_table(connections: Iterable[Json]) -> Table:
    table = empty_table("connection", "name", "scope", "region", "token", "switches")
    for connection in connections:
        switches = [f"{name}={state}" for name, state in connection["rules"]["switches"].items()]
        table.add_row(
            cell_text(connection["id"]),
            cell_text(connection["name"]),
            cell_text(connection["scope"]),
            cell_text(connection["region"]),
            cell_text(connection["token_kind"] or "none"),
            cell_text(switches or "reads only"),
        )
    return table


def connection_report_view(test: Json) -> RenderableType:
    """Return the report of a connection's test."""
    return Group(
        *(Text(f"• {sanitize_text(line)}") for line in test["report"]),
        *(
            Text(f"✗ {tool}: {sanitize_text(why)}", style="yellow")
            for tool, why in test["cannot_serve"].items()
        ),
    )


def _at(item: Any, path: str) -> Any:
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return item


def _flatten(value: Json, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, part in value.items():
        if isinstance(part, dict) and not {"summary", "id"} & set(part):
            yield from _flatten(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", part
