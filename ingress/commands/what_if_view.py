"""Show what-if comparisons and optimised schedules in a terminal: a diff, tables, and bars."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.plots.terminal import pairs_text
from ingress.commands.console import new_console
from ingress.commands.coverage_view import styled
from ingress.commands.output import PIPE_WIDTH, print_view
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]
MAX_LINES = 30
UNKNOWN = "?"
#: Figures of a person that a row shows, with their titles.
PERSON_FIGURES = (
    ("hours", "hours"), ("nights", "nights"), ("sleep_hours", "22-08 h"), ("weekend_hours", "weekend h"),
    ("holiday_hours", "holiday h"), ("double_duty_hours", "double h"), ("pay", "pay"),
)  # fmt: skip
POLICY_FIGURES = (
    ("gap_hours", "gap h"), ("first_level_gap_hours", "level 1 empty h"),
    ("expected_dropped_incidents", "dropped incidents"), ("expected_second_level_pages", "level 2 pages"),
)  # fmt: skip


def print_comparison(result: Json) -> None:
    print_view(Group(*comparison_parts(result, _width())))


def print_optimisation(result: Json) -> None:
    print_view(Group(*optimisation_parts(result, _width())))


def print_scenarios(rows: Sequence[Json]) -> None:
    if not rows:
        print_view(Text("No scenario is saved: calmo-pagerduty what-if ask … --save NAME"))
        return
    table = empty_table("Id", "Name", "Changes", "Now", "By")
    for row in rows:
        changes = ", ".join(change["type"] for change in row["scenario"]["changes"])
        cells = (row["id"], row["name"], changes, row["now"], row["created_by"])
        table.add_row(*map(cell_text, cells))
    print_view(table)


def print_side_by_side(rows: Sequence[Json]) -> None:
    table = empty_table("Scenario", "Gap h", "Dropped incidents", "Most loaded", "Hours changed", "Same")
    for row in rows:
        totals = row["totals"]
        table.add_row(
            cell_text(row["name"]),
            _arrow(totals["gap_hours"]["before"], totals["gap_hours"]["after"]),
            _arrow(
                totals["expected_dropped_incidents"]["before"], totals["expected_dropped_incidents"]["after"]
            ),
            Text(f"{_load(totals['max_load']['before'])} → {_load(totals['max_load']['after'])}"),
            cell_text(row["changed_hours"]),
            cell_text(row["is_same"]),
        )
    print_view(table)


def comparison_parts(result: Json, width: int) -> Iterator[RenderableType]:
    """Yield the scenario's effects: what is unknown, the diff, policies, people, bars."""
    title = f"{sanitize_text(result['scenario']['name'], 120)}: {result['since']} to {result['until']}"
    yield Text(title, style="bold")
    for note in (*result["incomplete"], *result["notes"]):
        yield Text(f"! {note}", style="yellow")
    if not (result["schedules"] or result["policies"] or result["people"]):
        yield Text("Nothing changes.")
    for schedule in result["schedules"]:
        yield from _diff(schedule)
    for policy in result["policies"]:
        if policy["rule_changes"]:
            yield Text(f"\n~ policy {policy['name']}", style="bold")
            yield from (Text(f"  {line}", style=_style(line)) for line in policy["rule_changes"])
    if result["policies"]:
        yield Text()
        yield _table("Policy", result["policies"], POLICY_FIGURES)
    if result["people"]:
        yield Text()
        yield _table("Person", result["people"], PERSON_FIGURES)
        rows = [
            PairRow(row["name"], row["before"]["hours"], row["after"]["hours"]) for row in result["people"]
        ]
        yield Text()
        yield styled(pairs_text("On-call hours", "h", rows, width))
    for row in result["on_call_while_away"] or ():
        hours = _arrow(row["before_hours"], row["after_hours"])
        yield Text(f"! {row['name']} is on call while away by the calendar: {hours} h", style="yellow")
    names = {schedule["id"]: schedule["name"] for schedule in result["schedules"]}
    for draft in result["drafts"]:
        yield Text(_draft_line(draft, names), style="dim")
    yield Text()
    yield _summary(result)


def _draft_line(draft: Json, names: dict[str, str]) -> str:
    """Return which call the change needs, on what and when: its arguments are in the JSON."""
    schedule_id = draft.get("arguments", {}).get("schedule_id")
    target = f" of {names.get(schedule_id, schedule_id)}" if schedule_id else ""
    when = f", to be made at {draft['apply_at']}" if draft.get("apply_at") else ""
    return f"Draft: {draft.get('tool') or draft.get('operation')}{target}{when}; --json shows it whole"


def optimisation_parts(result: Json, width: int) -> Iterator[RenderableType]:
    """Yield the plans, from the fewest changes to the most, and the loads that they lead to."""
    yield Text(
        f"{result['schedule']['name']}: {result['shifts']} shifts, {result['since']} to {result['until']}",
        style="bold",
    )
    for note in result["notes"]:
        yield Text(f"! {note}", style="yellow")
    table = empty_table("Plan", "Unfairness h", "Of the possible", "Shifts changed", "Broken wishes", "Exact")
    table.add_row(
        Text("present"),
        Text(_number(result["present"]["unfairness"])),
        Text(""),
        Text("0"),
        *_wishes(result["present"]),
    )
    for plan in result["swaps"]:
        name = "1 move" if plan["steps"] == 1 else f"{plan['steps']} moves"
        table.add_row(Text(name), *_plan_cells(plan), cell_text(plan["is_exact"]))
    best = result["best"]
    if best["stop"] == "infeasible":
        yield Text("No roster is possible:", style="bold red")
        yield from (Text(f"  {sentence}") for sentence in best["explanation"])
        return
    proved = "proved" if best["stop"] == "optimal" else f"gap {_percent(best['gap'])}"
    table.add_row(Text(f"best ({proved})"), *_plan_cells(best), Text(""))
    yield table
    zone = time_zone(result["time_zone"]) or ZoneInfo("Etc/UTC")
    for name, plan in (("2 moves", result["swaps"][-1]), ("best", best)):
        yield from _moves(name, plan, zone)
    yield from _prices(best)
    rows = [
        PairRow(
            row["name"],
            round(row["history"] + row["load"]["present"], 1),
            round(row["history"] + row["load"]["best"], 1),
            row["share"],
        )
        for row in result["people"]
    ]
    if rows:
        yield Text()
        yield styled(pairs_text("Load with history, present and best", "weighted h", rows, width))
    yield Text("\nNothing is changed. To ask for approval of a plan: --apply 1, 2 or best", style="dim")


def _diff(schedule: Json) -> Iterator[RenderableType]:
    zone = time_zone(schedule["time_zone"]) or ZoneInfo("Etc/UTC")
    yield Text(f"\n~ schedule {schedule['name']} ({schedule['time_zone']})", style="bold")
    for change in schedule["changes"][:MAX_LINES]:
        before, after = (" + ".join(change[side]) or "nobody" for side in ("before", "after"))
        sign = "-" if not change["after"] else "+" if not change["before"] else "~"
        period = f"{_local(change['start'], zone)} → {_local(change['end'], zone)}"
        yield Text(f"  {sign} {period}  {before} → {after}", style=_style(sign))
    more = len(schedule["changes"]) - MAX_LINES + schedule["changes_not_shown"]
    if more > 0:
        yield Text(f"  and {more} more: --json", style="dim")


def _table(title: str, rows: Sequence[Json], figures: Sequence[tuple[str, str]]) -> Table:
    shown = [
        (name, column)
        for name, column in figures
        if any(row[side][name] not in _nothing(name) for row in rows for side in ("before", "after"))
    ]
    table = empty_table(title, *(column for _, column in shown))
    for row in rows[:MAX_LINES]:
        cells = (_arrow(row["before"][name], row["after"][name]) for name, _ in shown)
        table.add_row(cell_text(row["name"]), *cells)
    return table


def _nothing(name: str) -> tuple[float | None, ...]:
    """Return the values of a figure that need no column. Pay without rules is None; others are unknown."""
    return (0.0, None) if name == "pay" else (0.0,)


def _summary(result: Json) -> Text:
    totals = result["totals"]
    gap, dropped, load = (totals[name] for name in ("gap_hours", "expected_dropped_incidents", "max_load"))
    lines = [
        f"Gaps: {_number(gap['before'])} → {_number(gap['after'])} h",
        f"expected dropped incidents: {_number(dropped['before'])} → {_number(dropped['after'])}",
        f"most loaded: {_load(load['before'])} → {_load(load['after'])}",
    ]
    if (pay := totals["pay"]) is not None:
        lines.append(f"pay (indicative): {pay['before']} → {pay['after']} {pay['currency']}")
    hidden = result["people_hidden"]
    if hidden:
        lines.append(f"{hidden} people are hidden from this key")
    return Text("; ".join(lines) + ".")


def _plan_cells(plan: Json) -> tuple[Text, ...]:
    return (
        Text(_number(plan["unfairness"])),
        Text(_percent(plan["share_of_possible"])),
        cell_text(plan["shifts_changed"]),
        *_wishes(plan),
    )


def _wishes(plan: Json) -> tuple[Text, ...]:
    prices = [violation["price"] for violation in plan["violations"] if violation["price"] is not None]
    hard = len(plan["violations"]) - len(prices)
    text = f"{len(prices)} for {_number(sum(prices))}" if prices else "none"
    return (Text(f"{text}, {hard} hard" if hard else text),)


def _moves(name: str, plan: Json, zone: ZoneInfo) -> Iterator[RenderableType]:
    if not plan["moves"]:
        return
    yield Text(f"\n{name}", style="bold")
    for move in plan["moves"][:MAX_LINES]:
        period = f"{_local(move['start'], zone)} → {_local(move['end'], zone)}"
        yield Text(f"  ~ {period}  {move['from']} → {move['to']}", style=_style("~"))


def _prices(plan: Json) -> Iterator[RenderableType]:
    if plan["violations"]:
        yield Text("\nWhat the best roster breaks, with its price", style="bold")
    for violation in plan["violations"][:MAX_LINES]:
        price = "hard" if violation["price"] is None else _number(violation["price"])
        yield Text(f"  {price:>6}  {violation['text']}")


def _arrow(before: float | str | None, after: float | str | None) -> Text:
    if before == after:
        return Text(_number(before), style="dim")
    return Text(f"{_number(before)} → {_number(after)}")


def _load(load: Json | None) -> str:
    if load is None:
        return "nobody"
    return f"{load['name'] or 'a person'} {_number(load['hours'])} h"


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.0f} %"


def _number(value: float | str | None) -> str:
    if isinstance(value, str):
        return value
    return UNKNOWN if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def _local(text: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(text).astimezone(zone):%a %Y-%m-%d %H:%M}"


def _style(line: str) -> str:
    return {"+": "green", "-": "red"}.get(line[:1], "yellow")


def _width() -> int:
    console = new_console()
    return console.width if console.is_terminal else min(console.width, PIPE_WIDTH)
