"""Show simulations, the lint, answers and drills in a terminal. Nothing is said by colour alone."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from calmo_pagerduty.escalation.pictures import fill_of_level
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.codec import lanes_from_json
from calmo_pagerduty.plots.model import Marker, StepCurve
from calmo_pagerduty.plots.terminal import Line, lanes_text, steps_text
from ingress.commands.console import new_console
from ingress.commands.output import PIPE_WIDTH
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]
UTC = ZoneInfo("Etc/UTC")
MINUTE = 60
SEVERITY_STYLE = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
PART_WORDS = {
    "unassigned": "until somebody was assigned",
    "waited": "waited for a level that didn't answer",
    "reassigned": "with people who handed it on",
    "notified": "until the answerer was notified",
    "seen": "from the notification to the answer, awake",
    "asleep": "the same, between 22:00 and 08:00",
    "picked_up": "picked up by somebody who wasn't notified",
}


def print_simulation(report: Json) -> None:
    console = _console()
    policy = report["policy"]
    name = "no policy" if policy is None else policy["name"]
    title = f"{report['service']['name']} · {name} · {report['urgency']} urgency · {report['at']}"
    console.print(Text(single_line(title, 200), style="bold"))
    if report["assignments"]:
        lanes, zone = report["lanes"], time_zone(report["lanes"]["time_zone"]) or UTC
        plot = lanes_text("", Span(*lanes["window"]), zone, lanes_from_json(lanes["lanes"]), console.width)
        _print(console, plot[1:])
    table = empty_table("after", "level", "person", "their time", "channel", "")
    for page in report["pages"]:
        table.add_row(
            f"+{page['after_minutes']:g} min",
            f"{page['level']}" + (f" (pass {page['pass']})" if page["pass"] > 1 else ""),
            cell_text(page["person"]["name"]),
            cell_text(page["person"]["local_time"]),
            cell_text(page["channel_words"]),
            "any of them" if page["is_one_of"] else "",
        )
    if report["pages"]:
        console.print(table)
    for words in dict.fromkeys(_silences(report)):
        console.print(Text(f"! {single_line(words, 200)}", style="yellow"))
    after = report["ended_after_minutes"]
    ended = "" if after is None else f" (after {after:g} min)"
    console.print(Text(f"{report['outcome_words']}{ended}", style="bold"))
    for note in report["notes"]:
        console.print(Text(f"? {single_line(note, 200)}", style="dim"))


def _silences(report: Json) -> Iterator[str]:
    """Return who is assigned and not paged, and which levels are skipped; each pass says the same."""
    for silent in report["unpaged"]:
        rule = "" if silent["delay_minutes"] is None else f" by the rule after {silent['delay_minutes']} min"
        who = f"level {silent['level']}: {silent['person']['name']}"
        yield f"{who} is not paged{rule}: {silent['why_words']}"
    for skip in report["skipped_levels"]:
        yield f"level {skip['level']} has nobody on call then, and is skipped"


def print_lint(result: Json, policy_id: str | None) -> None:
    console = _console()
    _print_doubts(console, result)
    for finding in result["findings"]:
        ids = {entity["id"] for entity in finding["entities"]}
        if policy_id is not None and policy_id not in ids:
            continue
        line = Text(f"{finding['severity']:>8} ", style=SEVERITY_STYLE[finding["severity"]])
        console.print(line.append(single_line(finding["title"], 200), style="bold"))
        for evidence in finding["evidence"]:
            console.print(Text(f"         {single_line(evidence['words'], 400)}"))
        console.print(Text(f"         Do: {single_line(finding['recommendation'], 300)}", style="dim"))
        links = [entity["html_url"] for entity in finding["entities"] if entity["html_url"]]
        for link in links[:3]:
            console.print(Text(f"         {single_line(link, 200)}", style="dim"))
    if not result["findings"]:
        console.print("Nothing was found that would keep a page from reaching somebody.")
    table = empty_table("policy", "levels: people and delay", "loops", "whole path", "a single person")
    for policy in result["metrics"]["policies"]:
        if policy_id is None or policy["policy_id"] == policy_id:
            levels = " → ".join(
                f"{'?' if level['user_ids'] is None else len(level['user_ids'])} ×"
                f" {level['delay_minutes']} min"
                for level in policy["levels"]
            )
            alone = policy["single_person_share"]
            table.add_row(
                cell_text(policy["name"]),
                levels,
                str(policy["num_loops"]),
                f"{policy['path_minutes']} min",
                "unknown" if alone is None else f"{alone:.1%}",
            )
    console.print(table)
    _print_standards(console, result["metrics"]["standards"])


def _print_standards(console: Console, standards: list[Json]) -> None:
    """Show PagerDuty's own scores beside ours: how many are passed, and each on which we differ."""
    if not standards:
        return
    passed = sum(row["passed"] for row in standards)
    console.print(f"PagerDuty's own standards: {passed} of {len(standards)} passed")
    for row in standards:
        if row["differs"]:
            console.print(
                Text(f"  ! {single_line(row['name'], 120)}: {single_line(row['explanation'], 300)}")
            )


def print_response(result: Json) -> None:
    console = _console()
    _print_doubts(console, result)
    for policy in result["metrics"]["policies"]:
        _print_policy(console, policy)
    _print_parts(console, "All policies", result["metrics"]["time_to_acknowledge"])
    if not result["metrics"]["policies"]:
        console.print("No high-urgency incident with an assignment in its log: insufficient data.")


def _print_policy(console: Console, policy: Json) -> None:
    curves, markers = [], []
    for level in policy["levels"]:
        points = [(0.0, 1.0), *((x, y) for x, y in level["curve"])] if level["curve"] else []
        star = "" if level["borrowed_from"] is None else "*"
        name = f"level {level['level']}{star}, n = {level['assignments']}"
        curves.append(StepCurve(name, tuple(points), (), fill_of_level(level["level"])))
        markers.append(Marker(float(level["delay_minutes"]), f"level {level['level']} moves on"))
    title = f"{policy['name']}: still unanswered"
    _print(console, steps_text(title, "min", curves, markers, console.width))
    expected = policy["expected"]
    if expected is None:
        console.print(Text(f"  {policy['reason']}", style="dim"))
    else:
        bound = "at most " if policy["is_upper_bound"] else ""
        console.print(
            f"  If none resolves by itself: {bound}{expected['mean_minutes']:.1f} min to an answer,"
            f" {bound}{expected['missed']:.1%} missed, {expected['second_level_pages']:.2f} level-2 pages"
            f" each. Of {policy['incidents']} incidents {policy['escalated']} were escalated."
        )
    for source in dict.fromkeys(level["borrowed_from"] for level in policy["levels"]):
        if source is not None:
            console.print(Text(f"  * too few answers of its own, so the curve is of {source}", style="dim"))
    for level in policy["levels"]:
        console.print(_advice_text(level))
    _print_parts(console, "Where the time to acknowledge went", policy["time_to_acknowledge"])


def _advice_text(level: Json) -> Text:
    advice, number = level["advice"], level["level"]
    if advice["delay_minutes"] is None:
        return Text(f"  No advice on the delay of level {number}: {advice['reason']}", style="dim")
    low, high = advice["gain_interval"]
    return Text(
        f"  Advice: level {number} moves on after {advice['delay_minutes']} min (now"
        f" {advice['current_minutes']}): {advice['gain_minutes']:.1f} min sooner"
        f" (95 % {low:.1f} to {high:.1f}, n = {advice['assignments']};"
        f" {advice['tested_gain_minutes']:.1f} min in the test on later incidents)"
    )


def _print_parts(console: Console, title: str, parts: Json) -> None:
    if not parts["incidents"]:
        return
    mean = parts["mean_seconds"] / MINUTE
    console.print(Text(f"  {title}: {mean:.1f} min on average, {parts['incidents']} incidents"))
    for name, seconds in parts["parts"].items():
        if seconds:
            share = seconds / parts["total_seconds"]
            console.print(f"    {share:>6.1%}  {PART_WORDS[name]}")
            if name == "waited":
                for level, waited in parts["waited_by_level"].items():
                    console.print(f"             {waited / parts['total_seconds']:>6.1%}  for level {level}")


def _print_doubts(console: Console, result: Json) -> None:
    for words, names in (
        ("Not readable with this token", result["inputs"]["missing_permissions"]),
        ("Incomplete", result["inputs"]["truncated"]),
    ):
        if names:
            console.print(Text(f"! {words}: {', '.join(names)}", style="bold yellow"))


def _print(console: Console, lines: list[Line]) -> None:
    for line in lines:
        text = Text()
        for fragment in line:
            text.append(fragment.text, style=fragment.style)
        console.print(text, no_wrap=True, overflow="crop")


def _console() -> Console:
    console = new_console(highlight=False)
    if not console.is_terminal:
        console.width = min(PIPE_WIDTH, 140)
    return console
