"""What a scenario changes, as tables and plots: who is on call instead, policies, people. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.kernel.time_zones import time_zone
from calmo_pagerduty.plots.figures import pairs_figure
from calmo_pagerduty.plots.model import PairRow
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.plots.time_axis import moment_text
from ingress.dashboard.tables import Column, Table
from ingress.scheduling.models import ScenarioTotals, WhatIfModel

UNKNOWN = "unknown"
NOBODY = "nobody"
#: Figures of a person, and of a policy. One that nothing differs in, or that nobody has, needs no column.
PERSON_FIGURES = (
    ("hours", "Hours"), ("nights", "Nights"), ("sleep_hours", "Hours 22 to 8"),
    ("weekend_hours", "Weekend hours"), ("holiday_hours", "Holiday hours"),
    ("double_duty_hours", "Hours on two schedules"), ("pay", "Pay"),
)  # fmt: skip
POLICY_FIGURES = (
    ("gap_hours", "Gap hours"), ("first_level_gap_hours", "Hours without level 1"),
    ("expected_dropped_incidents", "Expected dropped incidents"),
    ("expected_second_level_pages", "Expected pages of level 2"),
)  # fmt: skip


class Handover(NamedTuple):
    """A time in which other people are on call than before."""

    schedule: str
    start: str
    end: str
    before: str
    after: str


class Fact(NamedTuple):
    """A figure before and after."""

    word: str
    before: str
    after: str


def effect_facts(totals: Mapping[str, JsonObject | None]) -> list[Fact]:
    """Return the totals of a scenario, before and after."""
    words = (("gap_hours", "Gaps", " h"), ("expected_dropped_incidents", "Expected dropped incidents", ""))
    facts = []
    for name, word, unit in words:
        total = totals[name] or {}
        facts.append(Fact(word, *(number(total.get(side), unit) for side in ("before", "after"))))
    load = totals["max_load"] or {}
    facts.append(Fact("Most loaded", load_text(load.get("before")), load_text(load.get("after"))))
    if pay := totals["pay"]:
        sides = (f"{pay[side]} {pay['currency']}" for side in ("before", "after"))
        facts.append(Fact("Pay, indicative", *sides))
    return facts


def effect_tables(result: WhatIfModel) -> dict[str, Table[JsonObject] | Table[Handover]]:
    """Return the tables of a scenario's answer, by name."""
    handovers = [
        _handover(schedule, change) for schedule in result.schedules for change in schedule["changes"]
    ]
    return {
        "away": Table(
            "On call while away, by their calendars",
            (
                Column("Person", lambda row: row["name"]),
                Column("Before", lambda row: number(row["before_hours"], " h"), is_figure=True),
                Column("After", lambda row: number(row["after_hours"], " h"), is_figure=True),
            ),
            result.on_call_while_away or (),
        ),
        "handovers": Table(
            "On call instead",
            (
                Column("Schedule", lambda row: row.schedule),
                Column("From", lambda row: row.start),
                Column("Until", lambda row: row.end),
                Column("Before", lambda row: row.before, cell="before_people"),
                Column("After", lambda row: row.after, cell="after_people"),
            ),
            handovers,
            empty="On all schedules the same people are on call.",
        ),
        "people": _figures("People whose time on call changes", "Person", result.people, PERSON_FIGURES),
        "policies": _figures("Policies", "Policy", result.policies, POLICY_FIGURES),
    }


def hours_figures(result: WhatIfModel) -> list[Figure]:
    """Return the plot of hours before and after; none if nobody's hours change."""
    rows = [PairRow(row["name"], row["before"]["hours"], row["after"]["hours"]) for row in result.people]
    if not rows:
        return []
    rows.sort(key=lambda row: (-(row.after or 0.0), row.name))
    return [pairs_figure("what-if", "On-call hours before and after", "h", rows)]


def comparison_table(scenarios: Sequence[ScenarioTotals]) -> Table[ScenarioTotals]:
    """Return saved scenarios side by side."""

    def arrow(name: str, unit: str = "") -> Column[ScenarioTotals]:
        heading = {"gap_hours": "Gap hours", "expected_dropped_incidents": "Expected dropped incidents"}[name]
        return Column(heading, lambda row: _arrow(row.totals[name], number, unit), is_figure=True)

    return Table(
        "Side by side",
        (
            Column("Scenario", lambda row: row.name, cell="saved_scenario"),
            arrow("gap_hours"),
            arrow("expected_dropped_incidents"),
            Column(
                "Most loaded", lambda row: _arrow(row.totals["max_load"], lambda load, _: load_text(load))
            ),
            Column("Hours that change hands", lambda row: number(row.changed_hours), is_figure=True),
            Column("People", lambda row: str(row.people_changed), is_figure=True),
            Column("Same as when saved", lambda row: "yes" if row.is_same else "no", is_wide_only=True),
        ),
        scenarios,
    )


def comparison_figures(scenarios: Sequence[ScenarioTotals]) -> list[Figure]:
    """Return plots of saved scenarios, each before and after."""

    def rows(figure: str, key: str | None) -> list[PairRow]:
        def value(row: ScenarioTotals, side: str) -> float | None:
            total = row.totals[figure][side]
            return total if key is None else (total or {}).get(key)

        return [PairRow(row.name, value(row, "before"), value(row, "after")) for row in scenarios]

    return [
        pairs_figure(f"comparison-{figure}".replace("_", "-"), title, "h", rows(figure, key))
        for figure, title, key in (
            ("gap_hours", "Gap hours before and after", None),
            ("max_load", "Hours of the most loaded person, before and after", "hours"),
        )
    ]


def number(value: float | str | None, unit: str = "") -> str:
    """Return a figure without needless digits. None is unknown, never zero."""
    if value is None:
        return UNKNOWN
    text = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{text}{unit}"


def load_text(load: JsonObject | None) -> str:
    return NOBODY if load is None else f"{load['name'] or 'somebody'} {number(load['hours'])} h"


def local_text(iso: str, zone: ZoneInfo) -> str:
    """Return a time of an answer as a local time."""
    return moment_text(int(datetime.fromisoformat(iso).timestamp()), zone)


def _handover(schedule: JsonObject, change: JsonObject) -> Handover:
    zone = time_zone(schedule["time_zone"]) or ZoneInfo("Etc/UTC")
    return Handover(
        schedule["name"],
        local_text(change["start"], zone),
        local_text(change["end"], zone),
        *(", ".join(change[side]) or NOBODY for side in ("before", "after")),
    )


def _figures(
    caption: str, heading: str, rows: Sequence[JsonObject], figures: Sequence[tuple[str, str]]
) -> Table[JsonObject]:
    def column(name: str, title: str) -> Column[JsonObject]:
        def text(row: JsonObject) -> str:
            return _arrow({side: row[side][name] for side in ("before", "after")}, number)

        return Column(title, text, is_figure=True)

    shown = [
        column(name, title)
        for name, title in figures
        if any(row[side][name] not in _nothing(name) for row in rows for side in ("before", "after"))
    ]
    return Table(caption, (Column(heading, lambda row: row["name"]), *shown), rows, empty="None.")


def _nothing(name: str) -> tuple[float | str | None, ...]:
    """Return the values of a figure that need no column. Pay without rules is None; others are unknown."""
    return (0.0, "0", None) if name == "pay" else (0.0,)


def _arrow(total: JsonObject, text: object, unit: str = "") -> str:
    assert callable(text)
    before, after = (text(total[side], unit) for side in ("before", "after"))
    return str(before) if before == after else f"{before} → {after}"
