"""The trends of an account: every service and team with its trend, season, watch and forecasts. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Service, Team
from calmo_pagerduty.trends.capacity import by_service, by_team
from calmo_pagerduty.trends.forecast import Forecast, Horizon, service_forecasts
from calmo_pagerduty.trends.rise import Rise, watch_rise
from calmo_pagerduty.trends.season import Season, season_of
from calmo_pagerduty.trends.series import Observed, Series, account_zone, observed, series_of, service_zone
from calmo_pagerduty.trends.trend import Trend, Verdict, judge, trend_of


@dataclass(frozen=True, slots=True)
class ServiceTrend:
    """A service over time. `season` and `rise` are None where nothing is known."""

    service: Service
    series: Series
    trend: Trend
    season: Season | None
    rise: Rise | None
    forecasts: tuple[Forecast, ...]


@dataclass(frozen=True, slots=True)
class TeamTrend:
    team: Team
    series: Series
    trend: Trend


@dataclass(frozen=True, slots=True)
class TrendReport:
    """An account's trends at `now` (epoch seconds, UTC). Services and teams are two families of tests."""

    snapshot: AccountSnapshot
    now: int
    observed: Observed
    services: tuple[ServiceTrend, ...]
    teams: tuple[TeamTrend, ...]


def trend_report(snapshot: AccountSnapshot, now: int) -> TrendReport:
    """Return the trends of every service and team, those with the most incidents first."""
    known = observed(snapshot, now)
    found = by_service(snapshot.incidents)
    services = [
        _service(snapshot, service, found.get(service.id, ()), known) for service in snapshot.services
    ]
    judged = judge([item.trend for item in services])
    services = [replace(item, trend=trend) for item, trend in zip(services, judged, strict=True)]
    return TrendReport(
        snapshot,
        now,
        known,
        tuple(sorted(services, key=lambda item: (-item.trend.incidents, item.service.id))),
        _teams(snapshot, known),
    )


def _service(
    snapshot: AccountSnapshot, service: Service, incidents: Iterable[Incident], known: Observed
) -> ServiceTrend:
    series = series_of(incidents, known.window, service_zone(snapshot, service))
    if not known.is_known:
        silent = tuple(Forecast(horizon, known.problem) for horizon in (Horizon.NEXT_DAY, Horizon.NEXT_WEEK))
        return ServiceTrend(service, series, _unknown(known), None, None, silent)
    trend = trend_of(series)
    dispersion = 1.0 if trend.dispersion is None else trend.dispersion.ratio
    return ServiceTrend(
        service, series, trend, season_of(series, dispersion), watch_rise(series), service_forecasts(series)
    )


def _teams(snapshot: AccountSnapshot, known: Observed) -> tuple[TeamTrend, ...]:
    found, zone = by_team(snapshot, snapshot.incidents), account_zone(snapshot)
    series = [series_of(found.get(team.id, ()), known.window, zone) for team in snapshot.teams]
    trends = judge([trend_of(item) if known.is_known else _unknown(known) for item in series])
    teams = [TeamTrend(*item) for item in zip(snapshot.teams, series, trends, strict=True)]
    return tuple(sorted(teams, key=lambda item: (-item.trend.incidents, item.team.id)))


def _unknown(known: Observed) -> Trend:
    return Trend(Verdict.INSUFFICIENT, 0, (), reason=known.problem)
