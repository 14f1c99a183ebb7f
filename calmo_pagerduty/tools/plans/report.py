"""The report on incidents and response times: its figures, and its renderings. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.instants import format_iso_utc, parse_instant
from calmo_pagerduty.kernel.json_values import as_object
from calmo_pagerduty.kernel.markdown_text import escape_cell
from calmo_pagerduty.pagerduty.requests import JsonObject

NO_PRIORITY = "none"
_MAX_SLOWEST = 10
_MAX_CELL = 1024


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One incident of the report. Durations are in seconds; None if unknown or not reached yet."""

    id: str
    number: int | None
    title: str
    service: str
    priority: str
    urgency: str
    status: str
    created: datetime
    to_acknowledge: float | None
    to_resolve: float | None


def build_row(
    incident: JsonObject, figures: JsonObject | None, acknowledged_at: datetime | None
) -> ReportRow | None:
    """Return the incident's row, from PagerDuty's figures if there are any, else from its own times."""
    created = parse_instant(incident.get("created_at"))
    if created is None:
        return None
    measured = figures or {}
    resolved = parse_instant(incident.get("resolved_at"))
    return ReportRow(
        id=str(incident.get("id") or ""),
        number=incident.get("incident_number"),
        title=str(incident.get("title") or ""),
        service=_name(incident.get("service"), "unknown"),
        priority=_name(incident.get("priority"), NO_PRIORITY),
        urgency=str(incident.get("urgency") or "unknown"),
        status=str(incident.get("status") or "unknown"),
        created=created,
        to_acknowledge=_seconds(measured.get("seconds_to_first_ack"), created, acknowledged_at),
        to_resolve=_seconds(measured.get("seconds_to_resolve"), created, resolved),
    )


def _name(resource: Any, otherwise: str) -> str:
    fields = as_object(resource)
    return str(fields.get("summary") or fields.get("name") or fields.get("id") or otherwise)


def _seconds(measured: Any, start: datetime, end: datetime | None) -> float | None:
    if isinstance(measured, int | float) and not isinstance(measured, bool):
        return float(measured)
    return max(0.0, (end - start).total_seconds()) if end else None


def percentile(values: Iterable[float], percent: int) -> float | None:
    """Return the nearest-rank percentile; None without values. `percent` is from 1 to 100."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def summarise(
    rows: Sequence[ReportRow],
    *,
    title: str,
    since: datetime,
    until: datetime,
    made_at: datetime,
    notes: Sequence[str],
) -> JsonObject:
    """Return the report's figures as JSON. Durations are in seconds, days are in UTC."""
    slowest = sorted((row for row in rows if row.to_resolve), key=lambda row: -(row.to_resolve or 0))
    return {
        "title": title,
        "since": format_iso_utc(since),
        "until": format_iso_utc(until),
        "made_at": format_iso_utc(made_at),
        "incidents": len(rows),
        "open": sum(row.status != "resolved" for row in rows),
        "time_to_acknowledge": _durations(row.to_acknowledge for row in rows),
        "time_to_resolve": _durations(row.to_resolve for row in rows),
        "by_service": _grouped(rows, lambda row: row.service),
        "by_priority": _grouped(rows, lambda row: row.priority),
        "by_urgency": _grouped(rows, lambda row: row.urgency),
        "by_day": dict(sorted(Counter(row.created.strftime("%Y-%m-%d") for row in rows).items())),
        "slowest": [
            {"id": row.id, "number": row.number, "title": row.title, "seconds": row.to_resolve}
            for row in slowest[:_MAX_SLOWEST]
        ],
        "notes": list(notes),
    }


def _durations(values: Iterable[float | None]) -> JsonObject:
    known = [value for value in values if value is not None]
    mean = round(sum(known) / len(known), 1) if known else None
    return {"known": len(known), "mean": mean, "p50": percentile(known, 50), "p90": percentile(known, 90)}


def _grouped(rows: Sequence[ReportRow], key: Callable[[ReportRow], str]) -> list[JsonObject]:
    """Return an object per group, the largest group first."""
    groups: dict[str, list[ReportRow]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return [
        {
            "name": name,
            "incidents": len(group),
            "mean_to_acknowledge": _durations(row.to_acknowledge for row in group)["mean"],
            "mean_to_resolve": _durations(row.to_resolve for row in group)["mean"],
        }
        for name, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def markdown(report: JsonObject) -> str:
    """Return the report as Markdown. Names in it can't become markup."""
    lines = [
        f"# {_cell(report['title'])}",
        "",
        f"Incidents created from {report['since']} until {report['until']}, made at {report['made_at']}.",
        "",
        *_table(
            ("Figure", "Value"),
            [
                ("Incidents", report["incidents"]),
                ("Still open", report["open"]),
                *_duration_lines("acknowledge", report["time_to_acknowledge"]),
                *_duration_lines("resolve", report["time_to_resolve"]),
            ],
        ),
    ]
    for name in ("service", "priority", "urgency"):
        groups = [
            (
                g["name"],
                g["incidents"],
                _duration_text(g["mean_to_acknowledge"]),
                _duration_text(g["mean_to_resolve"]),
            )
            for g in report[f"by_{name}"]
        ]
        heads = (name.capitalize(), "Incidents", "Mean to acknowledge", "Mean to resolve")
        lines += [f"## By {name}", "", *_table(heads, groups)]
    lines += ["## By day", "", *_table(("Day (UTC)", "Incidents"), report["by_day"].items())]
    slowest = [
        (incident["number"], incident["title"], _duration_text(incident["seconds"]))
        for incident in report["slowest"]
    ]
    lines += ["## Slowest to resolve", "", *_table(("Number", "Title", "Time"), slowest)]
    if report["notes"]:
        lines += ["## What is missing", "", *(f"- {_cell(note)}" for note in report["notes"]), ""]
    return "\n".join(lines)


def _duration_lines(what: str, durations: JsonObject) -> list[tuple[str, str]]:
    known = durations["known"]
    return [
        (f"Mean time to {what} ({known} known)", _duration_text(durations["mean"])),
        (f"Half within, to {what}", _duration_text(durations["p50"])),
        (f"90% within, to {what}", _duration_text(durations["p90"])),
    ]


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    body = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not body:
        return ["None.", ""]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body, ""]


def _cell(value: Any) -> str:
    return "" if value is None else escape_cell(str(value), _MAX_CELL)


def _duration_text(seconds: float | None) -> str:
    return "unknown" if seconds is None else format_duration(seconds)


CSV_HEADS = (
    *("number", "id", "title", "service", "priority", "urgency", "status", "created_at"),
    *("seconds_to_acknowledge", "seconds_to_resolve"),
)


def as_csv(rows: Iterable[ReportRow]) -> str:
    """Return the report as CSV, a line per incident. A text can't become a spreadsheet formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for row in rows:
        texts = (row.title, row.service, row.priority, row.urgency, row.status)
        writer.writerow(
            [
                "" if row.number is None else row.number,
                _escape_formula(row.id),
                *map(_escape_formula, texts),
                format_iso_utc(row.created),
                *("" if value is None else round(value) for value in (row.to_acknowledge, row.to_resolve)),
            ]
        )
    return out.getvalue()


def _escape_formula(text: str) -> str:
    return f"'{text}" if text.lstrip()[:1] in {"=", "+", "-", "@"} or text[:1] in {"\t", "\r"} else text
