"""Plot the events around an incident as text: a line per kind of event, time from left to right.

The minutes just before an incident matter more than the hours before, so the time axis is logarithmic.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from rich.text import Text

from calmo_pagerduty.contexts.model import Assessment

DAY_MINUTES = 1440.0
#: Marks of the axis in minutes before, the most important first: a narrow window has no room for all.
_MARKS = (
    (0.0, "0"), (1440.0, "24 h"), (60.0, "1 h"), (10.0, "10 min"), (-60.0, "+1 h"), (360.0, "6 h"),
    (-10.0, "+10 min"), (3.0, "3 min"),
)  # fmt: skip
LABEL = 11
MIN_WIDTH, MAX_WIDTH = 24, 90
#: The axis covers at least these times before and after.
MIN_MINUTES_BEFORE, MIN_MINUTES_AFTER = 60.0, 3.0
_SYMBOL_OF_LANE: Mapping[str, tuple[str, str]] = {
    "changes": ("◆", "cyan"),
    "upstream": ("▲", "yellow"),
    "this": ("●", "bold red"),
    "same": ("■", "yellow"),
    "downstream": ("▼", "yellow"),
    "elsewhere": ("○", ""),
}


def timeline_plot(assessment: Assessment, width: int) -> Iterator[Text]:
    """Yield the plot's lines for a window of `width` characters; nothing if no other event is known."""
    lanes = {name: times for name, times in _lanes(assessment).items() if times}
    if len(lanes) == 1:
        return
    axis = _Axis(
        min(max(width - LABEL, MIN_WIDTH), MAX_WIDTH), [time for times in lanes.values() for time in times]
    )
    for name, times in lanes.items():
        sign, style = _SYMBOL_OF_LANE[name]
        yield Text.assemble((f"{name:<{LABEL}}", "dim"), (axis.lane(times, sign), style))
    yield Text(f"{'before':<{LABEL}}{axis.marks()}", style="dim")


def _lanes(assessment: Assessment) -> dict[str, list[float]]:
    """Return each lane's events in minutes before the incident. Negative means after."""
    began = assessment.incident.created_at
    lanes: dict[str, list[float]] = {name: [] for name in _SYMBOL_OF_LANE}
    lanes["this"] = [0.0]
    lanes["changes"] = [_minutes_before(began, change.at) for change in assessment.changes]
    for other in assessment.others:
        lanes[other.where].append(_minutes_before(began, other.created_at))
    return lanes


def _minutes_before(began: datetime, at: datetime) -> float:
    """Return minutes before the incident, limited to a day before or after."""
    return min(max((began - at).total_seconds() / 60, -DAY_MINUTES), DAY_MINUTES)


class _Axis:
    """Maps minutes before the incident to columns."""

    def __init__(self, width: int, minutes: Iterable[float]) -> None:
        values = list(minutes)
        self._width = width
        self._left = _log_position(max(*values, MIN_MINUTES_BEFORE))
        self._right = _log_position(min(*values, -MIN_MINUTES_AFTER))

    def lane(self, minutes: Iterable[float], sign: str) -> str:
        """Return the lane's line: a sign for a single event, a number for several in the same column."""
        cells = [" "] * self._width
        cells[self._column(0.0)] = "│"
        for column, count in Counter(map(self._column, minutes)).items():
            cells[column] = sign if count == 1 else str(min(count, 9))
        return "".join(cells).rstrip()

    def marks(self) -> str:
        cells = [" "] * self._width
        for minutes, label in _MARKS:
            if not self._right <= _log_position(minutes) <= self._left:
                continue
            start = min(max(self._column(minutes) - len(label) // 2, 0), self._width - len(label))
            room = cells[max(start - 1, 0) : start + len(label) + 1]
            if not "".join(room).strip():
                cells[start : start + len(label)] = label
        return "".join(cells).rstrip()

    def _column(self, minutes: float) -> int:
        share = (self._left - _log_position(minutes)) / (self._left - self._right)
        return round(share * (self._width - 1))


def _log_position(minutes: float) -> float:
    return math.copysign(math.log1p(abs(minutes)), minutes)
