"""Show drills in a terminal: whom PagerDuty paged beside whom the simulation pages."""

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from calmo_pagerduty.escalation.drill import PageVerdict
from calmo_pagerduty.escalation.simulation_report import CHANNEL_WORDS
from calmo_pagerduty.snapshots.model import ContactKind
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]
VERDICT_WORDS = {
    PageVerdict.AS_SIMULATED: "as simulated",
    PageVerdict.MISSING: "! not sent",
    PageVerdict.UNEXPECTED: "! not simulated",
    PageVerdict.NOT_DUE: "not due",
}
VERDICT_STYLE = {PageVerdict.MISSING: "bold red", PageVerdict.UNEXPECTED: "bold red"}


def drills_table(found: Json) -> RenderableType:
    """Return a row per drill, with what differed or why it was not held."""
    if not found["drills"]:
        return Text("no drill was held yet")
    table = empty_table("drill", "service", "state", "asked", "pages", "differences")
    for drill in found["drills"]:
        report = drill["report"] or {}
        words = report.get("refusal") or "; ".join(report.get("differences") or []) or "none"
        table.add_row(
            drill["id"],
            cell_text(drill["service_name"] or drill["service"]),
            cell_text("waits for approval" if drill["waits_for_call"] else drill["state"]),
            cell_text(f"{drill['asked_at'][:16].replace('T', ' ')} UTC"),
            cell_text(_pages(report)),
            cell_text(words if drill["finished_at"] else "-"),
        )
    return table


def drill_text(drill: Json) -> RenderableType:
    """Return a drill with each page that was simulated or sent."""
    name = cell_text(drill["service_name"] or drill["service"]).plain
    state = "waits for an approval" if drill["waits_for_call"] else drill["state"]
    parts: list[RenderableType] = [Text(f"{name} · {drill['id']} · {state}", style="bold")]
    for what, at in (
        ("incident", drill["incident_id"]),
        ("opened", _time(drill["opened_at"])),
        ("escalated", _time(drill["escalated_at"])),
        ("acknowledged", _time(drill["acknowledged_at"])),
        ("over", _time(drill["finished_at"])),
    ):
        if at is not None:
            parts.append(Text(f"{what:>13}  {at}"))
    if drill["waits_for_call"]:
        parts.append(Text(f"      approve  calmo-pagerduty tool approve {drill['waits_for_call']}"))
    report = drill["report"] or {}
    if report.get("pages"):
        parts += [Text(""), _page_table(report["pages"])]
    parts += [Text(""), *_verdict(drill, report)]
    parts += [Text(f"? {cell_text(note).plain}", style="dim") for note in report.get("notes", ())]
    return Group(*parts)


def _page_table(pages: list[Json]) -> RenderableType:
    table = empty_table("level", "person", "channel", "simulated", "PagerDuty", "")
    for page in pages:
        verdict = PageVerdict(page["verdict"])
        table.add_row(
            cell_text(page["level"]),
            cell_text(page["person"]["name"]),
            cell_text(None if page["channel"] is None else CHANNEL_WORDS[ContactKind(page["channel"])]),
            _after(page["expected_after_minutes"]),
            _after(page["seen_after_minutes"]),
            Text(VERDICT_WORDS[verdict], style=VERDICT_STYLE.get(verdict, "")),
        )
    return table


def _verdict(drill: Json, report: Json) -> list[RenderableType]:
    if report.get("refusal"):
        return [cell_text(report["refusal"])]
    if drill["finished_at"] is None:
        return [Text("It goes on; what differs is known at its end.")]
    if report.get("differences"):
        words = (f"! {cell_text(difference).plain}" for difference in report["differences"])
        return [Text(line, style="yellow") for line in words]
    return [Text("PagerDuty did what the simulation says.")]


def _pages(report: Json) -> str | None:
    if "seen_pages" not in report:
        return None
    return f"{report['seen_pages']} of {report['expected_pages']}"


def _after(minutes: float | None) -> str:
    return "-" if minutes is None else f"+{minutes:g} min"


def _time(text: str | None) -> str | None:
    return None if text is None else f"{text[:19].replace('T', ' ')} UTC"
