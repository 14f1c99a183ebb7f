"""What the plots of trends and capacity show, from their documents: the CLI has nothing else. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.columns import columns_figure
from calmo_pagerduty.plots.figures import cells_figure, dots_figure, steps_figure
from calmo_pagerduty.plots.model import Cell, CellRow, CountColumn, DotRow, Fill, StepCurve
from calmo_pagerduty.plots.svg import Figure
from calmo_pagerduty.statistics.poisson_rates import garwood_interval

WEEK = 7 * 86_400
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PARTS = ("00-04", "04-08", "08-12", "12-16", "16-20", "20-24")
_PART_HOURS = 4


def week_columns(trend: JsonObject) -> list[CountColumn]:
    """Return the incidents of each week, with the rate between changes as the level."""
    weeks: list[int] = trend["weeks"]
    if not weeks or trend["weeks_since"] is None:
        return []
    first = datetime.fromisoformat(trend["weeks_since"]).timestamp()
    cuts = [0, *(change["week"] for change in trend["changes"]), len(weeks)]
    levels = [
        sum(weeks[start:end]) / (end - start) for start, end in pairwise(cuts) for _ in range(start, end)
    ]
    return [
        CountColumn(_day(first + index * WEEK), count, level=levels[index])
        for index, count in enumerate(weeks)
    ]


def forecast_columns(forecast: JsonObject) -> list[CountColumn]:
    """Return what came, beside what the back-tested forecasts had said."""
    return [
        CountColumn(start[5:10], value, level=median, band=(low, high))
        for start, value, low, median, high in forecast["past"]
    ]


def calibration_curves(forecast: JsonObject) -> list[StepCurve]:
    """Return the share of outcomes below each quantile, beside the share that should lie there."""
    points = tuple((100 * share, below) for share, below in forecast["calibration"] or ())
    ideal = tuple((100 * share, share) for share, _ in forecast["calibration"] or ())
    return [StepCurve("outcomes", points), StepCurve("as promised", ideal, fill=Fill.LEVEL_2)]


def season_rows(season: JsonObject) -> list[CellRow]:
    """Return a cell for every four hours of the week; filled where incidents are more than their share.

    That is where even the low end of the 95 % interval (Garwood) lies above the mean rate.
    """
    counts, hours = season["by_hour_of_week"], season["hours_of_week"]
    mean = sum(counts) / sum(hours) if sum(hours) else 0.0
    rows = []
    for day, name in enumerate(DAYS):
        cells = []
        for part in range(len(PARTS)):
            first = 24 * day + _PART_HOURS * part
            count, time = sum(counts[first : first + _PART_HOURS]), sum(hours[first : first + _PART_HOURS])
            is_more = garwood_interval(count).low > mean * time
            cells.append(Cell(Fill.MORE if is_more else None, str(count)))
        rows.append(CellRow(name, tuple(cells), f"{sum(counts[24 * day : 24 * day + 24])} incidents"))
    return rows


def rate_dots(services: Sequence[JsonObject], most: int = 20) -> list[DotRow]:
    """Return the incidents per week of services, each with its verdict."""
    return [
        DotRow(row["name"], row["per_week"], None, None, f"n = {row['incidents']}, {row['verdict']}")
        for row in services[:most]
    ]


def shift_dots(policies: Sequence[JsonObject]) -> list[DotRow]:
    """Return the incidents per shift of policies beside the limit."""
    return [
        DotRow(row["name"], row["incidents_per_shift"], float(row["limit"]), None, _shift_note(row))
        for row in policies
    ]


def trend_figures(row: JsonObject, id: str = "service") -> list[Figure]:
    """Return the plots of one service; a forecast that isn't shown has none."""
    figures = []
    if columns := week_columns(row):
        title = f"{row['name']}: incidents per week ({row['verdict']})"
        figures.append(columns_figure(f"{id}-weeks", title, "incidents per week", columns))
    season = row.get("season")
    if season is not None and season["incidents"]:
        where = f"{row['time_zone']}, n = {season['incidents']}"
        title = f"{row['name']}: incidents by hours of the week ({where})"
        figures.append(cells_figure(f"{id}-season", title, PARTS, season_rows(season)))
    for forecast in row.get("forecasts", ()):
        if not forecast["is_shown"]:
            continue
        name = forecast["horizon"].replace(" ", "-")
        title = f"{row['name']}: {forecast['horizon']}, forecast and outcome (n = {forecast['back_tests']})"
        figures.append(columns_figure(f"{id}-{name}", title, "incidents", forecast_columns(forecast)))
        title = f"{row['name']}: calibration of the {forecast['horizon']} (n = {forecast['back_tests']})"
        curves = calibration_curves(forecast)
        figures.append(steps_figure(f"{id}-{name}-calibration", title, "% promised", curves, ()))
    return figures


def capacity_figure(document: JsonObject) -> Figure:
    title = "Incidents of high urgency per shift of twelve hours, beside the limit of two"
    return dots_figure("shifts", title, "per shift", shift_dots(document["policies"]))


def _shift_note(row: JsonObject) -> str:
    if row["interval"] is None:
        return "unknown"
    return f"{row['interval'][0]:g} to {row['interval'][1]:g}, n = {row['incidents']}"


def _day(at: float) -> str:
    # A week begins at local midnight, which may be the evening before in UTC.
    return f"{datetime.fromtimestamp(at + 43_200, UTC):%m-%d}"
