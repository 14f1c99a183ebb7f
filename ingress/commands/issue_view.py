"""Show issues in a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.durations import format_age, format_duration
from calmo_pagerduty.kernel.instants import format_table_instant
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from ingress.commands.tool_view import call_view

Json = dict[str, Any]

#: Below this width the table of issues leaves the last event out.
NARROW = 110
#: Columns of the table of issues, with their widths where it is narrow; the title gets the rest of the line.
TABLE_COLUMNS = {
    "severity": 10, "status": 12, "priority": 8, "incident": 14, "title": None, "age": 6, "last event": 18,
}  # fmt: skip
STATUS_STYLE = {"triggered": "bold red", "acknowledged": "yellow", "resolved": "green"}
SEVERITY_STYLE = {
    "critical": "bold white on red",
    "warning": "black on yellow",
    "medium": "black on yellow",
    "info": "white on blue",
}


def severity_badge(issue: Json) -> Text:
    severity = str(issue["severity"])
    return Text(f" {severity:^8} ", style=SEVERITY_STYLE.get(severity, ""))


def status_text(issue: Json) -> Text:
    status = str(issue["status"])
    return Text(status, style=STATUS_STYLE.get(status, ""))


def issue_age_text(issue: Json, now: datetime) -> str:
    """Return how long ago the incident began."""
    return format_age((now - datetime.fromisoformat(issue["created_at"])).total_seconds())


def last_event(issue: Json) -> str:
    return str(issue["last_event_type"] or "").removeprefix("incident.").replace("_", " ")


@dataclass(frozen=True, slots=True)
class IssueTable:
    """A row per issue, in the width that there is: words stay whole, only titles and ids of findings wrap."""

    issues: Sequence[Json]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _issue_table(self.issues, is_narrow=options.max_width < NARROW)


def _issue_table(issues: Sequence[Json], *, is_narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for name, width in TABLE_COLUMNS.items():
        if not is_narrow:
            table.add_column(name, no_wrap=name != "title", overflow="fold")
        elif name != "last event":
            table.add_column(name, width=width, overflow="fold")
    now = datetime.now(UTC)
    for issue in issues:
        cells = (
            severity_badge(issue),
            status_text(issue),
            Text(issue["priority"] or "-"),
            # An issue of a finding has no incident; its own id finds it.
            Text(issue["id"] if issue.get("origin") == "finding" else issue["incident_id"]),
            Text(sanitize_text(issue["title"])),
            Text(issue_age_text(issue, now)),
            Text(last_event(issue)),
        )
        table.add_row(*cells[: len(table.columns)])
    return table


#: Columns of the live table with their widths. The title gets the rest of the line.
LIVE_COLUMNS = {"severity": 10, "status": 12, "priority": 8, "age": 6, "last event": 18, "title": None}


def live_table(issues: Sequence[Json], width: int, height: int) -> Group:
    """Return as many issues as fit, each with its workflow's address in the Temporal UI below.

    The address is never cut, so that it can be opened.
    """
    lines: list[RenderableType] = [_live_row(*(Text(name, style="bold") for name in LIVE_COLUMNS))]
    now, left = datetime.now(UTC), height - 1
    for issue in issues:
        link = issue["workflow_url"]
        left -= 1 + -(-len(link) // width)
        if left < 0:
            break
        row = _live_row(
            severity_badge(issue),
            status_text(issue),
            Text(issue["priority"] or "-"),
            Text(issue_age_text(issue, now)),
            Text(last_event(issue)),
            Text(sanitize_text(issue["title"])),
        )
        lines += [row, Text(link, style=f"dim link {link}", overflow="fold")]
    return Group(*lines)


def _live_row(*cells: Text) -> Table:
    row = Table.grid(padding=(0, 1), expand=True)
    for width in LIVE_COLUMNS.values():
        row.add_column(width=width, ratio=None if width else 1, no_wrap=True, overflow="ellipsis")
    row.add_row(*cells)
    return row


def change_line(change: Json) -> Text:
    """Return a change as a line."""
    issue = change["issue"]
    events = ", ".join(kind.removeprefix("incident.") for kind in change["event_types"])
    at = datetime.fromisoformat(change["at"]).strftime("%H:%M:%S")
    return Text.assemble(
        (f"{at} ", "dim"),
        severity_badge(issue),
        " ",
        (f"{change['status']:<12} ", STATUS_STYLE.get(change["status"], "")),
        f"{issue['incident_id']} ",
        f"{sanitize_text(issue['title'])} ",
        (f"[{events}] ", "cyan"),
        (issue["workflow_url"], "dim"),
    )


def action_view(action: Json) -> RenderableType:
    """Return the result of an action, or the state of its call if it is not done."""
    if action["state"] != "done":
        return call_view(action, [])
    done = (
        "nothing to do: the incident had this state already" if action["outcome"] == "unchanged" else "done"
    )
    return Text(f"{action['action']} by {action['author']}: {done}")


def issue_with_timeline(issue: Json) -> Group:
    """Return an issue's facts and its timeline, oldest first."""
    facts = Table.grid(padding=(0, 2))
    people = ", ".join(assignee["name"] or assignee["id"] for assignee in issue["assignees"]) or "nobody"
    service = issue["service"]
    rows = _origin(issue) | {
        "status": status_text(issue),
        "severity": severity_badge(issue),
        "priority": Text(issue["priority"] or "not set"),
        "urgency": Text(issue["urgency"] or "not known"),
        "service": Text(sanitize_text(service["name"] or service["id"]) if service else "not known"),
        "assignees": Text(sanitize_text(people)),
        "created": Text(_in_table(issue["created_at"])),
        "resolved": Text(_in_table(issue["resolved_at"]) if issue["resolved_at"] else "-"),
        "context": _context(issue),
        "acknowledged in": _response(issue["response"], "acknowledge"),
        "resolved in": _response(issue["response"], "resolve"),
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
        mark = "● changed the issue" if entry["moved"] else ""
        timeline.add_row(
            _in_table(entry["occurred_at"]), what, Text(sanitize_text(entry["summary"])), mark, style=style
        )
    return Group(Text(sanitize_text(issue["title"]), style="bold"), facts, Text(), timeline)


def _origin(issue: Json) -> dict[str, Text]:
    """Return a line about the finding that opened the issue; none if an incident did."""
    if issue.get("origin") != "finding":
        return {}
    expected = issue["expected_dropped_incidents"]
    dropped = "" if expected is None else f"; {expected:.2f} dropped incidents expected"
    command = f"calmo-pagerduty findings show {issue['finding_id']}"
    return {"opened by": Text.assemble(f"finding {issue['finding_id']}{dropped}  ", (command, "dim"))}


def _context(issue: Json) -> Text:
    """Return a line about the issue's context, and how to see it."""
    if issue.get("origin") == "finding":
        return Text("none: PagerDuty has no incident of it")
    context = issue.get("context")
    if not context:
        return Text("none yet")
    score = "not known" if context["impact"] is None else f"{context['impact']:.0f} of 100"
    lacking = "; some sources are lacking" if context["is_degraded"] else ""
    return Text.assemble(f"impact {score}{lacking}  ", (f"calmo-pagerduty context {issue['id']}", "dim"))


TARGET_STYLE = {"met": "green", "near": "yellow", "missed": "bold red"}


def _response(response: Json, goal: str) -> Text:
    """Return the response time and the state of its target."""
    took = response["acknowledged_in" if goal == "acknowledge" else "resolved_in"]
    words = Text("-" if took is None else format_duration(took))
    if target := response[f"{goal}_target"]:
        state = target["state"]
        target_text = f" ({state}: {format_duration(target['seconds'])} until {_in_table(target['due_at'])})"
        words.append(target_text, style=TARGET_STYLE.get(state, ""))
    return words


def _in_table(text: str) -> str:
    return format_table_instant(datetime.fromisoformat(text))


def replay_view(replay: Json) -> Group:
    """Return the steps of an incident's replay, with what they changed."""
    table = Table(box=None, pad_edge=False)
    for name in ("delivery", "happened (UTC)", "event", "outcome", "state after", "why", "did"):
        table.add_column(name, overflow="fold", no_wrap=name != "why")
    for step in replay["steps"]:
        after = step["after"]
        table.add_row(
            str(step["seq"]),
            _in_table(step["occurred_at"]) if step["occurred_at"] else "-",
            Text(sanitize_text((step["event_type"] or "?").removeprefix("incident."))),
            Text(step["outcome"], style="" if step["outcome"] == "set state" else "dim"),
            Text(f"{after['status']}, {after['severity']}", style=STATUS_STYLE.get(after["status"], "")),
            Text(sanitize_text(step["reason"])),
            Text("; ".join(step["effects"])),
        )
    lines: list[RenderableType] = [table]
    if replay["missing"]:
        lines.append(
            Text(f"{len(replay['missing'])} events of the timeline are no longer stored as deliveries.")
        )
    for step in replay["steps"]:
        if step["agrees"] is False:
            lines.append(Text(f"Delivery {step['seq']} was decided otherwise then.", style="bold red"))
    return Group(*lines)
