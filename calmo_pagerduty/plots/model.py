"""What a plot shows, as values: `svg.py` and its neighbours draw them, `terminal.py` prints them.

A plot works without colour: every fill has a pattern, a character and a word of its own. Times are epoch
seconds (UTC); a plot shows them in the zone it is given. Texts may come from anybody: drawing escapes them.
"""

from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.kernel.intervals import Span


class Fill(StrEnum):
    """What an area means. `styles.FILL_STYLES` says how it looks."""

    LEVEL_1 = "level-1"
    LEVEL_2 = "level-2"
    LEVEL_3 = "level-3"
    GAP = "gap"
    INTENDED = "intended"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"
    BUSINESS = "business"
    OFF_HOURS = "off-hours"
    SLEEP = "sleep"
    SHIFT = "shift"
    OTHER_SHIFT = "other-shift"
    BEFORE = "before"
    AFTER = "after"
    READY = "ready"
    NOT_READY = "not-ready"
    INCIDENTS = "incidents"
    MORE = "more"
    ACTED_ON = "acted-on"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Bar:
    """A time in a row. `text` is written on or beside it and is its tooltip."""

    span: Span
    fill: Fill
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of bars, for example a level of a policy."""

    bars: tuple[Bar, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A named thing over time. `across` are bars drawn over all of its rows, for example gaps.

    Lanes with the same `group` stand together under its name. `note` stands at the right.
    """

    name: str
    rows: tuple[Row, ...]
    across: tuple[Bar, ...] = ()
    note: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class DotRow:
    """A value beside its target. `band` is where chance alone would put the value; None is unknown."""

    name: str
    value: float | None
    target: float | None
    band: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class PairRow:
    """A value before and after a change; None is unknown. `target` is what would be fair, if known."""

    name: str
    before: float | None
    after: float | None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class StackRow:
    """A value in parts, each with its fill."""

    name: str
    parts: tuple[tuple[Fill, float], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class StepCurve:
    """A step function from x = 0: from each point's x on, its y. `band` holds (x, low, high)."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    fill: Fill = Fill.LEVEL_1


@dataclass(frozen=True, slots=True)
class CountColumn:
    """A count of one time. `level` is what was expected, `band` its 80 % interval; None: not known."""

    label: str
    value: float
    level: float | None = None
    band: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Marker:
    """A dashed vertical line at x, with a text."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its fill, or None if it is empty, and a short text in it."""

    fill: Fill | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class CellRow:
    """A named row of cells, one per column. `note` stands at the right."""

    name: str
    cells: tuple[Cell, ...]
    note: str = ""
