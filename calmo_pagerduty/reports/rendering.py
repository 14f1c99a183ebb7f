"""A report as Markdown, HTML, CSV and JSON, and from JSON back. Texts from PagerDuty are escaped. Pure."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from calmo_pagerduty.kernel.instants import format_instant, format_iso_utc
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.reports.model import MadeReport, ReportKind, Section
from calmo_pagerduty.workload.tables import Report, ReportTable, csv_text, html, markdown

SCHEMA = "calmo.report/1"


class ReportFormat(StrEnum):
    JSON = "json"
    MARKDOWN = "md"
    HTML = "html"
    CSV = "csv"


def report_markdown(made: MadeReport) -> str:
    return markdown(_plain(made))


def report_html(made: MadeReport) -> str:
    """Return one file without scripts that loads nothing and prints well."""
    return html(_plain(made), [figure for section in made.sections for figure in section.figures])


def report_csv(made: MadeReport, number: int = 0) -> str:
    """Return one of the tables, counted from 0. Raises IndexError."""
    return csv_text(_tables(made)[number])


def report_document(made: MadeReport) -> JsonObject:
    """Return the report as JSON. Times are ISO 8601 in UTC."""
    return {
        "schema": SCHEMA,
        "kind": str(made.kind),
        "title": made.title,
        "connection_id": made.connection_id,
        "connection_name": made.connection_name,
        "scope": made.scope,
        "author": made.author,
        "made_at": _iso(made.made_at),
        "since": _iso(made.since),
        "until": _iso(made.until),
        "snapshot_id": made.snapshot_id,
        "asked": made.asked,
        "sections": [_section(section) for section in made.sections],
    }


def report_from_document(document: JsonObject) -> MadeReport:
    """Return the report of `report_document`. Raises ValueError, KeyError for another shape."""
    return MadeReport(
        kind=ReportKind(document["kind"]),
        connection_id=document["connection_id"],
        connection_name=document["connection_name"],
        scope=document["scope"],
        author=document["author"],
        made_at=_seconds(document["made_at"]),
        since=_seconds(document["since"]),
        until=_seconds(document["until"]),
        snapshot_id=document["snapshot_id"],
        asked=document["asked"],
        sections=tuple(_section_of(section) for section in document["sections"]),
    )


def _plain(made: MadeReport) -> Report:
    words = dict(pair for section in made.sections for pair in section.definitions)
    since, until = (format_instant(datetime.fromtimestamp(at, UTC)) for at in (made.since, made.until))
    stamp = (
        f"{since} to {until}; {made.asked}. Made {format_instant(datetime.fromtimestamp(made.made_at, UTC))}"
        f" by {made.author} for {made.scope}, from the snapshot {made.snapshot_id}."
    )
    notes = tuple(dict.fromkeys(note for section in made.sections for note in section.notes))
    return Report(made.title, stamp, notes, _tables(made), tuple(words.items()))


def _tables(made: MadeReport) -> tuple[ReportTable, ...]:
    return tuple(table for section in made.sections for table in section.tables)


def _section(section: Section) -> JsonObject:
    return {
        "tables": [
            {"title": table.title, "columns": list(table.columns), "rows": [list(row) for row in table.rows],
             "note": table.note}
            for table in section.tables
        ],
        "figures": [
            {"id": figure.id, "title": figure.title, "description": figure.description, "width": figure.width,
             "height": figure.height, "elements": list(figure.elements)}
            for figure in section.figures
        ],
        "definitions": [list(pair) for pair in section.definitions],
        "notes": list(section.notes),
    }  # fmt: skip


def _section_of(document: Any) -> Section:
    return Section(
        tables=tuple(
            ReportTable(row["title"], tuple(row["columns"]), tuple(map(tuple, row["rows"])), row["note"])
            for row in document["tables"]
        ),
        figures=tuple(
            Figure(**{**figure, "elements": tuple(figure["elements"])}) for figure in document["figures"]
        ),
        definitions=tuple((word, meaning) for word, meaning in document["definitions"]),
        notes=tuple(document["notes"]),
    )


def _iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
