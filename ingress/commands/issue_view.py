"""Issues as a terminal shows them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

STATUS_STYLE = {"triggered": "bold red", "acknowledged": "yellow", "resolved": "green"}
SEVERITY_STYLE = {"critical": "bold white on red", "warning": "black on yellow",
                  "medium": "black on yellow", "info": "white on blue"}  # fmt: skip


def severity_badge(issue: Json) -> Text:
    severity = str(issue["severity"])
    return Text(f" {severity:^8} ", style=SEVERITY_STYLE.get(severity, ""))


def status_text(issue: Json) -> Text:
    status = str(issue["status"])
    return Text(status, style=STATUS_STYLE.get(status, ""))


def age_of(issue: Json, now: datetime) -> str:
    """Return how long ago the incident began, in the largest unit that says enough."""
    age = max(now - datetime.fromisoformat(issue["created_at"]), timedelta())
    seconds = int(age.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 86400 * 2 else f"{seconds // 86400} d"


def last_event(issue: Json) -> str:
    return str(issue["last_event_type"] or "").removeprefix("incident.").replace("_", " ")


def issue_table(issues: Sequence[Json], workflows: bool = False) -> Table:
    """Return one row per issue; with `workflows`, the address of each in the Temporal UI below it."""
    table = Table(box=None, pad_edge=False)
    for name in ("severity", "status", "priority", "incident", "title", "age", "last event"):
        if workflows and name == "incident":
            continue  # its id is in the address
        # Only titles give way in a narrow window; what is left of an address would be of no use.
        table.add_column(name, no_wrap=name != "title", overflow="fold")
    now = datetime.now(UTC)
    for issue in issues:
        link = issue["workflow_url"]
        table.add_row(
            severity_badge(issue),
            status_text(issue),
            Text(issue["priority"] or "-"),
            Text(issue["incident_id"]),
            Text.assemble(issue["title"], "\n", (link, f"dim link {link}"))
            if workflows
            else Text(issue["title"]),
            Text(age_of(issue, now)),
            Text(last_event(issue)),
        )
    return table


def change_line(change: Json) -> Text:
    """Return one change as a line."""
    issue = change["issue"]
    events = ", ".join(kind.removeprefix("incident.") for kind in change["event_types"])
    at = datetime.fromisoformat(change["at"]).strftime("%H:%M:%S")
    return Text.assemble(
        (f"{at} ", "dim"),
        severity_badge(issue),
        " ",
        (f"{change['status']:<12} ", STATUS_STYLE.get(change["status"], "")),
        f"{issue['incident_id']} ",
        f"{issue['title']} ",
        (f"[{events}] ", "cyan"),
        (issue["workflow_url"], "dim"),
    )


def issue_with_timeline(issue: Json) -> Group:
    """Return an issue's facts and its timeline, oldest first."""
    facts = Table.grid(padding=(0, 2))
    people = ", ".join(one["name"] or one["id"] for one in issue["assignees"]) or "nobody"
    service = issue["service"]
    rows = {
        "status": status_text(issue),
        "severity": severity_badge(issue),
        "priority": Text(issue["priority"] or "not set"),
        "urgency": Text(issue["urgency"] or "not known"),
        "service": Text((service["name"] or service["id"]) if service else "not known"),
        "assignees": Text(people),
        "created": Text(_utc(issue["created_at"])),
        "resolved": Text(_utc(issue["resolved_at"]) if issue["resolved_at"] else "-"),
        "issue": Text(issue["id"]),
        "PagerDuty": Text(issue["url"] or issue["incident_id"]),
        "workflow": Text(issue["workflow_url"]),
    }
    for name, value in rows.items():
        facts.add_row(Text(name, style="dim"), value)
    timeline = Table(title="Timeline", title_justify="left", box=None, pad_edge=False)
    for name in ("when (UTC)", "what", "summary", ""):
        timeline.add_column(name)
    for entry in issue["timeline"]:
        style = "" if entry["moved"] else "dim"
        what = entry["event_type"].removeprefix("incident.")
        mark = "● moved the issue" if entry["moved"] else ""
        timeline.add_row(_utc(entry["occurred_at"]), what, escape(entry["summary"]), mark, style=style)
    return Group(Text(issue["title"], style="bold"), facts, Text(), timeline)


def _utc(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
