"""Instants are read and written in one way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from calmo_pagerduty.kernel.instants import (
    format_instant,
    format_iso_utc,
    format_table_instant,
    parse_instant,
    to_utc,
)

NINE = datetime(2026, 3, 1, 9, 0, 5, tzinfo=UTC)
IN_DELHI = datetime(2026, 3, 1, 14, 30, 5, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30)))


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T09:00:05Z", "2026-03-01T09:00:05", "2026-03-01T10:00:05+01:00", "2026-03-01 09:00:05.000Z"],
)
def test_an_instant_is_read_as_utc_and_without_an_offset_it_is_utc(text: str) -> None:
    read = parse_instant(text)
    assert read == NINE
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "value", ["", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", None, 5, True, [], {}]
)
def test_what_names_no_instant_is_none(value: object) -> None:
    assert parse_instant(value) is None


@given(st.text(max_size=40))
def test_any_text_can_be_read(text: str) -> None:
    parse_instant(text)


def test_an_instant_outside_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="outside the calendar"):
        to_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))))


def test_an_instant_is_written_in_utc_whatever_its_zone() -> None:
    assert format_iso_utc(IN_DELHI) == "2026-03-01T09:00:05Z"
    assert format_instant(IN_DELHI) == "2026-03-01 09:00 UTC"
    assert format_table_instant(IN_DELHI) == "2026-03-01 09:00:05"


@given(st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)))
def test_an_instant_reads_what_it_wrote(moment: datetime) -> None:
    assert parse_instant(format_iso_utc(moment)) == moment
