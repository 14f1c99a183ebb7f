"""Show workload reports in a terminal: tables, and plots that work without colour."""

import shutil
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.plots.terminal import Line, dots_text, stacks_text
from calmo_pagerduty.workload.reports import (
    hours_plot,
    pages_plot,
    pay_tables,
    share_plot,
    working_time_tables,
    workload_tables,
)
from calmo_pagerduty.workload.tables import Report, ReportTable, cell_text
from ingress.commands.tool_view import cell_text as safe_text, empty_table

Json = dict[str, Any]
DEFAULT_WIDTH = 100


def overview(document: Json, period: str) -> Group:
    """Return the report with its plots: hours by band, shares, and pages beside the luck band."""
    width = shutil.get_terminal_size((DEFAULT_WIDTH, 40)).columns
    plots: list[RenderableType] = []
    if rows := hours_plot(document, period):
        plots += _lines(stacks_text(f"Hours on call ({period})", "h", rows, width))
    for schedule in document["forward"]["schedules"]:
        if dots := share_plot(schedule):
            plots += _lines(dots_text(f"{schedule['name']}: planned hours", "h", dots, width))
    for schedule in document["past"]["schedules"]:
        for key, when in (("pages", "pages"), ("sleep_pages", "pages in sleep hours")):
            if schedule[key] and (dots := pages_plot(schedule[key])):
                plots += _lines(dots_text(f"{schedule['name']}: {when}", "pages", dots, width))
    return Group(*_report(workload_tables(document)), *plots)


def pay_view(document: Json) -> Group:
    return Group(*_report(pay_tables(document)))


def working_time_view(document: Json) -> Group:
    return Group(*_report(working_time_tables(document)))


def suggestion_view(document: Json) -> Group:
    """Return whom to ask, who can't, and a split."""
    asked = empty_table("who", "id", "covers", "asleep h", "load h", "debt h", "zone")
    for row in document["candidates"]:
        covers = "all of it" if row["covers_all"] else ", ".join(map(_span, row["free"]))
        numbers = [cell_text(row[name]) for name in ("sleep_hours", "load_hours", "debt_hours")]
        asked.add_row(*map(safe_text, (row["name"], row["id"], covers, *numbers, row["time_zone"])))
    parts: list[RenderableType] = [
        Text(f"{document['person']['name']} in {document['schedule']['name']}:", style="bold"),
        Text(", ".join(map(_span, document["spans"]))),
        asked,
    ]
    if document["excluded"]:
        left_out = "; ".join(f"{row['name']}: {row['reason']}" for row in document["excluded"])
        parts.append(Text(f"Not possible: {left_out}", style="dim"))
    if document["split"] and not any(row["covers_all"] for row in document["candidates"]):
        split = "; ".join(f"{row['name']} {_span(row)}" for row in document["split"])
        parts.append(Text(f"In parts: {split}"))
    if document["swaps"]:
        swaps = "; ".join(f"{row['name']} for {_span(row)}" for row in document["swaps"])
        parts.append(Text(f"In exchange: {swaps}"))
    if document["uncovered"]:
        parts.append(Text(f"Nobody: {', '.join(map(_span, document['uncovered']))}", style="bold red"))
    return Group(*parts)


def requests_view(answer: Json) -> Table:
    """Return requests for cover as a table."""
    table = empty_table("id", "state", "for", "time (UTC)", "why", "asked", "covering", "call")
    for row in answer["requests"]:
        covering = "" if row["covering"] is None else row["covering"]["name"]
        call = " ".join(filter(None, (row["call_id"], row.get("call_state"))))
        time = _span({"since": row["starts_at"], "until": row["ends_at"]})
        asked = ", ".join(person["name"] for person in row["asked"])
        cells = (
            row["id"], row["state"], row["person"]["name"], time, row["reason"], asked, covering, call
        )  # fmt: skip
        table.add_row(*map(safe_text, cells))
    return table


def _report(report: Report) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(report.title, style="bold"), Text(report.stamp, style="dim")]
    parts += [Text(note, style="yellow") for note in report.notes]
    for table in report.tables:
        parts += _table(table)
    return parts


def _table(table: ReportTable) -> list[RenderableType]:
    if not table.rows:
        return [Text(f"\n{table.title}: nothing to show")]
    view = empty_table(*table.columns)
    view.title, view.title_justify, view.title_style = table.title, "left", "bold"
    for row in table.rows:
        view.add_row(*(safe_text(cell_text(cell)) for cell in row))
    return [Text(""), view, *([Text(table.note, style="dim")] if table.note else [])]


def _lines(lines: Sequence[Line]) -> list[RenderableType]:
    return [Text(""), *(Text.assemble(*((part.text, part.style) for part in line)) for line in lines)]


def _span(row: Json) -> str:
    since, until = row["since"][:16].replace("T", " "), row["until"][:16].replace("T", " ")
    return f"{since} to {until[11:] if since[:10] == until[:10] else until}"
