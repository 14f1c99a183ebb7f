"""Show trends and capacity in a terminal. Nothing is said by colour alone."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.plots.columns import columns_text
from calmo_pagerduty.plots.terminal import Line, dots_text, steps_text
from calmo_pagerduty.trends.pictures import calibration_curves, forecast_columns, shift_dots, week_columns
from calmo_pagerduty.trends.texts import (
    BURDEN_COLUMNS,
    CAPACITY_COLUMNS,
    FORECAST_COLUMNS,
    TEAM_COLUMNS,
    TREND_COLUMNS,
    Columns,
)
from ingress.commands.console import new_console
from ingress.commands.output import PIPE_WIDTH
from ingress.commands.tool_view import cell_text, empty_table

Json = dict[str, Any]


def print_trends(result: Json, *, is_single: bool) -> None:
    console, metrics = _console(), result["metrics"]
    _begin(console, metrics)
    _table(console, "Services", TREND_COLUMNS, metrics["services"])
    forecasts = [
        {"name": row["name"], **forecast} for row in metrics["services"] for forecast in row["forecasts"]
    ]
    _table(console, "Forecasts", FORECAST_COLUMNS, forecasts)
    if not is_single:
        _table(console, "Teams", TEAM_COLUMNS, metrics["teams"])
    for row in metrics["services"] if is_single else ():
        if columns := week_columns(row):
            _print(console, columns_text(f"{row['name']}: incidents per week", "incidents", columns))
        for forecast in row["forecasts"]:
            if forecast["is_shown"]:
                title = f"{forecast['horizon']}: outcomes, and what was expected"
                _print(console, columns_text(title, "incidents", forecast_columns(forecast)))
                curves = calibration_curves(forecast)
                _print(console, steps_text("Calibration", "% promised", curves, (), console.width))
    _definitions(console, metrics)


def print_capacity(result: Json) -> None:
    console, metrics = _console(), result["metrics"]
    _begin(console, metrics)
    _table(console, "Escalation policies", CAPACITY_COLUMNS, metrics["policies"])
    if metrics["policies"]:
        rows = shift_dots(metrics["policies"])
        _print(console, dots_text("Incidents per shift, beside the limit", "per shift", rows, console.width))
    _table(console, "Services", BURDEN_COLUMNS, metrics["services"])
    _table(console, "Teams", BURDEN_COLUMNS, metrics["teams"])
    _definitions(console, metrics)


def _begin(console: Console, metrics: Json) -> None:
    console.print(Text(f"Incidents from {metrics['since']} to {metrics['until']}", style="dim"))
    if metrics["problem"]:
        console.print(Text(f"! {single_line(metrics['problem'], 200)}", style="yellow"))


def _table(console: Console, title: str, columns: Columns, rows: Iterable[Json]) -> None:
    table = empty_table(*(heading for heading, _ in columns))
    for row in rows:
        table.add_row(*(cell_text(text(row)) for _, text in columns))
    console.print(Text(title, style="bold"))
    console.print(table if table.row_count else "There is nothing here.")


def _definitions(console: Console, metrics: Json) -> None:
    for definition in metrics["definitions"]:
        console.print(Text(f"{definition['word']}: {definition['meaning']}", style="dim"))


def _print(console: Console, lines: Iterable[Line]) -> None:
    for line in lines:
        text = Text.assemble(*((fragment.text, fragment.style) for fragment in line))
        console.print(text, no_wrap=True, overflow="crop")


def _console() -> Console:
    console = new_console(highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console
