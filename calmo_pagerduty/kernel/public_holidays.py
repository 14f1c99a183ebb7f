"""Public holidays of a country, or of a part of it. A time zone doesn't tell the country; configure it."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from calmo_pagerduty.kernel.explained_error import ExplainedError

#: Years that a calendar may span: what a request may cost.
MAX_YEARS = 20


class UnknownCountry(ExplainedError, ValueError):
    """There is no calendar for this country or subdivision."""


@lru_cache(maxsize=256)
def public_holidays(
    country: str, subdivision: str | None, first_year: int, last_year: int
) -> Mapping[date, str]:
    """Return the names of public holidays by local date, for the years from `first_year` to `last_year`.

    `country` is ISO 3166's two-letter code, `subdivision` the part after the hyphen in ISO 3166-2 (`BY` of
    DE-BY). Raises UnknownCountry.
    Source: the package holidays.
    """
    import holidays  # noqa: PLC0415 (its import takes an eighth of a second)

    years = range(first_year, min(last_year, first_year + MAX_YEARS) + 1)
    try:
        found = holidays.country_holidays(country, subdiv=subdivision, years=years, language="en_US")
    except NotImplementedError:
        place = country if subdivision is None else f"{country}-{subdivision}"
        raise UnknownCountry(
            f"no public holidays are known for {place[:20]!r}: write ISO 3166 codes, such as DE or DE-BY"
        ) from None
    return MappingProxyType({day: str(name) for day, name in sorted(found.items())})
