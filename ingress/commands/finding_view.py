"""Show findings in a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.durations import format_age, format_duration
from calmo_pagerduty.kernel.instants import format_table_instant
from calmo_pagerduty.kernel.untrusted_text import sanitize_text

Json = dict[str, Any]

#: Each severity has a mark of its own, so that the table works without colour.
SEVERITY_BADGES = {
    "critical": ("‼ critical", "bold white on red"),
    "high": ("! high", "black on yellow"),
    "medium": ("• medium", "bold yellow"),
    "low": ("· low", "blue"),
    "info": ("i info", "dim"),
}
STATE_STYLES = {
    "new": "bold",
    "returned": "bold magenta",
    "accepted": "cyan",
    "dismissed": "dim",
    "resolved": "green",
}


def finding_table(page: Json) -> RenderableType:
    """Return a table with a row per finding, the worst first, and how to go on."""
    if not page["findings"]:
        # An analysis that has not run finds nothing either, so an empty list is no all-clear.
        return Text("No such finding. When the analyses last ran, and what they lacked: oncall status")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("finding", ratio=1)
    table.add_column("when", no_wrap=True)
    table.add_column("dropped", justify="right", no_wrap=True)
    table.add_column("known", justify="right", no_wrap=True)
    now = datetime.now(UTC)
    for finding in page["findings"]:
        table.add_row(
            str(finding["id"]),
            severity_badge(finding),
            state_text(finding),
            _plain(finding["title"]),
            _when(finding, now),
            dropped_text(finding["expected_dropped_incidents"]),
            format_age((now - _instant(finding["first_seen_at"])).total_seconds()),
        )
    lines: list[RenderableType] = [table, Text(_LEGEND, style="dim")]
    if page["next_cursor"]:
        lines.append(Text(f"More: --cursor {page['next_cursor']}", overflow="fold"))
    return Group(*lines)


_LEGEND = (
    "dropped: expected incidents that nobody would be paged for.  "
    "One in full: findings show #.  Decide: findings accept # | dismiss # --reason … | undo #"
)


def finding_view(finding: Json) -> RenderableType:
    """Return a finding with its evidence, advice and history."""
    now = datetime.now(UTC)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, value in _facts(finding, now):
        facts.add_row(name, value)
    parts: list[RenderableType] = [facts, Text()]
    for heading, body in (
        ("Evidence", _evidence(finding["evidence"])),
        ("Recommendation", _plain(finding["recommendation"])),
        ("Expected effect", _plain(finding["expected_effect"])),
        ("How to verify", _plain(finding["how_to_verify"])),
        ("How to undo", _plain(finding["how_to_undo"])),
    ):
        parts += [Text(heading, style="bold"), body, Text()]
    parts += [Text("History (UTC)", style="bold"), _history(finding["history"])]
    title = Text.assemble(severity_badge(finding), " ", (sanitize_text(finding["title"]), "bold"))
    return Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED)


def severity_badge(finding: Json) -> Text:
    severity = str(finding["severity"])
    words, style = SEVERITY_BADGES.get(severity, (severity, ""))
    return Text(f" {words:<10} ", style=style)


def state_text(finding: Json) -> Text:
    state = str(finding["state"])
    return Text(state, style=STATE_STYLES.get(state, ""))


def dropped_text(expected: float | None) -> Text:
    """Return expected dropped incidents; unknown is not zero."""
    if expected is None:
        return Text("-", style="dim")
    return Text("< 0.01" if 0 < expected < 0.01 else f"{expected:.2f}")


def _facts(finding: Json, now: datetime) -> list[tuple[str, Text]]:
    rows = [
        ("state", Text.assemble(state_text(finding), _decision(finding))),
        ("confidence", Text(finding["confidence"])),
        ("code", Text(f"{finding['code']}  ({finding['analysis']})")),
    ]
    if finding["starts_at"]:
        span = f"{_moment(finding['starts_at'])} to {_moment(finding['ends_at'])} UTC"
        rows.append(("when", Text.assemble(span, "  ", _when(finding, now))))
    if finding["expected_dropped_incidents"] is not None:
        rows.append(("dropped", dropped_text(finding["expected_dropped_incidents"]) + Text(" expected")))
    for entity in finding["entities"]:
        link = entity["html_url"] or entity["id"]
        rows.append((entity["kind"], Text.assemble(_plain(entity["name"]), "  ", (link, "dim"))))
    if finding["issue_id"]:
        rows.append(("issue", Text.assemble(finding["issue_id"], "  ", (_issue_command(finding), "dim"))))
    if finding["is_hidden"]:
        rows.append(("hidden", Text("about a person: names and figures need the permission persons:read")))
    return rows


def _issue_command(finding: Json) -> str:
    return f"calmo-pagerduty issues show {finding['issue_id']}"


def _decision(finding: Json) -> Text:
    if not finding["decided_by"]:
        return Text("")
    reason = f": {sanitize_text(finding['reason'])}" if finding["reason"] else ""
    return Text(f" by {sanitize_text(finding['decided_by'])}{reason}", style="dim")


def _evidence(evidence: Sequence[Json]) -> RenderableType:
    lines = Table.grid(padding=(0, 1))
    for fact in evidence:
        figures = ", ".join(f"{name} {_figure(value)}" for name, value in sorted(fact["data"].items()))
        lines.add_row("-", Text.assemble(_plain(fact["words"]), (f"  {figures}" if figures else "", "dim")))
    return lines if evidence else Text("-", style="dim")


def _figure(value: object) -> str:
    if isinstance(value, list):
        shown = ", ".join(sanitize_text(str(item), 60) for item in value[:5])
        return shown if len(value) <= 5 else f"{shown} and {len(value) - 5} more"
    return "unknown" if value is None else sanitize_text(str(value), 200)


def _history(history: Sequence[Json]) -> Table:
    table = Table.grid(padding=(0, 2))
    for event in history:
        by = f"by {sanitize_text(event['author'])}" if event["author"] else ""
        table.add_row(
            Text(_moment(event["at"]), style="dim"),
            Text(event["kind"], style="bold"),
            Text(event["severity"]),
            Text(" ".join(filter(None, (by, sanitize_text(event["reason"] or ""))))),
        )
    return table


def _when(finding: Json, now: datetime) -> Text:
    """Return when it matters: `in 3 d, for 4 h`, `now, 2 h left` or `over`."""
    if not finding["starts_at"]:
        return Text("-", style="dim")
    starts, ends = _instant(finding["starts_at"]), _instant(finding["ends_at"])
    if ends <= now:
        return Text("over", style="dim")
    if starts <= now:
        return Text(f"now, {format_duration((ends - now).total_seconds())} left", style="bold red")
    lasts = format_age((ends - starts).total_seconds())
    return Text(f"in {format_age((starts - now).total_seconds())}, for {lasts}")


def _plain(text: str) -> Text:
    return Text(sanitize_text(text))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment(text: str) -> str:
    return format_table_instant(_instant(text))[:16]
