"""Draw figures of numbers: dots on a target line, bars before and after, bars in parts, step curves."""

import math
from collections.abc import Sequence

from calmo_pagerduty.plots.model import CellRow, DotRow, Fill, Marker, PairRow, StackRow, StepCurve
from calmo_pagerduty.plots.styles import FILL_STYLES
from calmo_pagerduty.plots.svg import Canvas, Figure, text_width

NAMES, PLOT, NOTES, MARGIN, HEADER = 190.0, 520.0, 180.0, 16.0, 64.0
_LEFT = MARGIN + NAMES
_RIGHT = _LEFT + PLOT
WIDTH = _RIGHT + NOTES + MARGIN
NO_DATA = "insufficient data"


def dots_figure(id: str, title: str, unit: str, rows: Sequence[DotRow]) -> Figure:
    """Return a dot per row on its target line; the band shows what chance alone would bring."""
    canvas = Canvas(id)
    values = [
        value
        for row in rows
        for value in (row.value, row.target, *(row.band or ()))
        if value is not None and math.isfinite(value)
    ]
    top = nice_top(max(values, default=0.0))
    bottom = HEADER + 26.0 * len(rows)
    _head(canvas, title, unit, top, bottom)
    for index, row in enumerate(rows):
        y = HEADER + 26.0 * index + 13
        canvas.text(MARGIN, y + 4, row.name, "", NAMES - 10)
        canvas.line(_LEFT, y, _RIGHT, y, "grid")
        if row.band is not None:
            low, high = (_x(value, top) for value in row.band)
            canvas.plate(low, y - 7, high - low, 14, "band")
        if row.target is not None:
            canvas.line(_x(row.target, top), y - 10, _x(row.target, top), y + 10, "target")
        if row.value is None:
            canvas.text(_LEFT + 6, y + 4, NO_DATA, "small muted")
        else:
            canvas.dot(_x(row.value, top), y, 5, Fill.LEVEL_1, _dot_text(row, unit))
        canvas.text(_RIGHT + 10, y + 4, _dot_note(row), "small muted", NOTES)
    y = bottom + 34
    canvas.dot(_LEFT + 6, y - 4, 5, Fill.LEVEL_1)
    canvas.text(_LEFT + 16, y, "value", "small muted")
    if any(row.target is not None for row in rows):
        canvas.line(_LEFT + 76, y - 12, _LEFT + 76, y + 3, "target")
        canvas.text(_LEFT + 84, y, "target", "small muted")
    if any(row.band is not None for row in rows):
        canvas.plate(_LEFT + 146, y - 11, 24, 14, "band")
        canvas.text(_LEFT + 176, y, "chance alone brings 95 % of values here", "small muted")
    description = " ".join(f"{_dot_text(row, unit)}." for row in rows)
    return canvas.figure(title, description, WIDTH, y + MARGIN)


def pairs_figure(id: str, title: str, unit: str, rows: Sequence[PairRow]) -> Figure:
    """Return two bars per row: before and after a change."""
    canvas = Canvas(id)
    values = [value for row in rows for value in (row.before, row.after, row.target) if value is not None]
    top = nice_top(max(values, default=0.0))
    bottom = HEADER + 38.0 * len(rows)
    _head(canvas, title, unit, top, bottom)
    for index, row in enumerate(rows):
        y = HEADER + 38.0 * index + 4
        canvas.text(MARGIN, y + 18, row.name, "", NAMES - 10)
        note = _RIGHT + 10
        for offset, value, fill in ((0.0, row.before, Fill.BEFORE), (14.0, row.after, Fill.AFTER)):
            if value is None:
                canvas.text(_LEFT + 6, y + offset + 10, NO_DATA, "small muted")
                continue
            words = f"{FILL_STYLES[fill].word} {plain_number(value)} {unit}"
            canvas.area(_LEFT, y + offset, _x(value, top) - _LEFT, 12, fill, f"{row.name}: {words}")
            label = plain_number(value)
            x = _beside(_x(value, top) + 5, label, row, top)
            canvas.text(x, y + offset + 10, label, "small")
            note = max(note, x + text_width(label, 11) + 10)
        if row.target is not None:
            canvas.line(_x(row.target, top), y - 3, _x(row.target, top), y + 29, "target")
        canvas.text(note, y + 18, _change(row), "small muted", WIDTH - MARGIN - note)
    end = canvas.legend(_LEFT, bottom + 34, [Fill.BEFORE, Fill.AFTER], _RIGHT)
    if any(row.target is not None for row in rows):
        canvas.line(_LEFT + 176, bottom + 22, _LEFT + 176, bottom + 37, "target")
        canvas.text(_LEFT + 184, bottom + 34, "fair share", "small muted")
    description = " ".join(_pair_text(row, unit) for row in rows)
    return canvas.figure(title, description, WIDTH, end + MARGIN)


def stacks_figure(id: str, title: str, unit: str, rows: Sequence[StackRow]) -> Figure:
    """Return a bar per row, in parts that add up."""
    canvas = Canvas(id)
    # The longest bar leaves room for its figure, which else would stand on the note.
    top = nice_top(1.06 * max((sum(value for _, value in row.parts) for row in rows), default=0.0))
    bottom = HEADER + 26.0 * len(rows)
    _head(canvas, title, unit, top, bottom)
    for index, row in enumerate(rows):
        y = HEADER + 26.0 * index + 5
        canvas.text(MARGIN, y + 12, row.name, "", NAMES - 10)
        done = 0.0
        for fill, value in row.parts:
            if value > 0:
                tooltip = f"{row.name}: {FILL_STYLES[fill].word} {plain_number(value)} {unit}"
                canvas.area(_x(done, top), y, _x(done + value, top) - _x(done, top), 16, fill, tooltip)
                done += value
        canvas.text(_x(done, top) + 5, y + 12, plain_number(done), "small")
        canvas.text(_RIGHT + 10, y + 12, row.note, "small muted", NOTES)
    used = [fill for fill in Fill if any(part is fill for row in rows for part, _ in row.parts)]
    end = canvas.legend(_LEFT, bottom + 34, used, _RIGHT)
    description = " ".join(
        f"{row.name}: "
        + ", ".join(f"{FILL_STYLES[fill].word} {plain_number(value)}" for fill, value in row.parts)
        + f" {unit}."
        for row in rows
    )
    return canvas.figure(title, description, WIDTH, end + MARGIN)


def cells_figure(id: str, title: str, columns: Sequence[str], rows: Sequence[CellRow]) -> Figure:
    """Return a table of cells. A cell without a fill is drawn empty, with its text."""
    canvas = Canvas(id)
    canvas.text(MARGIN, 26, title, "title", WIDTH - 2 * MARGIN)
    width, height = PLOT / max(1, len(columns)), 24.0
    for number, column in enumerate(columns):
        canvas.text(_LEFT + width * (number + 0.5), HEADER - 8, column, "middle small muted")
    for index, row in enumerate(rows):
        y = HEADER + height * index
        canvas.line(MARGIN, y, WIDTH - MARGIN, y, "grid")
        canvas.text(MARGIN, y + 16, row.name, "", NAMES - 10)
        for number, cell in enumerate(row.cells):
            x = _LEFT + width * number
            if cell.fill is not None:
                tooltip = f"{row.name}, {columns[number]}: {FILL_STYLES[cell.fill].word} {cell.text}"
                canvas.area(x + 3, y + 3, width - 6, height - 6, cell.fill, tooltip)
                canvas.chip(x + width / 2, y + 16, cell.text, "small strong")
            else:
                canvas.text(x + width / 2, y + 16, cell.text, "middle small muted")
        canvas.text(_RIGHT + 10, y + 16, row.note, "small muted", NOTES)
    bottom = HEADER + height * len(rows)
    used = [fill for fill in Fill if any(cell.fill is fill for row in rows for cell in row.cells)]
    end = canvas.legend(_LEFT, bottom + 24, used, _RIGHT)
    return canvas.figure(title, _cells_text(columns, rows), WIDTH, end + MARGIN)


def _cells_text(columns: Sequence[str], rows: Sequence[CellRow]) -> str:
    texts = []
    for row in rows:
        cells = (
            f"{column}: {FILL_STYLES[cell.fill].word if cell.fill else 'none'} {cell.text}".strip()
            for column, cell in zip(columns, row.cells, strict=True)
        )
        texts.append(f"{row.name} ({row.note}): {', '.join(cells)}.")
    return " ".join(texts)


def steps_figure(
    id: str, title: str, x_unit: str, curves: Sequence[StepCurve], markers: Sequence[Marker] = ()
) -> Figure:
    """Return step curves of shares from 0 to 1, for example survival curves, with dashed vertical markers."""
    canvas = Canvas(id)
    last = max(
        [point[0] for curve in curves for point in curve.points] + [marker.x for marker in markers],
        default=0.0,
    )
    top, height = nice_top(last), 240.0
    bottom = HEADER + height
    _head(canvas, title, x_unit, top, bottom)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - share * height
        canvas.line(_LEFT, y, _RIGHT, y, "grid")
        canvas.text(_LEFT - 6, y + 4, f"{share * 100:.0f} %", "end small muted")
    for curve in curves:
        if curve.band:
            canvas.path(_band_points(curve, top, bottom, height), "tint", curve.fill, closed=True)
    for number, curve in enumerate(curves):
        points = _step_points(list(curve.points), top, bottom, height)
        canvas.path(points, "curve", curve.fill)
        sample = HEADER + 20.0 * number + 6
        canvas.path([(_RIGHT + 10, sample), (_RIGHT + 34, sample)], "curve", curve.fill)
        canvas.text(_RIGHT + 40, sample + 4, curve.name, "small", NOTES - 30)
    for number, marker in enumerate(markers):
        x = _x(marker.x, top)
        canvas.line(x, HEADER, x, bottom, "dashed")
        side = -1 if x + text_width(marker.text, 11) + 8 > _RIGHT else 1
        kind = "small end" if side < 0 else "small"
        canvas.text(x + 4 * side, HEADER + 12 + 14 * (number % 4), marker.text, kind)
    return canvas.figure(title, _steps_text(x_unit, curves, markers), WIDTH, bottom + 40)


def _head(canvas: Canvas, title: str, unit: str, top: float, bottom: float) -> None:
    canvas.text(MARGIN, 26, title, "title", WIDTH - 2 * MARGIN)
    canvas.line(_LEFT, bottom, _RIGHT, bottom)
    for number in range(5):
        value = top * number / 4
        x = _x(value, top)
        canvas.line(x, HEADER - 6, x, bottom, "grid")
        canvas.text(x, bottom + 14, plain_number(value), "middle small muted")
    after_the_last = _RIGHT + text_width(plain_number(top), 11) / 2 + 8
    canvas.text(after_the_last, bottom + 14, unit, "small muted", NOTES - 20)


def _x(value: float, top: float) -> float:
    return _LEFT + PLOT * min(1.0, max(0.0, value / top))


def nice_top(value: float) -> float:
    """Return the first of 1, 2, 4, 6, 8, 10 times a power of ten that is not below the value."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12) if step * power >= value)


def plain_number(value: float) -> str:
    """Return a number with three significant digits and no exponent."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "unknown"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _value(value: float | None) -> str:
    return NO_DATA if value is None else plain_number(value)


def _beside(x: float, label: str, row: PairRow, top: float) -> float:
    """Return where a label begins: behind the mark of the target, if that would cross it."""
    if row.target is None:
        return x
    mark = _x(row.target, top)
    return mark + 5 if x - 4 <= mark <= x + text_width(label, 11) + 2 else x


def _pair_text(row: PairRow, unit: str) -> str:
    fair = "" if row.target is None else f", {plain_number(row.target)} is a fair share"
    return f"{row.name}: {_value(row.before)} before, {_value(row.after)} after{fair}, in {unit}."


def _change(row: PairRow) -> str:
    if row.before is None or row.after is None:
        return ""
    change = row.after - row.before
    return "unchanged" if change == 0 else f"{'+' if change > 0 else '−'}{plain_number(abs(change))}"


def _dot_note(row: DotRow) -> str:
    value = "" if row.value is None else plain_number(row.value)
    return ", ".join(filter(None, (value, row.note)))


def _dot_text(row: DotRow, unit: str) -> str:
    parts = [f"{row.name}: {_value(row.value)} {unit}" if row.value is not None else f"{row.name}: {NO_DATA}"]
    parts += [f"target {plain_number(row.target)}"] if row.target is not None else []
    parts += [f"by chance {plain_number(row.band[0])} to {plain_number(row.band[1])}"] if row.band else []
    return ", ".join(parts)


def _step_points(
    points: list[tuple[float, float]], top: float, bottom: float, height: float
) -> list[tuple[float, float]]:
    """Return the corners of a step curve in pixels."""
    corners: list[tuple[float, float]] = []
    for x, share in points:
        if corners:
            corners.append((_x(x, top), corners[-1][1]))
        corners.append((_x(x, top), bottom - share * height))
    return corners


def _band_points(curve: StepCurve, top: float, bottom: float, height: float) -> list[tuple[float, float]]:
    low = _step_points([(x, low) for x, low, _ in curve.band], top, bottom, height)
    high = _step_points([(x, high) for x, _, high in curve.band], top, bottom, height)
    return [*high, *reversed(low)]


def _steps_text(x_unit: str, curves: Sequence[StepCurve], markers: Sequence[Marker]) -> str:
    sentences = [
        f"{curve.name}: "
        + ", ".join(f"{share * 100:.0f} % from {plain_number(x)} {x_unit}" for x, share in curve.points)
        + "."
        for curve in curves
    ]
    sentences += [f"Marked at {plain_number(marker.x)} {x_unit}: {marker.text}." for marker in markers]
    return " ".join(sentences)
