"""Draw counts over time as columns, each with an interval and a level if there is one; and as text."""

from collections.abc import Sequence

from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.plots.figures import MARGIN, WIDTH, nice_top, plain_number
from calmo_pagerduty.plots.model import CountColumn, Fill
from calmo_pagerduty.plots.svg import Canvas, Figure
from calmo_pagerduty.plots.terminal import NAME, Fragment, Line

_LEFT, _TOP, _HEIGHT, _LABELS = 64.0, 56.0, 150.0, 8
_HEIGHTS = "▁▂▃▄▅▆▇█"


def columns_figure(id: str, title: str, unit: str, columns: Sequence[CountColumn]) -> Figure:
    """Return a column per count, its interval as a plate behind it, its level as a line across it."""
    canvas = Canvas(id)
    canvas.text(MARGIN, 26, title, "title", WIDTH - 2 * MARGIN)
    top, bottom, right = _top(columns), _TOP + _HEIGHT, WIDTH - MARGIN
    for step in range(5):
        y = bottom - _HEIGHT * step / 4
        canvas.line(_LEFT, y, right, y, "axis" if step == 0 else "grid")
        canvas.text(_LEFT - 8, y + 4, plain_number(top * step / 4), "end small muted")
    canvas.text(MARGIN, _TOP - 14, unit, "small muted")
    width = (right - _LEFT) / max(1, len(columns))
    every = max(1, -(-len(columns) // _LABELS))
    for index, column in enumerate(columns):
        x = _LEFT + width * index
        if column.band is not None:
            low, high = (_y(value, top) for value in column.band)
            canvas.plate(x + width * 0.1, high, width * 0.8, max(low - high, 1.0), "band")
        if column.value > 0:
            y = _y(column.value, top)
            words = f"{column.label}: {_column_text(column)}"
            canvas.area(x + width * 0.3, y, width * 0.4, bottom - y, Fill.INCIDENTS, words)
        if column.level is not None:
            canvas.line(x, _y(column.level, top), x + width, _y(column.level, top), "target")
        if index % every == 0:
            canvas.text(x + width * 0.3, bottom + 16, column.label, "small muted", width * every - 4)
    end = canvas.legend(_LEFT, bottom + 42, [Fill.INCIDENTS], right)
    at = _LEFT + 110
    if any(column.level is not None for column in columns):
        canvas.line(at, bottom + 38, at + 22, bottom + 38, "target")
        canvas.text(at + 28, bottom + 42, "expected", "small muted")
        at += 100
    if any(column.band is not None for column in columns):
        canvas.plate(at, bottom + 33, 22, 11, "band")
        canvas.text(at + 28, bottom + 42, "80 % interval", "small muted")
    description = f"{unit}. " + " ".join(f"{column.label}: {_column_text(column)}." for column in columns)
    return canvas.figure(title, description, WIDTH, end + MARGIN)


def columns_text(title: str, unit: str, columns: Sequence[CountColumn]) -> list[Line]:
    """Return a character per count, in eight heights, and a line of the levels below."""
    top = _top(columns)
    lines: list[Line] = [(Fragment(f"{single_line(title, 200)} ({unit}, 0 to {plain_number(top)})", "bold"),)]
    span = f"{columns[0].label} to {columns[-1].label}" if columns else "insufficient data"
    bars = "".join(_height(column.value, top) for column in columns)
    lines.append((Fragment(f"{single_line(span, NAME - 2):<{NAME}}"), Fragment(bars, "blue")))
    if any(column.level is not None for column in columns):
        levels = "".join(" " if item.level is None else _height(item.level, top) for item in columns)
        lines.append((Fragment(f"{'expected':<{NAME}}"), Fragment(levels, "dim")))
    return lines


def _top(columns: Sequence[CountColumn]) -> float:
    known = [value for item in columns for value in (item.value, item.level or 0.0, *(item.band or ()))]
    return nice_top(max(known, default=0.0))


def _y(value: float, top: float) -> float:
    return _TOP + _HEIGHT * (1 - min(1.0, max(0.0, value / top)))


def _height(value: float, top: float) -> str:
    return " " if value <= 0 else _HEIGHTS[min(7, int(value / top * 8))]


def _column_text(column: CountColumn) -> str:
    words = plain_number(column.value)
    if column.level is not None:
        words += f", expected {plain_number(column.level)}"
    if column.band is not None:
        words += f", 80 % interval {plain_number(column.band[0])} to {plain_number(column.band[1])}"
    return words
