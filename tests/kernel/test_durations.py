"""Durations are told and read in one way."""

from datetime import timedelta

import pytest

from calmo_pagerduty.kernel.durations import format_age, format_duration, parse_duration


@pytest.mark.parametrize(
    ("seconds", "words", "age"),
    [
        (-5, "0 s", "0 s"),
        (0, "0 s", "0 s"),
        (59.4, "59 s", "59 s"),
        (119, "119 s", "119 s"),
        (120, "2 min", "2 min"),
        (3_599, "59 min", "59 min"),
        (3_600, "1 h", "1 h"),
        (7_300, "2 h 1 min", "2 h"),
        (86_700, "1 d", "1 d"),
        (90_000, "1 d 1 h", "1 d"),
        (187_200, "2 d 4 h", "2 d"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most_and_an_age_in_the_largest(
    seconds: float, words: str, age: str
) -> None:
    assert format_duration(seconds) == words
    assert format_age(seconds) == age


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("8w", timedelta(weeks=8)),
    ],
)
def test_a_duration_is_read(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "12", "h", "0h", "-1d", "1.5h", "12 h", "999999h", "1y"])
def test_what_is_written_in_another_way_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write 12h, 30d or 8w"):
        parse_duration(text)
