"""The workload, pay and working-time reports as tables and plots, from their documents. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.figures import dots_figure, stacks_figure
from calmo_pagerduty.plots.model import DotRow, Fill, StackRow
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.workload.tables import Cell, Report, ReportTable

PERIODS = ("past", "forward")
_PERIOD_NAMES = {"past": "Past", "forward": "Planned"}
_PERSON_COLUMNS: Mapping[str, str] = {
    "name": "person",
    "time_zone": "zone",
    "hours": "hours",
    "business_hours": "business h",
    "off_hours": "off h",
    "sleep_hours": "sleep h",
    "nights": "nights",
    "weekend_hours": "weekend h",
    "holiday_hours": "holiday h",
    "double_duty_hours": "double duty h",
    "interruptions": "interruptions",
    "sleep_interruptions": "in sleep hours",
    "share_on_call": "share on call",
}
_TEAM_COLUMNS: Mapping[str, str] = {
    "name": "team",
    "people": "people",
    "hours": "hours",
    "hours_median": "median h",
    "hours_max": "most h",
    "nights_max": "most nights",
    "sleep_hours": "sleep h",
    "interruptions": "interruptions",
    "sleep_interruptions": "in sleep hours",
}
_SCHEDULE_COLUMNS: Mapping[str, str] = {
    "name": "schedule",
    "people": "people",
    "hours": "hours",
    "largest_ratio": "most / target",
    "above_target": "above target",
    "above_sleep_target": "above in sleep h",
    "gini": "Gini",
    "jain": "Jain",
}
_POLICY_COLUMNS: Mapping[str, str] = {
    "name": "policy",
    "levels": "levels",
    "people": "people",
    "people_needed": "people needed",
    "incidents": "incidents",
    "incidents_per_shift": "per 12 h",
    "low": "low",
    "high": "high",
    "is_over_limit": "over 2",
}
_BANDS = (("business_hours", Fill.BUSINESS), ("off_hours", Fill.OFF_HOURS), ("sleep_hours", Fill.SLEEP))


def workload_tables(document: JsonObject) -> Report:
    """Return the workload report."""
    tables: list[ReportTable] = []
    for name in PERIODS:
        period, when = document[name], _PERIOD_NAMES[name]
        span = f"{period['since'][:10]} to {period['until'][:10]}"
        hidden = period["people_hidden"]
        note = f"{hidden} people are part of teams only: this reader may not see them." if hidden else ""
        if period["people"] or not hidden:
            tables.append(
                _table(f"{when}, by person ({span})", _known(_PERSON_COLUMNS, name), period["people"], note)
            )
        tables.append(_table(f"{when}, by team ({span})", _known(_TEAM_COLUMNS, name), period["teams"], note))
        tables.append(_table(f"{when}, by schedule ({span})", _SCHEDULE_COLUMNS, period["schedules"]))
    tables += [_pages_table(document["past"]["schedules"])]
    tables.append(_table("Google's limits, by policy (past)", _POLICY_COLUMNS, document["policies"]))
    debt = document["debt"]
    if debt["balances"]:
        columns = {"name": "person", "schedule_id": "schedule", "hours": "hours above the target"}
        tables.append(_table(f"Debt since {debt['since'][:10]}", columns, debt["balances"]))
    return Report(
        title="Workload",
        stamp=_stamp(document),
        notes=tuple(f"Incomplete: {note}." for note in document["incomplete"]),
        tables=tuple(tables),
        definitions=tuple(document["definitions"].items()),
    )


def people_table(document: JsonObject, name: str) -> ReportTable:
    """Return a period's people, for CSV; its teams if the reader may see nobody."""
    period = document[name]
    if period["people"]:
        return _table(name, {"id": "id", **_PERSON_COLUMNS}, period["people"])
    return _table(name, {"id": "id", **_TEAM_COLUMNS}, period["teams"])


def hours_plot(document: JsonObject, name: str) -> list[StackRow]:
    """Return a bar per person: business, off and sleep hours."""
    return [
        StackRow(
            row["name"],
            tuple((fill, row[column]) for column, fill in _BANDS),
            f"{row['nights']} nights, {row['weekend_days']} weekend days",
        )
        for row in document[name]["people"]
    ]


def share_plot(schedule: JsonObject, column: str = "hours") -> list[DotRow]:
    """Return a dot per person on the target line: hours (`hours`) or sleep hours (`sleep_hours`)."""
    target = "target_hours" if column == "hours" else "target_sleep_hours"
    flag = "is_above_target" if column == "hours" else "is_above_sleep_target"
    return [
        DotRow(row["name"], row[column], row[target], note="above target" if row[flag] else "")
        for row in schedule["shares"]
    ]


def pages_plot(pages: JsonObject) -> list[DotRow]:
    """Return a dot per person beside the count that the time on call makes, with the luck band."""
    return [
        DotRow(
            row["name"],
            row["pages"],
            row["expected"],
            (row["low"], row["high"]),
            "above the band" if row["pages"] > row["high"] else "",
        )
        for row in pages["people"]
    ]


def workload_figures(document: JsonObject) -> list[Figure]:
    """Return the plots of a report: bands per person, shares and pages per schedule."""
    figures = []
    for name in PERIODS:
        if stacks := hours_plot(document, name):
            figures.append(
                stacks_figure(f"hours-{name}", f"{_PERIOD_NAMES[name]} hours on call", "h", stacks)
            )
    for schedule in document["forward"]["schedules"]:
        if rows := share_plot(schedule):
            title = f"{schedule['name']}: planned hours"
            figures.append(dots_figure(f"shares-{schedule['id']}", title, "h", rows))
    for schedule in document["past"]["schedules"]:
        for key, when in (("pages", "pages"), ("sleep_pages", "pages in sleep hours")):
            if schedule[key] and (rows := pages_plot(schedule[key])):
                title = f"{schedule['name']}: {when}, and what chance alone brings"
                figures.append(dots_figure(f"{key}-{schedule['id']}", title, "pages", rows))
    return figures


def pay_tables(document: JsonObject) -> Report:
    """Return the pay report."""
    columns = {
        "name": "person", "rule": "rule", "rate": "rate per hour", "hours": "hours", "amount": "amount",
    }  # fmt: skip
    rows = [{"name": person["name"], **line} for person in document["people"] for line in person["lines"]]
    totals = {"name": "person", "hours": "hours", "amount": f"amount ({document['currency']})"}
    return Report(
        title=f"Pay in {document['currency']}, {document['since'][:10]} to {document['until'][:10]}",
        stamp=_stamp(document),
        notes=(document["indicative"], *(f"Incomplete: {note}." for note in document["incomplete"])),
        tables=(
            _table("Totals", totals, document["people"], f"Sum: {document['amount'] or 'not shown'}"),
            _table("By rule", columns, rows),
        ),
    )


def working_time_tables(document: JsonObject) -> Report:
    """Return the working-time check."""
    breaches = {
        "name": "person", "limit": "limit", "since": "from (UTC)", "until": "to (UTC)", "found": "found h",
        "required": "limit h",
    }  # fmt: skip
    averages = {
        "name": "person", "average_hours": "average h per week", "weeks": "weeks",
        "is_average_conclusive": "enough weeks", "breaches": "breaches",
    }  # fmt: skip
    rows = [
        {**item, "name": person["name"], "since": _readable(item["since"]), "until": _readable(item["until"])}
        for person in document["people"]
        for item in person["breaches"]
    ]
    people = [{**person, "breaches": len(person["breaches"])} for person in document["people"]]
    return Report(
        title=f"Working time by {document['template']}, {document['since'][:10]} to {document['until'][:10]}",
        stamp=_stamp(document),
        notes=(document["indicative"], *(f"Incomplete: {note}." for note in document["incomplete"])),
        tables=(_table("Breaches", breaches, rows), _table("By person", averages, people)),
    )


def _known(columns: Mapping[str, str], name: str) -> Mapping[str, str]:
    """Leave interruptions out of the future, which has none yet."""
    if name == "past":
        return columns
    return {key: text for key, text in columns.items() if not key.endswith("interruptions")}


def _pages_table(schedules: Sequence[JsonObject]) -> ReportTable:
    columns = ("schedule", "when", "pages", "bursts", "Gini", "p by chance", "verdict")
    rows = [
        (
            schedule["name"],
            when,
            pages["pages"],
            pages["bursts"],
            pages["gini"],
            pages["p_value"],
            _verdict(pages),
        )
        for schedule in schedules
        for key, when in (("pages", "all hours"), ("sleep_pages", "sleep hours"))
        if (pages := schedule[key]) is not None
    ]
    note = "A small p means that chance rarely makes so uneven a share; bursts fall on a person as a whole."
    return ReportTable("Pages against chance (past)", columns, tuple(rows), note)


def _verdict(pages: JsonObject) -> str:
    if pages["insufficient"]:
        return f"insufficient data: {pages['insufficient']}"
    return "chance explains it" if pages["p_value"] > 0.05 else "beyond chance"


def _table(title: str, columns: Mapping[str, str], rows: Sequence[JsonObject], note: str = "") -> ReportTable:
    return ReportTable(
        title,
        tuple(columns.values()),
        tuple(tuple(_cell(row, name) for name in columns) for row in rows),
        note,
    )


def _cell(row: JsonObject, name: str) -> Cell:
    """Return a field; what is hidden because a group is small says so."""
    if name not in row and "hidden" in row:
        return "too few people to show"
    value: Any = row.get(name)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _stamp(document: JsonObject) -> str:
    source = f"Connection {document['connection_id']}, snapshot {document['snapshot_id']}"
    return f"{source}, as of {document['now']}."


def _readable(moment: str) -> str:
    """Return `2026-03-01 09:00` of `2026-03-01T09:00:00Z`."""
    return moment[:16].replace("T", " ")
