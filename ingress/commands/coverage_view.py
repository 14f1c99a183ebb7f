"""Show coverage and readiness in a terminal: plots, and tables of what to do."""

from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.instants import parse_instant
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.codec import lanes_from_json
from calmo_pagerduty.plots.terminal import Line, lanes_text
from calmo_pagerduty.plots.time_axis import moment_text
from ingress.commands.console import new_console
from ingress.commands.output import PIPE_WIDTH, print_view
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]
LIGHT_STYLE = {"red": "bold red", "amber": "yellow", "green": "green"}
#: What a cell of the grid of readiness shows: a sign, a word, a style.
CELL_TEXT = {
    "ready": ("●", "", "green"),
    "too_late": ("✗", " too late", "red"),
    "unknown": ("?", " unknown", "yellow"),
    "disabled": ("✗", " disabled", "red"),
    "no_rule": ("–", " no rule", "dim"),
    "absent": (" ", "", ""),
}
CHANNELS = (
    ("push_notification", "push"), ("phone", "phone"), ("sms", "SMS"), ("whatsapp", "WhatsApp"),
    ("email", "e-mail"),
)  # fmt: skip
MAX_ROWS = 20


def print_coverage(report: Json, grid: bool) -> None:
    """Write the report: what is limited, the plot, gaps with causes and remedies, cliffs, conflicts."""
    print_view(coverage_view(report, grid, _width()))


def coverage_view(report: Json, grid: bool, width: int) -> Group:
    """Return the report for a terminal of `width` characters; with `grid`, all schedules with people."""
    zone = time_zone(report["lanes"]["time_zone"]) or ZoneInfo("Etc/UTC")
    return Group(*_coverage_parts(report, grid, zone, width))


def _coverage_parts(report: Json, grid: bool, zone: ZoneInfo, width: int) -> Iterator[RenderableType]:
    yield from _limits(report["limits"])
    kind = "schedules" if grid else "policies"
    lanes = lanes_from_json(report["lanes"][kind])
    title = "All schedules" if grid else "Escalation policies, most expected incidents first"
    now = report["lanes"]["window"][0]
    yield styled(lanes_text(title, Span(*report["lanes"]["window"]), zone, lanes, width, now))
    with_gaps = sorted(
        (policy for policy in report["policies"] if policy["gaps"]),
        key=lambda policy: (
            -(policy["expected_dropped_incidents"] or 0),
            -policy["gap_seconds"],
            policy["id"],
        ),
    )
    if with_gaps:
        yield Text()
        yield _gap_table(with_gaps[:MAX_ROWS], zone)
        if len(with_gaps) > MAX_ROWS:
            yield Text(f"and {len(with_gaps) - MAX_ROWS} more policies: --policy, --json", style="dim")
    else:
        yield Text("No policy has a gap that is known.", style="green")
    yield from _cliffs(report["cliffs"], zone)
    yield from _conflicts(report, zone)


def _gap_table(policies: Sequence[Json], zone: ZoneInfo) -> Table:
    table = empty_table(
        "policy", f"nobody from ({zone.key})", "for", "gaps, in all", "incidents dropped", "what to do"
    )
    for policy in policies:
        first, expected = policy["gaps"][0], policy["expected_dropped_incidents"]
        remedies = dict.fromkeys(
            f"{why['schedule']['name']}: {why['remedy']}" for gap in policy["gaps"] for why in gap["causes"]
        )
        table.add_row(
            cell_text(policy["name"]),
            Text(local(first["start"], zone)),
            Text(format_duration(first["seconds"])),
            Text(f"{policy['gap_count']}, {format_duration(policy['gap_seconds'])}"),
            Text("insufficient data" if expected is None else f"{expected:.2g}"),
            Text("\n").join(map(cell_text, remedies or ["add a level with somebody on call"])),
        )
    return table


def _cliffs(cliffs: Sequence[Json], zone: ZoneInfo) -> Iterator[RenderableType]:
    if cliffs:
        table = empty_table("coverage ends", f"from ({zone.key})", "what to do")
        for cliff in cliffs[:MAX_ROWS]:
            table.add_row(
                cell_text(cliff["schedule"]["name"]),
                Text(local(cliff["at"], zone)),
                cell_text(cliff["remedy"]),
            )
        yield Text()
        yield table


def _conflicts(report: Json, zone: ZoneInfo) -> Iterator[RenderableType]:
    if report["conflicts"]:
        table = empty_table("person", "conflict", f"first ({zone.key})", "in all")
        for conflict in report["conflicts"][:MAX_ROWS]:
            table.add_row(
                cell_text(conflict["person"]["name"]),
                Text(conflict["kind"].replace("_", " ")),
                Text(local(conflict["spans"][0]["start"], zone)),
                Text(f"{conflict['count']} ×, {format_duration(conflict['seconds'])}"),
            )
        yield Text()
        yield table
    for row in report.get("skipped_events", ()):
        yield Text("! ", style="yellow") + cell_text(
            f"the calendar of {row['user']}: {row['events']} events left out: {row['reason']}"
        )
    if report["hidden_conflicts"]:
        yield Text(
            f"{report['hidden_conflicts']} conflicts are about persons whom this key may not see", style="dim"
        )


def print_readiness(people: Json, services: Json) -> None:
    """Write who is on call now and next for each service, and the grid of people and channels."""
    print_view(readiness_view(people, services))


def readiness_view(people: Json, services: Json) -> Group:
    return Group(*_readiness_parts(people, services))


def _readiness_parts(people: Json, services: Json) -> Iterator[RenderableType]:
    yield from _limits(dict.fromkeys([*people["limits"], *services["limits"]]))
    yield _now_table(services)
    yield Text()
    counts = ", ".join(
        f"{count} {state.replace('_', ' ')}" for state, count in people["counts"].items() if count
    )
    yield Text(f"People who can be on call: {counts or 'none'}.", style="bold")
    if people["people"]:
        yield _grid(people["people"])
        yield Text(people["verification"], style="dim")
    if people["hidden_people"]:
        yield Text(
            f"{people['hidden_people']} people whom this key may not see are counted only", style="dim"
        )


def _now_table(services: Json) -> Table:
    table = empty_table(
        "service", "on call now", f"until ({services['time_zone']})", "next", "a page would come"
    )
    for row in sorted(services["services"], key=_worst_first):
        now = row["now"]
        until = (
            ""
            if now is None
            else f"{now['until_local']} (in {now['ends_in']})"
            if now["until"]
            else "no end is known"
        )
        table.add_row(
            cell_text(row["service"]["name"]),
            _people(now),
            cell_text(until),
            _people(row["next"]),
            _verdict(row),
        )
    return table


def _worst_first(row: Json) -> tuple[int, str]:
    return (False, None, True).index(row["a_page_would_come"]), row["service"]["name"]


def _verdict(row: Json) -> Text:
    """Return whether a page would come; if not, or if it is unknown, why."""
    if row["a_page_would_come"]:
        return Text("yes", style="green")
    verdict, style = ("unknown", "yellow") if row["a_page_would_come"] is None else ("problem", "red")
    reasons = "; ".join(
        check["text"]
        for check in row["checklist"]
        if check["verdict"] == verdict and check["check"] != "not_suppressed"
    )
    return Text(f"{'unknown' if style == 'yellow' else 'no'}: {reasons}", style=style)


def _people(state: Json | None) -> Text:
    if state is None:
        return Text("unknown", style="yellow")
    if state["level"] is None:
        return Text("nobody", style="bold red")
    names = ", ".join(
        person["name"] + (f" (until {person['until_local']} there)" if person["until_local"] else "")
        for person in state["people"]
    )
    among = "one of " if state["is_round_robin"] else ""
    return cell_text(f"L{state['level']} {among}{names}")


def _grid(people: Sequence[Json]) -> Table:
    table = empty_table("person", "ready", *(name for _, name in CHANNELS), "low urgency", "what to do")
    for person in people:
        high = {cell["channel"]: cell for cell in person["cells"] if cell["urgency"] == "high"}
        low = [
            name
            for channel, name in CHANNELS
            for cell in person["cells"]
            if (cell["urgency"], cell["channel"], cell["state"]) == ("low", channel, "ready")
        ]
        state = person["state"].replace("_", " ")
        table.add_row(
            cell_text(person["name"]),
            Text(f"{person['light']}: {state}", style=LIGHT_STYLE[person["light"]]),
            *(_cell(high[channel]) for channel, _ in CHANNELS),
            Text(", ".join(low) or "–"),
            cell_text("" if person["state"] == "ready" else person["advice"]),
        )
    return table


def _cell(cell: Json) -> Text:
    sign, word, style = CELL_TEXT[cell["state"]]
    minutes = "" if cell["first_minutes"] is None else f" {cell['first_minutes']} min"
    return Text(f"{sign}{minutes}{word}", style=style)


def _limits(limits: Any) -> Iterator[RenderableType]:
    for limit in limits:
        yield Text("! ", style="yellow") + cell_text(limit)


def local(moment: str, zone: ZoneInfo) -> str:
    """Return an ISO time as local time."""
    parsed = parse_instant(moment)
    return moment if parsed is None else moment_text(int(parsed.timestamp()), zone)


def styled(lines: Sequence[Line]) -> Text:
    """Return a text plot with its colours."""
    return Text("\n").join(Text.assemble(*((part.text, part.style) for part in line)) for line in lines)


def _width() -> int:
    console = new_console()
    return console.width if console.is_terminal else min(console.width, PIPE_WIDTH)
