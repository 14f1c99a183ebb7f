"""Names of zones of both kinds, and who is asleep there."""

from datetime import UTC, datetime

import pytest

from calmo_pagerduty.kernel.time_zones import IANA_OF_RAILS, is_night, local_time, time_zone


@pytest.mark.parametrize("name", sorted(IANA_OF_RAILS))
def test_every_name_of_rails_has_a_zone(name: str) -> None:
    assert time_zone(name) is not None


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Eastern Time (US & Canada)", "America/New_York"),
        ("Pacific Time (US & Canada)", "America/Los_Angeles"),
        ("Mumbai", "Asia/Kolkata"),
        ("Bern", "Europe/Zurich"),
        ("UTC", "Etc/UTC"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        (" Etc/GMT+5 ", "Etc/GMT+5"),
    ],
)
def test_names_of_both_kinds_are_known(name: str, zone: str) -> None:
    found = time_zone(name)
    assert found is not None and found.key == zone


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "America",
        "Nowhere/City",
        "../../etc/passwd",
        "/etc/passwd",
        "x" * 500,
        "A\0B",
        "Factory",
        "🌍",
    ],
)
def test_what_is_no_zone_is_not_known(name: str | None) -> None:
    assert time_zone(name) is None
    assert is_night(datetime(2026, 1, 1, tzinfo=UTC), time_zone(name)) is None
    assert local_time(datetime(2026, 1, 1, tzinfo=UTC), time_zone(name)) is None


@pytest.mark.parametrize(
    ("utc", "night"), [((20, 59), False), ((21, 0), True), ((6, 59), True), ((7, 0), False)]
)
def test_night_is_from_22_to_8_by_the_clock_on_the_wall(utc: tuple[int, int], night: bool) -> None:
    assert is_night(datetime(2026, 8, 14, *utc, tzinfo=UTC), time_zone("London")) is night


def test_the_clock_on_the_wall_keeps_summer_time() -> None:
    zone = time_zone("Europe/London")
    assert local_time(datetime(2026, 3, 29, 0, 59, tzinfo=UTC), zone) == "Sun 00:59 (Europe/London)"
    assert local_time(datetime(2026, 3, 29, 1, 0, tzinfo=UTC), zone) == "Sun 02:00 (Europe/London)"
    assert (
        local_time(datetime(2026, 7, 1, 12, 0, tzinfo=UTC), time_zone("Mumbai")) == "Wed 17:30 (Asia/Kolkata)"
    )
