"""What happened around an incident, as a plot of text: one lane each, time from the left to the right.

The minutes just before an incident say more than the hours before, so the axis is logarithmic: its
marks say where one is.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from rich.text import Text

from calmo_pagerduty.contexts.model import Assessment

DAY_MINUTES = 1440.0
#: Marks of the axis in minutes before, the most telling first: a narrow window has room for some only.
_MARKS = (
    (0.0, "0"), (1440.0, "24 h"), (60.0, "1 h"), (10.0, "10 min"), (-60.0, "+1 h"), (360.0, "6 h"),
    (-10.0, "+10 min"), (3.0, "3 min"),
)  # fmt: skip
LABEL = 11
MIN_WIDTH, MAX_WIDTH = 24, 90
#: The shortest times that the axis reaches before and after.
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
    """Yield the plot's lines, for a window so many characters wide. Where nothing else was: none."""
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
    """Return how many minutes before the incident things of each lane were; negative is after."""
    began = assessment.incident.created_at
    lanes: dict[str, list[float]] = {name: [] for name in _SYMBOL_OF_LANE}
    lanes["this"] = [0.0]
    lanes["changes"] = [_minutes_before(began, change.at) for change in assessment.changes]
    for other in assessment.others:
        lanes[other.where].append(_minutes_before(began, other.created_at))
    return lanes


def _minutes_before(began: datetime, at: datetime) -> float:
    """What is further away than a day stands at its end."""
    return min(max((began - at).total_seconds() / 60, -DAY_MINUTES), DAY_MINUTES)


class _Axis:
    """Places minutes in columns."""

    def __init__(self, width: int, minutes: Iterable[float]) -> None:
        known = list(minutes)
        self._width = width
        self._left = _log_position(max(*known, MIN_MINUTES_BEFORE))
        self._right = _log_position(min(*known, -MIN_MINUTES_AFTER))

    def lane(self, minutes: Iterable[float], sign: str) -> str:
        """Return the lane: a sign where something was, a number where several were."""
        cells = [" "] * self._width
        cells[self._column(0.0)] = "│"
        for column, count in Counter(map(self._column, minutes)).items():
            cells[column] = sign if count == 1 else str(min(count, 9))
        return "".join(cells).rstrip()

    def marks(self) -> str:
        cells = [" "] * self._width
        for minutes, words in _MARKS:
            if not self._right <= _log_position(minutes) <= self._left:
                continue
            start = min(max(self._column(minutes) - len(words) // 2, 0), self._width - len(words))
            room = cells[max(start - 1, 0) : start + len(words) + 1]
            if not "".join(room).strip():
                cells[start : start + len(words)] = words
        return "".join(cells).rstrip()

    def _column(self, minutes: float) -> int:
        share = (self._left - _log_position(minutes)) / (self._left - self._right)
        return round(share * (self._width - 1))


def _log_position(minutes: float) -> float:
    return math.copysign(math.log1p(abs(minutes)), minutes)
