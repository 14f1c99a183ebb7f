"""What comes next: incidents of a service in the next day and week, of a policy in the next shift. Pure.

A forecast is shown only if it would have been better than "as last week" and than the mean of the past, and
if its interval held what it promised: `statistics.rolling_origin`.
"""

from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.statistics.rolling_origin import MIN_BACK_TESTS, QUANTILES, BackTest
from calmo_pagerduty.trends.series import DAYS_PER_WEEK, SHIFTS_PER_WEEK, Series, counts_between, shift_starts

#: A series with fewer incidents has no forecast.
MIN_INCIDENTS = 30


class Horizon(StrEnum):
    NEXT_DAY = "next day"
    NEXT_WEEK = "next week"
    NEXT_SHIFT = "next shift"


@dataclass(frozen=True, slots=True)
class Forecast:
    """A forecast of the count between `start` and `end`, or the reason why there is none.

    `starts` are when the back-tested counts began, by the indices of `test.forecasts`.
    """

    horizon: Horizon
    reason: str
    test: BackTest | None = None
    starts: tuple[int, ...] = ()
    start: int | None = None

    @property
    def is_shown(self) -> bool:
        return not self.reason and self.test is not None

    @property
    def interval(self) -> tuple[int, int, int] | None:
        """Return the low end, the median and the high end of the 80 % interval; None if it isn't shown."""
        if not self.is_shown or self.test is None:
            return None
        low, median, high = (self.test.following.quantile(share) for share in QUANTILES)
        return low, median, high

    @property
    def at_least_one(self) -> float | None:
        """Return the probability of any incident; None if the forecast isn't shown."""
        return 1 - self.test.following.cdf(0) if self.is_shown and self.test is not None else None


def service_forecasts(series: Series) -> tuple[Forecast, ...]:
    """Return the forecasts of the next whole local day and of the next seven."""
    return (
        _forecast(Horizon.NEXT_DAY, series.days, series.day_starts, DAYS_PER_WEEK, 1),
        _forecast(Horizon.NEXT_WEEK, series.days, series.day_starts, DAYS_PER_WEEK, DAYS_PER_WEEK),
    )


def shift_forecast(series: Series) -> Forecast:
    """Return the forecast of the next shift of twelve hours."""
    starts = shift_starts(series.window, series.zone)
    counts = counts_between(series.times, starts)
    return _forecast(Horizon.NEXT_SHIFT, counts, starts, SHIFTS_PER_WEEK, 1)


def _forecast(
    horizon: Horizon, counts: tuple[int, ...], starts: tuple[int, ...], season: int, length: int
) -> Forecast:
    from calmo_pagerduty.statistics.back_testing import back_test  # noqa: PLC0415 - scipy, seconds

    if sum(counts) < MIN_INCIDENTS:
        return Forecast(horizon, f"{count_text(sum(counts), 'incident')}; a forecast needs {MIN_INCIDENTS}")
    test = back_test(counts, season, length)
    if test is None:
        return Forecast(horizon, f"too short a time for {MIN_BACK_TESTS} back-tests")
    return Forecast(horizon, test.reason, test, starts, starts[-1])
