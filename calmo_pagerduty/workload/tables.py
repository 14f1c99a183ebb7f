"""Reports as tables, and tables as markdown, CSV and HTML. Texts from PagerDuty are escaped. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from calmo_pagerduty.kernel.csv_text import csv_document
from calmo_pagerduty.kernel.markdown_text import escape_markdown, single_line
from calmo_pagerduty.plots.html_page import html_page
from calmo_pagerduty.plots.svg import Figure

Cell = str | int | float | bool | None
UNKNOWN_TEXT = "unknown"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report. A cell of None is unknown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report for people: notes first, because they say what is missing; then tables and definitions."""

    title: str
    stamp: str
    notes: tuple[str, ...]
    tables: tuple[ReportTable, ...]
    definitions: tuple[tuple[str, str], ...] = ()


def cell_text(cell: Cell) -> str:
    """Return a cell in words."""
    if cell is None:
        return UNKNOWN_TEXT
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def markdown(report: Report) -> str:
    """Return a report as markdown."""
    lines = [f"# {escape_markdown(report.title)}", "", escape_markdown(report.stamp), ""]
    lines += [f"> {escape_markdown(note, 600)}\n" for note in report.notes]
    for table in report.tables:
        lines += [f"## {escape_markdown(table.title)}", ""]
        if table.note:
            lines += [escape_markdown(table.note, 600), ""]
        if not table.rows:
            lines += ["Nothing to show.", ""]
            continue
        lines.append(f"| {' | '.join(map(escape_markdown, table.columns))} |")
        lines.append(f"|{'---|' * len(table.columns)}")
        lines += [f"| {' | '.join(_markdown_cell(cell) for cell in row)} |" for row in table.rows]
        lines.append("")
    if report.definitions:
        lines += ["## Definitions", ""]
        lines += [
            f"- **{escape_markdown(name)}**: {escape_markdown(text, 600)}"
            for name, text in report.definitions
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def csv_text(table: ReportTable) -> str:
    """Return a table as CSV. An unknown cell is empty."""
    return csv_document(table.columns, ([_csv_cell(cell) for cell in row] for row in table.rows))


def html(report: Report, figures: Sequence[Figure] = ()) -> str:
    """Return a report as an HTML page without scripts, which loads nothing."""
    parts = [
        f'<h1>{_html(report.title)}</h1><p class="muted">{_html(report.stamp)}</p>',
        *(f'<p class="warning">{_html(note)}</p>' for note in report.notes),
        *(f'<div class="wide">{figure.inline()}</div>' for figure in figures),
        *(part for table in report.tables for part in _html_table(table)),
    ]
    if report.definitions:
        parts.append("<h2>Definitions</h2><dl>")
        parts += [f"<dt>{_html(name)}</dt><dd>{_html(text)}</dd>" for name, text in report.definitions]
        parts.append("</dl>")
    return html_page(report.title, "\n".join(parts), with_plots=bool(figures))


def _html_table(table: ReportTable) -> list[str]:
    numeric = [
        any(isinstance(row[index], int | float) and not isinstance(row[index], bool) for row in table.rows)
        for index in range(len(table.columns))
    ]

    def row_of(cells: Sequence[str], tag: str) -> str:
        marks = [' class="number"' if is_number else "" for is_number in numeric]
        scope = ' scope="col"' if tag == "th" else ""
        inner = "".join(
            f"<{tag}{scope}{mark}>{cell}</{tag}>" for cell, mark in zip(cells, marks, strict=True)
        )
        return f"<tr>{inner}</tr>"

    note = f"<p>{_html(table.note)}</p>" if table.note else ""
    if not table.rows:
        return [f'<h2>{_html(table.title)}</h2>{note}<p class="muted">Nothing to show.</p>']
    return [
        f'<h2>{_html(table.title)}</h2>{note}<div class="wide"><table><thead>',
        row_of([_html(column) for column in table.columns], "th"),
        "</thead><tbody>",
        *(row_of([_html(cell_text(cell)) for cell in row], "td") for row in table.rows),
        "</tbody></table></div>",
    ]


def _markdown_cell(cell: Cell) -> str:
    return escape_markdown(cell) if isinstance(cell, str) and cell else cell_text(cell)


def _csv_cell(cell: Cell) -> str | int | float | None:
    return cell_text(cell) if isinstance(cell, bool) else cell


def _html(text: str) -> str:
    return escape(single_line(text, 1000), quote=True)
