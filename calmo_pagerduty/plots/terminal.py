"""Print the plots of `model.py` as text: a line is a row of fragments, each with a rich style.

`plain` drops the styles; nothing is said by them alone. Texts are sanitized for terminals.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.markdown_text import single_line
from calmo_pagerduty.plots.figures import NO_DATA, plain_number
from calmo_pagerduty.plots.model import Bar, DotRow, Fill, Lane, Marker, PairRow, Row, StackRow, StepCurve
from calmo_pagerduty.plots.styles import FILL_STYLES
from calmo_pagerduty.plots.time_axis import time_marks, window_text

MIN_WIDTH, MAX_WIDTH, NAME = 40, 160, 24
#: If several fills fall into a character, the first of these is shown: a short gap is never lost.
_FIRST_SHOWN = (Fill.GAP, Fill.UNKNOWN, Fill.INTENDED, Fill.MAINTENANCE)
#: The text of these bars stands in them, if it fits.
_NAMED = (Fill.SHIFT, Fill.OTHER_SHIFT)
_PRECEDENCE: Mapping[Fill, int] = MappingProxyType(
    {fill: place for place, fill in enumerate([*_FIRST_SHOWN, *(f for f in Fill if f not in _FIRST_SHOWN)])}
)


class Fragment(NamedTuple):
    """A piece of a line; `style` is one of rich's styles, or empty."""

    text: str
    style: str = ""


Line = tuple[Fragment, ...]


def plain(lines: Sequence[Line]) -> str:
    """Return the lines as text without styles, each ended by a line break."""
    return "".join("".join(fragment.text for fragment in line).rstrip() + "\n" for line in lines)


def lanes_text(
    title: str, window: Span, zone: ZoneInfo, lanes: Sequence[Lane], width: int, now: int | None = None
) -> list[Line]:
    """Return lanes over time for a terminal of `width` characters."""
    columns = _columns(width, 34)
    lines: list[Line] = [(Fragment(single_line(title, 200), "bold"),)]
    lines.append((Fragment(window_text(window, zone), "dim"),))
    lines.append((Fragment(" " * NAME + _axis(window, zone, columns), "dim"),))
    for group, members in groupby(lanes, key=lambda lane: lane.group):
        if group:
            lines.append((Fragment(single_line(group, 80), "bold"),))
        for lane in members:
            lines += _lane(lane, window, columns)
    if now is not None and window.start <= now < window.end:
        mark = NAME + (now - window.start) * columns // max(1, window.seconds)
        lines.append((Fragment(" " * mark + "▲ now", "dim"),))
    used = [fill for fill in Fill if any(bar.fill is fill for lane in lanes for bar in _bars(lane))]
    lines.append(_legend(used))
    return lines


def dots_text(title: str, unit: str, rows: Sequence[DotRow], width: int) -> list[Line]:
    """Return a dot per row (`●`), its target (`┃`) and the band of chance (`─`)."""
    columns = _columns(width, 26)
    known = [v for row in rows for v in (row.value, row.target, *(row.band or ())) if v is not None]
    top = max(known, default=0.0) or 1.0
    lines: list[Line] = [(Fragment(f"{single_line(title, 200)} ({unit})", "bold"),)]
    for row in rows:
        cells = [" "] * columns
        if row.band is not None:
            low, high = (_column(value, top, columns) for value in row.band)
            cells[low : high + 1] = "─" * (high + 1 - low)
        if row.target is not None:
            cells[_column(row.target, top, columns)] = "┃"
        if row.value is not None:
            cells[_column(row.value, top, columns)] = "●"
        value = NO_DATA if row.value is None else plain_number(row.value)
        lines.append((_name(row.name), Fragment("".join(cells)), Fragment(f"  {value} {_note(row.note)}")))
    lines.append((Fragment("● value   ┃ target   ─ chance alone brings 95 % of values here", "dim"),))
    return lines


def pairs_text(title: str, unit: str, rows: Sequence[PairRow], width: int) -> list[Line]:
    """Return two bars per row: before and after, and the fair share (`┃`) if there is one."""
    columns = _columns(width, 16)
    known = [v for row in rows for v in (row.before, row.after, row.target) if v is not None]
    top = max(known, default=0.0) or 1.0
    lines: list[Line] = [(Fragment(f"{single_line(title, 200)} ({unit})", "bold"),)]
    for row in rows:
        for name, value, fill in ((row.name, row.before, Fill.BEFORE), ("", row.after, Fill.AFTER)):
            word = f"{FILL_STYLES[fill].word:<7}"
            if value is None:
                lines.append((_name(name), Fragment(f"{word}{NO_DATA}")))
                continue
            length = max(round(value / top * (columns - 8)), 1 if value > 0 else 0)
            bar = _with_mark(fill, length, row.target, top, columns - 8)
            lines.append((_name(name), Fragment(word, "dim"), *bar, Fragment(f" {plain_number(value)}")))
    if any(row.target is not None for row in rows):
        lines.append((Fragment("┃ fair share", "dim"),))
    return lines


def _with_mark(fill: Fill, length: int, target: float | None, top: float, columns: int) -> list[Fragment]:
    """Return a bar with the mark of the target in it or behind it."""
    if target is None:
        return [_cells(fill, length)]
    at = min(round(target / top * columns), columns)
    if at >= length:
        return [_cells(fill, length), Fragment(" " * (at - length)), Fragment("┃")]
    return [_cells(fill, at), Fragment("┃"), _cells(fill, length - at - 1)]


def stacks_text(title: str, unit: str, rows: Sequence[StackRow], width: int) -> list[Line]:
    """Return a bar per row, in parts that add up."""
    columns = _columns(width, 30)
    top = max((sum(value for _, value in row.parts) for row in rows), default=0.0) or 1.0
    lines: list[Line] = [(Fragment(f"{single_line(title, 200)} ({unit})", "bold"),)]
    for row in rows:
        done, parts = 0.0, []
        for fill, value in row.parts:
            start, done = round(done / top * columns), done + value
            parts.append(_cells(fill, round(done / top * columns) - start))
        lines.append((_name(row.name), *parts, Fragment(f" {plain_number(done)} {_note(row.note)}")))
    lines.append(_legend([fill for fill in Fill if any(f is fill for row in rows for f, _ in row.parts)]))
    return lines


def steps_text(
    title: str, x_unit: str, curves: Sequence[StepCurve], markers: Sequence[Marker], width: int
) -> list[Line]:
    """Return each curve as a line of eight heights, with markers (`┆`) below."""
    columns = _columns(width, 12)
    ends = [p[0] for curve in curves for p in curve.points] + [marker.x for marker in markers]
    top = max(ends, default=0.0) or 1.0
    lines: list[Line] = [
        (Fragment(f"{single_line(title, 200)} ({x_unit}, 0 to {plain_number(top)})", "bold"),)
    ]
    for curve in curves:
        shares = [_share_at(curve, top * column / columns) for column in range(columns)]
        text = "".join(" " if share is None else "▁▂▃▄▅▆▇█"[min(7, int(share * 8))] for share in shares)
        last = f" {curve.points[-1][1] * 100:.0f} %" if curve.points else f" {NO_DATA}"
        lines.append(
            (_name(curve.name), Fragment(text, FILL_STYLES[curve.fill].terminal_style), Fragment(last))
        )
    for marker in markers:
        lines.append(
            (Fragment(" " * NAME + _marked(marker, _column(marker.x, top, columns), columns), "dim"),)
        )
    return lines


def _marked(marker: Marker, column: int, columns: int) -> str:
    """Return the mark with its text behind it, or in front of it where the line would become too long."""
    text = single_line(marker.text, 60)
    if column + len(text) + 2 <= columns or column < len(text) + 1:
        return " " * column + f"┆ {text}"
    return f"{text} ┆".rjust(column + 1)


def _columns(width: int, notes: int) -> int:
    return (
        min(max(width, MIN_WIDTH + NAME), MAX_WIDTH)
        - NAME
        - min(notes, max(0, width - NAME - MIN_WIDTH // 2))
    )


def _name(text: str) -> Fragment:
    return Fragment(f"{single_line(text, NAME - 2):<{NAME}}")


def _note(text: str) -> str:
    return single_line(text, 33) if text else ""


def _axis(window: Span, zone: ZoneInfo, columns: int) -> str:
    cells = [" "] * columns
    free = 0
    for mark in time_marks(window, zone, max(2, columns // 12)):
        column = (mark.at - window.start) * columns // max(1, window.seconds)
        if mark.label and column >= free and column + len(mark.label) <= columns:
            cells[column : column + len(mark.label)] = mark.label
            free = column + len(mark.label) + 1
    return "".join(cells)


def _bars(lane: Lane) -> list[Bar]:
    return [*(bar for row in lane.rows for bar in row.bars), *lane.across]


def _lane(lane: Lane, window: Span, columns: int) -> Iterator[Line]:
    rows = lane.rows or (Row(()),)
    for index, row in enumerate(rows):
        name = lane.name if index == 0 else ""
        label = single_line(row.label, 10) if row.label else ""
        head = f"{single_line(name, NAME - 2 - len(label)) if name else '':<{NAME - 1 - len(label)}}{label} "
        cells = _row_cells([*row.bars, *lane.across], window, columns)
        note = f" {_note(lane.note)}" if index == 0 and lane.note else ""
        yield (Fragment(head), *_fragments(cells), Fragment(note, "dim"))


def _row_cells(bars: Sequence[Bar], window: Span, columns: int) -> list[Bar | None]:
    """Return the bar of each character; the one that matters most if there are several."""
    cells: list[Bar | None] = [None] * columns
    for bar in sorted(bars, key=lambda bar: -_PRECEDENCE[bar.fill]):
        start, end = max(bar.span.start, window.start), min(bar.span.end, window.end)
        if start < end:
            first = (start - window.start) * columns // window.seconds
            last = -((window.start - end) * columns // window.seconds)
            cells[first:last] = [bar] * (last - first)
    return cells


def _fragments(cells: Sequence[Bar | None]) -> Iterator[Fragment]:
    for bar, run in groupby(cells):
        length = len(list(run))
        if bar is None:
            yield Fragment(" " * length)
        elif bar.fill in _NAMED and bar.text and length > 3:
            style = FILL_STYLES[bar.fill]
            yield Fragment(
                f"{single_line(bar.text, length - 1)} ".ljust(length, style.character), style.terminal_style
            )
        else:
            yield _cells(bar.fill, length)


def _cells(fill: Fill, length: int) -> Fragment:
    style = FILL_STYLES[fill]
    text = style.character * length
    if fill in _FIRST_SHOWN and length >= len(style.word) + 4:
        text = f" {style.word} ".center(length, style.character)
    return Fragment(text, style.terminal_style)


def _legend(fills: Sequence[Fill]) -> Line:
    return (Fragment("   ".join(f"{FILL_STYLES[f].character} {FILL_STYLES[f].word}" for f in fills), "dim"),)


def _column(value: float, top: float, columns: int) -> int:
    return min(columns - 1, max(0, round(value / top * (columns - 1))))


def _share_at(curve: StepCurve, x: float) -> float | None:
    share = None
    for at, value in curve.points:
        if at > x:
            break
        share = value
    return share
