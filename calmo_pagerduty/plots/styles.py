"""How plots look, as a table, and the style sheet made of it, for light and for dark pages.

Plots carry classes and no `style` attributes, so a page with a strict content security policy can show them:
it serves `STYLE_SHEET` itself. A plot as a document of its own carries the style sheet inside.
Contrast with the background, in both themes: texts at least 4.5 to 1, areas and lines at least 3 to 1
(WCAG 2.2, 1.4.3 and 1.4.11); a test computes it.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from calmo_pagerduty.plots.model import Fill


class Pattern(StrEnum):
    """What an area is filled with, for readers who don't see colours."""

    SOLID = "solid"
    RISING = "rising"
    FALLING = "falling"
    CROSSED = "crossed"
    DOTTED = "dotted"
    LEVEL = "level"
    UPRIGHT = "upright"
    OUTLINE = "outline"
    SHADE = "shade"


class FillStyle(NamedTuple):
    """`light` and `dark` are colours on a light and on a dark page; `character` is for terminals."""

    word: str
    light: str
    dark: str
    pattern: Pattern
    character: str
    terminal_style: str


FILL_STYLES: Mapping[Fill, FillStyle] = MappingProxyType(
    {
        Fill.LEVEL_1: FillStyle("level 1", "#0a5cc2", "#58a6ff", Pattern.SOLID, "█", "blue"),
        Fill.LEVEL_2: FillStyle("level 2", "#7547b8", "#bc8cff", Pattern.LEVEL, "▓", "magenta"),
        Fill.LEVEL_3: FillStyle("level 3 and later", "#7a6200", "#d9b13b", Pattern.DOTTED, "▒", "yellow"),
        Fill.GAP: FillStyle("nobody", "#c4161c", "#ff7b72", Pattern.RISING, "╳", "bold red"),
        Fill.INTENDED: FillStyle("nobody, as intended", "#59636e", "#9198a1", Pattern.OUTLINE, "·", "dim"),
        Fill.MAINTENANCE: FillStyle("maintenance", "#0b6e6e", "#4cc4c4", Pattern.UPRIGHT, "~", "cyan"),
        Fill.UNKNOWN: FillStyle("unknown", "#8a5a00", "#e3a341", Pattern.CROSSED, "?", "yellow"),
        Fill.BUSINESS: FillStyle("business hours", "#7a6200", "#d9b13b", Pattern.OUTLINE, "░", "yellow"),
        Fill.OFF_HOURS: FillStyle("off hours", "#b34700", "#f09a5a", Pattern.LEVEL, "▒", "bright_red"),
        Fill.SLEEP: FillStyle("sleep hours", "#b01e3c", "#ff7b93", Pattern.SOLID, "█", "red"),
        Fill.SHIFT: FillStyle("on call", "#0a5cc2", "#58a6ff", Pattern.OUTLINE, "─", "blue"),
        Fill.OTHER_SHIFT: FillStyle("the next person", "#0a5cc2", "#58a6ff", Pattern.SHADE, "━", "cyan"),
        Fill.BEFORE: FillStyle("before", "#59636e", "#9198a1", Pattern.RISING, "░", "dim"),
        Fill.AFTER: FillStyle("after", "#0a5cc2", "#58a6ff", Pattern.SOLID, "█", "blue"),
        Fill.READY: FillStyle("reaches the person", "#1a7f37", "#3fb950", Pattern.SHADE, "●", "green"),
        Fill.NOT_READY: FillStyle("does not", "#c4161c", "#ff7b72", Pattern.RISING, "╳", "bold red"),
        Fill.INCIDENTS: FillStyle("incidents", "#0a5cc2", "#58a6ff", Pattern.SOLID, "█", "blue"),
        Fill.MORE: FillStyle("more than their share", "#b34700", "#f09a5a", Pattern.LEVEL, "▒", "yellow"),
        Fill.ACTED_ON: FillStyle("somebody acted", "#0a5cc2", "#58a6ff", Pattern.SOLID, "█", "blue"),
        Fill.QUIET: FillStyle("nobody acted", "#8a5a00", "#e3a341", Pattern.RISING, "░", "yellow"),
    }
)

#: Name, colour on a light page, colour on a dark page.
INKS: tuple[tuple[str, str, str], ...] = (
    ("background", "#ffffff", "#0d1117"),
    ("ink", "#1f2328", "#e6edf3"),
    ("muted", "#59636e", "#9198a1"),
    ("line", "#818b98", "#6e7681"),
    ("faint", "#d1d9e0", "#30363d"),
    ("alarm", "#b3121a", "#ff8a82"),
)


def _variables(column: int) -> str:
    inks = [f"--plot-{row[0]}:{row[column]}" for row in INKS]
    fills = [f"--plot-{fill}:{(style.light, style.dark)[column - 1]}" for fill, style in FILL_STYLES.items()]
    return ";".join([*inks, *fills])


def _style_sheet() -> str:
    rules = [
        f".plot{{{_variables(1)};max-width:100%;height:auto}}",
        f"@media screen and (prefers-color-scheme:dark){{.plot{{{_variables(2)}}}}}",
        f"@media screen{{:root[data-theme=dark] .plot{{{_variables(2)}}}}}",
        f":root[data-theme=light] .plot{{{_variables(1)}}}",
        ".plot text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif;"
        "font-size:12px;fill:var(--plot-ink)}",
        ".plot .title{font-size:15px;font-weight:600}",
        ".plot .strong{font-weight:600}",
        ".plot .muted{fill:var(--plot-muted)}",
        ".plot .small{font-size:11px}",
        ".plot .tiny{font-size:10px}",
        ".plot .alarm{fill:var(--plot-alarm);font-weight:600}",
        ".plot .end{text-anchor:end}",
        ".plot .middle{text-anchor:middle}",
        ".plot .background{fill:var(--plot-background)}",
        ".plot .axis{stroke:var(--plot-line);stroke-width:1;fill:none}",
        ".plot .grid{stroke:var(--plot-faint);stroke-width:1;fill:none}",
        ".plot .now{stroke:var(--plot-ink);stroke-width:1.5;stroke-dasharray:2 2;fill:none}",
        ".plot .dashed{stroke:var(--plot-ink);stroke-width:1.2;stroke-dasharray:6 4;fill:none}",
        ".plot .target{stroke:var(--plot-ink);stroke-width:2.5;fill:none}",
        ".plot .band{fill:var(--plot-faint);stroke:var(--plot-line);stroke-width:1}",
        ".plot .area{stroke:var(--fill);stroke-width:1}",
        ".plot .solid{fill:var(--fill)}",
        ".plot .outline{fill:none}",
        ".plot .shade{fill:var(--fill);fill-opacity:.22}",
        ".plot .tint{fill:var(--fill);fill-opacity:.14;stroke:none}",
        ".plot .hatch{stroke:var(--fill);stroke-width:1.8;fill:none}",
        ".plot .speck{fill:var(--fill);stroke:none}",
        ".plot .curve{stroke:var(--fill);stroke-width:2.2;fill:none}",
        ".plot .curve.level-2{stroke-dasharray:9 3}",
        ".plot .curve.level-3{stroke-dasharray:2 3}",
        *(f".plot .{fill}{{--fill:var(--plot-{fill})}}" for fill in FILL_STYLES),
        "@media print{.plot{-webkit-print-color-adjust:exact;print-color-adjust:exact}}",
    ]
    return "\n".join(rules) + "\n"


STYLE_SHEET = _style_sheet()
