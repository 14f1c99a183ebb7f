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
NARROWEST, WIDEST = 24, 90
#: The shortest times that the axis reaches before and after.
LEAST_BEFORE, LEAST_AFTER = 60.0, 3.0
_SIGNS: Mapping[str, tuple[str, str]] = {
    "changes": ("◆", "cyan"),
    "upstream": ("▲", "yellow"),
    "this": ("●", "bold red"),
    "same": ("■", "yellow"),
    "downstream": ("▼", "yellow"),
    "elsewhere": ("○", ""),
}


def timeline_plot(found: Assessment, width: int) -> Iterator[Text]:
    """Yield the plot's lines, for a window so many characters wide. Where nothing else was: none."""
    lanes = {name: times for name, times in _lanes(found).items() if times}
    if len(lanes) == 1:
        return
    axis = _Axis(
        min(max(width - LABEL, NARROWEST), WIDEST), [time for times in lanes.values() for time in times]
    )
    for name, times in lanes.items():
        sign, style = _SIGNS[name]
        yield Text.assemble((f"{name:<{LABEL}}", "dim"), (axis.lane(times, sign), style))
    yield Text(f"{'before':<{LABEL}}{axis.marks()}", style="dim")


def _lanes(found: Assessment) -> dict[str, list[float]]:
    """Return how many minutes before the incident things of each lane were; negative is after."""
    began = found.incident.created_at
    lanes: dict[str, list[float]] = {name: [] for name in _SIGNS}
    lanes["this"] = [0.0]
    lanes["changes"] = [_before(began, change.at) for change in found.changes]
    for other in found.others:
        lanes[other.where].append(_before(began, other.created_at))
    return lanes


def _before(began: datetime, at: datetime) -> float:
    """What is further away than a day stands at its end."""
    return min(max((began - at).total_seconds() / 60, -DAY_MINUTES), DAY_MINUTES)


class _Axis:
    """Places minutes in columns."""

    def __init__(self, width: int, minutes: Iterable[float]) -> None:
        known = list(minutes)
        self._width = width
        self._left = _far(max(*known, LEAST_BEFORE))
        self._right = _far(min(*known, -LEAST_AFTER))

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
            if not self._right <= _far(minutes) <= self._left:
                continue
            start = min(max(self._column(minutes) - len(words) // 2, 0), self._width - len(words))
            room = cells[max(start - 1, 0) : start + len(words) + 1]
            if not "".join(room).strip():
                cells[start : start + len(words)] = words
        return "".join(cells).rstrip()

    def _column(self, minutes: float) -> int:
        share = (self._left - _far(minutes)) / (self._left - self._right)
        return round(share * (self._width - 1))


def _far(minutes: float) -> float:
    return math.copysign(math.log1p(abs(minutes)), minutes)
