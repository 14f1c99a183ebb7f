"""Plots as text: nothing is lost in narrow windows, and nothing is said by colour alone."""

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.plots.model import Bar, Fill, Lane, Marker, Row, StepCurve
from calmo_pagerduty.plots.terminal import dots_text, lanes_text, pairs_text, plain, stacks_text, steps_text
from tests.support.plot_examples import CURVES, DAY, DOTS, LANES, LONDON, MARKERS, PAIRS, STACKS, START, WEEK


@pytest.mark.parametrize("width", [20, 80, 200])
def test_every_plot_fits_into_a_terminal_or_the_smallest_width(width: int) -> None:
    texts = [
        lanes_text("Coverage", WEEK, LONDON, LANES, width, START + DAY),
        dots_text("Pages", "pages", DOTS, width),
        pairs_text("Change", "hours", PAIRS, width),
        stacks_text("Hours", "h", STACKS, width),
        steps_text("Unacknowledged", "minutes", CURVES, MARKERS, width),
    ]
    for lines in texts:
        text = plain(lines)
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert text == plain(lines)


def test_a_gap_of_a_minute_is_seen_in_a_window_of_ninety_days() -> None:
    window = Span(START, START + 90 * DAY)
    minute = Span(START + 40 * DAY, START + 40 * DAY + 60)
    lane = Lane("L", (Row((Bar(window, Fill.LEVEL_1), Bar(minute, Fill.GAP))),))
    assert plain(lanes_text("t", window, LONDON, [lane], 80)).count("╳") == 2, (
        "one in the lane, one in the legend"
    )


def test_a_gap_all_week_is_hatched_and_says_so() -> None:
    lane = Lane("Empty", (), (Bar(WEEK, Fill.GAP),))
    row = plain(lanes_text("t", WEEK, LONDON, [lane], 100)).splitlines()[3]
    assert "╳ nobody ╳" in row


def test_a_mark_near_the_right_edge_has_its_text_before_it() -> None:
    marker = Marker(15.0, "level 1 moves on")
    curve = StepCurve("level 1", ((0.0, 1.0), (15.0, 0.5)))
    line = plain(steps_text("Unanswered", "min", [curve], [marker], 80)).splitlines()[-1]
    assert line.endswith("level 1 moves on ┆")
    assert len(line) <= 80


def test_an_unknown_value_is_called_insufficient_data() -> None:
    assert "insufficient data" in plain(dots_text("Pages", "pages", DOTS, 80))
    assert "insufficient data" in plain(pairs_text("Change", "hours", PAIRS, 80))
