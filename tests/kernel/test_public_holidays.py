"""Public holidays come from a configured country; an unknown one is refused with advice."""

from datetime import date

import pytest

from calmo_pagerduty.kernel.public_holidays import UnknownCountry, public_holidays


def test_a_countrys_holidays_have_names() -> None:
    calendar = public_holidays("GB", "ENG", 2026, 2026)
    assert calendar[date(2026, 12, 25)] == "Christmas Day"
    assert date(2026, 12, 24) not in calendar


def test_a_subdivision_has_holidays_of_its_own() -> None:
    assert date(2026, 6, 4) in public_holidays("DE", "BY", 2026, 2026)
    assert date(2026, 6, 4) not in public_holidays("DE", "BE", 2026, 2026)


@pytest.mark.parametrize(
    ("country", "subdivision"), [("XX", None), ("DE", "XX"), ("", None), ("../etc", None)]
)
def test_an_unknown_place_is_refused_with_advice(country: str, subdivision: str | None) -> None:
    with pytest.raises(UnknownCountry, match="ISO 3166"):
        public_holidays(country, subdivision, 2026, 2026)
