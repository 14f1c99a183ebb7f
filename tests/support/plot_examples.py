"""Plots of made-up data that the tests of this folder look at."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.plots.columns import columns_figure
from calmo_pagerduty.plots.figures import dots_figure, pairs_figure, stacks_figure, steps_figure
from calmo_pagerduty.plots.lanes import lanes_figure
from calmo_pagerduty.plots.model import (
    Bar,
    CountColumn,
    DotRow,
    Fill,
    Lane,
    Marker,
    PairRow,
    Row,
    StackRow,
    StepCurve,
)
from calmo_pagerduty.plots.svg import Figure

LONDON: Final = ZoneInfo("Europe/London")
START: Final = int(datetime(2026, 3, 25, tzinfo=UTC).timestamp())
DAY: Final = 86_400
WEEK: Final = Span(START, START + 7 * DAY)
HOSTILE: Final = 'Payments</text><script>alert("1")</script>\u202e&'

GAP: Final = Bar(Span(START + 3 * DAY, START + 4 * DAY), Fill.GAP, "nobody 24 h")
LANES: Final = (
    Lane(
        "Payments",
        (
            Row((Bar(Span(START, START + 3 * DAY), Fill.LEVEL_1),), "1"),
            Row((Bar(Span(START + 4 * DAY, START + 7 * DAY), Fill.LEVEL_2),), "2"),
        ),
        (GAP,),
        "0.42 incidents expected",
        "Team A",
    ),
    Lane(HOSTILE, (Row((Bar(WEEK, Fill.INTENDED),)),), group="Team B"),
    Lane("Empty", (), (Bar(WEEK, Fill.GAP, "nobody, all week"),), group="Team B"),
    Lane("Mixed", (Row(tuple(
        Bar(Span(START + day * DAY, START + (day + 1) * DAY), fill)
        for day, fill in enumerate((Fill.LEVEL_3, Fill.MAINTENANCE, Fill.UNKNOWN, Fill.BUSINESS,
                                    Fill.OFF_HOURS, Fill.SLEEP))
    )),), group="Team B"),
)  # fmt: skip
DOTS: Final = (
    DotRow("Ann", 12.0, 8.0, (4.0, 11.0)),
    DotRow(HOSTILE, None, 8.0, (4.0, 11.0)),
    DotRow("Bob", 0.0, 8.0, None, "on leave"),
)
PAIRS: Final = (PairRow("gaps", 12.0, 0.0), PairRow(HOSTILE, None, 3.5), PairRow("load", 9.0, 6.0, 6.0))
STACKS: Final = (
    StackRow("Ann", ((Fill.BUSINESS, 40.0), (Fill.OFF_HOURS, 60.0), (Fill.SLEEP, 68.0))),
    StackRow(HOSTILE, ((Fill.BUSINESS, 0.0),)),
)
CURVES: Final = (
    StepCurve("level 1", ((0, 1.0), (3, 0.6), (9, 0.25)), ((0, 1.0, 1.0), (3, 0.4, 0.8), (9, 0.1, 0.5))),
    StepCurve(HOSTILE, ((0, 1.0), (5, 0.5)), fill=Fill.LEVEL_2),
)
COLUMNS: Final = (
    CountColumn(HOSTILE, 3.0, 2.0, (0.0, 5.0)),
    CountColumn("01-12", 0.0),
    CountColumn("01-19", 9.0),
)
MARKERS: Final = (Marker(10, "timeout of level 1"),)


def figures() -> list[Figure]:
    """Return a figure of each kind."""
    return [
        lanes_figure("lanes", f"Coverage {HOSTILE}", WEEK, LONDON, LANES, START + DAY),
        dots_figure("dots", "Pages", "pages", DOTS),
        pairs_figure("pairs", "Change", "hours", PAIRS),
        stacks_figure("stacks", "Hours", "h", STACKS),
        steps_figure("steps", "Unacknowledged", "minutes", CURVES, MARKERS),
        columns_figure("columns", f"Incidents {HOSTILE}", "incidents", COLUMNS),
    ]
