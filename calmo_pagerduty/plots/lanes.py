"""Draw lanes over time: a lane per schedule, policy, person or incident, with bars in rows.

What lies across a lane, such as a gap, is hatched and has a text; it is never just blank.
"""

from collections.abc import Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.plots.model import Bar, Fill, Lane
from calmo_pagerduty.plots.styles import FILL_STYLES
from calmo_pagerduty.plots.svg import BOLDER, Canvas, Figure, text_width
from calmo_pagerduty.plots.time_axis import span_text, time_marks, window_text

NAMES, PLOT, NOTES, MARGIN = 210.0, 720.0, 190.0, 16.0
MIN_NAMED = 34.0
#: In a lane with at most so many gaps, a text may be wider than its gap.
MAX_OVERFLOWING = 3
ROW, BETWEEN, HEADER = 13.0, 12.0, 76.0
_LEFT = MARGIN + NAMES
_RIGHT = _LEFT + PLOT
WIDTH = _RIGHT + NOTES + MARGIN
#: These fills are said in the description, and their bars carry a text.
_SAID = (Fill.GAP, Fill.INTENDED, Fill.UNKNOWN)
#: The text of these bars stands in them, if it fits.
_NAMED = (Fill.SHIFT, Fill.OTHER_SHIFT)


def lanes_figure(
    id: str, title: str, window: Span, zone: ZoneInfo, lanes: Sequence[Lane], now: int | None = None
) -> Figure:
    """Return the figure. Bars outside the window are cut to it; `now` is drawn if it is inside."""
    canvas = Canvas(id)
    scale = _Scale(window)
    bottom = HEADER + sum(_height(lane) for lane in lanes) + 22.0 * len(_groups(lanes))
    canvas.text(MARGIN, 26, title, "title", WIDTH - 2 * MARGIN)
    canvas.text(MARGIN, 44, window_text(window, zone), "muted")
    _axis(canvas, scale, window, zone, bottom)
    y = HEADER
    for group, members in groupby(lanes, key=lambda lane: lane.group):
        if group:
            canvas.text(MARGIN, y + 14, group, "strong", WIDTH - 2 * MARGIN)
            y += 22.0
        for lane in members:
            _lane(canvas, scale, lane, y, zone)
            y += _height(lane)
    if not lanes:
        canvas.text(_LEFT, y + 10, "nothing to show", "muted")
        bottom = y = y + 16
    if now is not None and window.start <= now < window.end:
        canvas.line(scale.x(now), HEADER - 8, scale.x(now), bottom, "now")
        canvas.text(scale.x(now), bottom + 12, "now", "middle small")
    used = [fill for fill in Fill if any(bar.fill is fill for lane in lanes for bar in _bars(lane))]
    end = canvas.legend(_LEFT, bottom + 30, used, _RIGHT)
    return canvas.figure(title, _description(window, zone, lanes), WIDTH, end + MARGIN)


class _Scale:
    def __init__(self, window: Span) -> None:
        self._window = window

    def x(self, at: int) -> float:
        share = (at - self._window.start) / max(1, self._window.seconds)
        return _LEFT + PLOT * min(1.0, max(0.0, share))


def _height(lane: Lane) -> float:
    return max(1, len(lane.rows)) * ROW + BETWEEN


def _groups(lanes: Sequence[Lane]) -> list[str]:
    return [group for group, _ in groupby(lanes, key=lambda lane: lane.group) if group]


def _bars(lane: Lane) -> list[Bar]:
    return [*(bar for row in lane.rows for bar in row.bars), *lane.across]


def _axis(canvas: Canvas, scale: _Scale, window: Span, zone: ZoneInfo, bottom: float) -> None:
    for mark in time_marks(window, zone):
        x = scale.x(mark.at)
        canvas.line(x, HEADER - 8, x, bottom, "grid")
        if mark.label:
            canvas.text(x + 2, HEADER - 12, mark.label, "small muted")
    canvas.line(_LEFT, HEADER - 8, _RIGHT, HEADER - 8)


def _lane(canvas: Canvas, scale: _Scale, lane: Lane, top: float, zone: ZoneInfo) -> None:
    rows = max(1, len(lane.rows))
    middle = top + rows * ROW / 2 + 4
    labels = [row.label for row in lane.rows if row.label]
    room = max((text_width(label, 11) for label in labels), default=0.0)
    canvas.text(MARGIN, middle, lane.name, "strong", NAMES - room - 14)
    for index, row in enumerate(lane.rows):
        y = top + index * ROW
        if row.label:
            canvas.text(_LEFT - 6, y + 10, row.label, "end small muted")
        canvas.line(_LEFT, y + ROW - 1, _RIGHT, y + ROW - 1, "grid")
        for bar in row.bars:
            _bar(canvas, scale, bar, y + 1, ROW - 3, zone)
    for bar in lane.across:
        _bar(canvas, scale, bar, top - 1, rows * ROW + 1, zone)
    _chips(canvas, scale, lane, top)
    canvas.text(_RIGHT + 10, middle, lane.note, "small muted", NOTES)


def _bar(canvas: Canvas, scale: _Scale, bar: Bar, y: float, height: float, zone: ZoneInfo) -> None:
    x = scale.x(bar.span.start)
    words = bar.text or FILL_STYLES[bar.fill].word
    tooltip = f"{words}: {span_text(bar.span, zone)}"
    width = max(scale.x(bar.span.end) - x, 2.0)
    canvas.area(x, y, width, height, bar.fill, tooltip)
    if bar.fill in _NAMED and width > MIN_NAMED:
        canvas.text(x + 3, y + height - 1.5, bar.text, "tiny", width - 4)


def _chips(canvas: Canvas, scale: _Scale, lane: Lane, top: float) -> None:
    """Write the texts of what is said: whole or as a duration, where they fit.

    A few narrow bars get their text beside them; many would cover each other, and the lane's note counts.
    """
    said = [
        (bar, top + (max(1, len(lane.rows)) * ROW if across else (2 * row + 1) * ROW) / 2 + 3.5)
        for row, across, bars in (
            *((number, False, row.bars) for number, row in enumerate(lane.rows)),
            (0, True, lane.across),
        )
        for bar in bars
        if bar.fill in _SAID
    ]
    ends: dict[float, float] = {}
    for bar, y in said:
        left, right = scale.x(bar.span.start), scale.x(bar.span.end)
        text = _fitting(bar, right - left, may_overflow=len(said) <= MAX_OVERFLOWING)
        half = text_width(text, 11) * BOLDER / 2 + 3
        middle = min(max((left + right) / 2, _LEFT + half), _RIGHT - half)
        if text and middle - half >= ends.get(y, 0.0):
            canvas.chip(middle, y, text, "alarm small" if bar.fill is Fill.GAP else "small")
            ends[y] = middle + half


def _fitting(bar: Bar, width: float, *, may_overflow: bool) -> str:
    """Return the longest text that fits into the bar, none if no text does."""
    whole, duration = bar.text or FILL_STYLES[bar.fill].word, format_duration(bar.span.seconds)
    for text in (whole, duration):
        if text_width(text, 11) * BOLDER + 6 <= width:
            return text
    return duration if may_overflow else ""


def _description(window: Span, zone: ZoneInfo, lanes: Sequence[Lane]) -> str:
    sentences = [f"{window_text(window, zone)}."]
    for lane in lanes:
        facts = [
            f"{bar.text or FILL_STYLES[bar.fill].word} {span_text(bar.span, zone)}"
            f" ({format_duration(bar.span.seconds)})"
            for bar in _bars(lane)
            if bar.fill in _SAID
        ]
        facts += [lane.note] if lane.note else []
        sentences.append(f"{lane.name}: {'; '.join(facts) or 'no gap'}.")
    return " ".join(sentences)
