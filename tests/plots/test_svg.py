"""SVG plots: accessible, the same bytes each time, readable without colour, and deaf to hostile names."""

import re

import pytest

from calmo_pagerduty.plots.model import Fill
from calmo_pagerduty.plots.styles import FILL_STYLES, INKS, STYLE_SHEET, Pattern
from calmo_pagerduty.plots.svg import Canvas, Figure
from tests.support.pictures import parsed_picture
from tests.support.plot_examples import HOSTILE, figures

NAMES = ("lanes", "dots", "pairs", "stacks", "steps")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(params=range(5), ids=NAMES)
def figure(request: pytest.FixtureRequest) -> Figure:
    return figures()[int(request.param)]


def test_a_plot_has_a_role_a_title_and_a_description_that_it_names(figure: Figure) -> None:
    root = parsed_picture(figure.document())
    assert root.get("role") == "img"
    named = {node.get("id") for node in root if node.tag in (f"{SVG}title", f"{SVG}desc")}
    assert set((root.get("aria-labelledby") or "").split()) == named
    assert all(root.findtext(f"{SVG}{tag}") for tag in ("title", "desc"))


def test_the_same_plot_gives_the_same_bytes(figure: Figure) -> None:
    again = figures()[NAMES.index(figure.id)]
    assert figure.document() == again.document()
    assert figure.inline() == again.inline()


def test_a_hostile_name_is_text_and_nothing_else(figure: Figure) -> None:
    for text in (figure.document(), figure.inline()):
        tags = {node.tag.removeprefix(SVG) for node in parsed_picture(text).iter()}
        assert "script" not in tags
        assert "\u202e" not in text
        assert "<script" not in text
        assert "alert" in text, "the name itself is shown"


def test_a_strict_content_security_policy_allows_an_inline_plot(figure: Figure) -> None:
    for node in parsed_picture(figure.inline()).iter():
        assert node.tag != f"{SVG}style"
        assert not [name for name in node.attrib if name == "style" or name.startswith("on")]
        assert "href" not in node.attrib


def test_every_class_of_a_plot_stands_in_the_style_sheet(figure: Figure) -> None:
    classes = {
        name for node in parsed_picture(figure.inline()).iter() for name in node.get("class", "").split()
    }
    assert {name for name in classes if f".{name}" not in STYLE_SHEET} == set()


def test_a_plots_patterns_are_defined_in_it_and_named_after_it(figure: Figure) -> None:
    text = figure.inline()
    used = set(re.findall(r"url\(#([\w-]+)\)", text))
    assert used == set(re.findall(r'<pattern id="([\w-]+)"', text))
    assert all(name.startswith(f"{figure.id}-") for name in used)


def test_nothing_lies_outside_the_picture(figure: Figure) -> None:
    for node in parsed_picture(figure.inline()).iter(f"{SVG}rect"):
        x, y = float(node.get("x", "0")), float(node.get("y", "0"))
        assert x >= -0.1
        assert x + float(node.get("width", "0")) <= figure.width + 0.1
        assert y + float(node.get("height", "0")) <= figure.height + 0.1


def test_a_gap_has_a_text_on_it_even_if_it_lasts_all_the_time() -> None:
    lanes = figures()[0].inline()
    assert ">nobody 24 h</text>" in lanes
    assert ">nobody, all week</text>" in lanes
    assert "nobody, all week Wed 25 Mar 00:00 to Wed 1 Apr 01:00" in figures()[0].description


def test_each_fill_has_a_look_a_word_and_a_character_of_its_own_among_those_shown_together() -> None:
    assert set(FILL_STYLES) == set(Fill)
    together = (
        (Fill.LEVEL_1, Fill.LEVEL_2, Fill.LEVEL_3, Fill.GAP, Fill.INTENDED, Fill.MAINTENANCE, Fill.UNKNOWN),
        (Fill.BUSINESS, Fill.OFF_HOURS, Fill.SLEEP),
        (Fill.SHIFT, Fill.OTHER_SHIFT, Fill.GAP, Fill.MAINTENANCE, Fill.UNKNOWN),
        (Fill.BEFORE, Fill.AFTER),
        (Fill.READY, Fill.NOT_READY, Fill.UNKNOWN),
        (Fill.INCIDENTS, Fill.MORE),
        (Fill.ACTED_ON, Fill.QUIET),
    )
    assert {fill for group in together for fill in group} == set(Fill)
    for group in together:
        styles = [FILL_STYLES[fill] for fill in group]
        for column in ("word", "pattern", "character"):
            assert len({getattr(style, column) for style in styles}) == len(styles)
    assert {style.pattern for style in FILL_STYLES.values()} <= set(Pattern)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_and_areas_stand_out_from_the_background(theme: int) -> None:
    inks = {name: colours[theme] for name, *colours in INKS}
    background = inks["background"]
    for name in ("ink", "muted", "alarm"):
        assert _contrast(inks[name], background) >= 4.5, name
    assert _contrast(inks["line"], background) >= 3.0
    for fill, style in FILL_STYLES.items():
        assert _contrast((style.light, style.dark)[theme], background) >= 3.0, fill


def test_an_id_that_could_leave_its_attribute_is_refused() -> None:
    with pytest.raises(ValueError, match="no id of a figure"):
        Canvas('a" onload="b')
    assert HOSTILE


def _contrast(left: str, right: str) -> float:
    """The contrast ratio of WCAG 2.2."""
    high, low = sorted((_luminance(left), _luminance(right)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_curve_without_points_draws_nothing() -> None:
    canvas = Canvas("empty")
    canvas.path([], "curve", Fill.LEVEL_1)
    canvas.path([(1, 2), (3, 4)], "curve", Fill.LEVEL_1)
    assert canvas.figure("Empty", "", 10, 10).inline().count("<path") == 1
