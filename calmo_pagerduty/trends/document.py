"""Trends and capacity as JSON. Times are ISO 8601 in UTC; None is unknown, never zero. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.statistics.counts import Dispersion
from calmo_pagerduty.statistics.estimators import Interval
from calmo_pagerduty.statistics.point_processes import TrendTest
from calmo_pagerduty.statistics.rolling_origin import CALIBRATION_SHARES, GATE_LEVEL, MIN_BACK_TESTS
from calmo_pagerduty.trends.capacity import PAST_DAYS, Burden, Capacity
from calmo_pagerduty.trends.forecast import Forecast
from calmo_pagerduty.trends.policy_capacity import MAX_WAITING, PolicyCapacity
from calmo_pagerduty.trends.report import ServiceTrend, TrendReport
from calmo_pagerduty.trends.rise import FALSE_ALARM_EVERY, RAISED, WATCHED_DAYS, Rise
from calmo_pagerduty.trends.season import Season
from calmo_pagerduty.trends.series import Series
from calmo_pagerduty.trends.trend import CHANGE_LEVEL, FALSE_DISCOVERY_RATE, Trend
from calmo_pagerduty.workload.limits import MAX_INCIDENTS_PER_SHIFT, MAX_SHARE_ON_CALL

#: What each word means, and where the formula is from; docs/trends.md says more.
TREND_DEFINITIONS: Mapping[str, str] = {
    "incidents": "Incidents whose creation falls into whole local weeks of the known past (PagerDuty's raw"
    " incidents).",
    "per week": "Incidents by weeks, with a 95 % interval: Garwood's for Poisson counts, for others widened"
    " by the dispersion.",
    "dispersion": "Variance / mean of weekly counts around their growth. Its χ² test decides whether they"
    " may be called Poisson's.",
    "trend": "Pitman's test of shuffled weeks and, for Poisson counts, Laplace's test must agree. Benjamini"
    f" and Hochberg hold the false discovery rate at {FALSE_DISCOVERY_RATE:.0%} over all services.",
    "no trend": "A constant rate explains the incidents. It doesn't mean that the rate is low.",
    "changed": "Splits of weekly counts by Poisson's likelihood, judged by shuffles; a constant rate is"
    f" split with a probability of {CHANGE_LEVEL:.0%}.",
    "rise": f"CUSUM over the last {WATCHED_DAYS} days for {RAISED:g} times the rate before; a false alarm"
    f" every {FALSE_ALARM_EVERY:.0f} days on average (Brook and Evans).",
    "season": "Pearson's χ² of days of the week and parts of the day in the service's zone, against real"
    " hours.",
    "forecast": "The 80 % interval of the next count. It is shown only if it beat both the last week and the"
    f" mean of the past in at least {MIN_BACK_TESTS} back-tests (Diebold and Mariano, {GATE_LEVEL:.0%} each)"
    " and held 70 to 90 % of the outcomes.",
}
CAPACITY_DEFINITIONS: Mapping[str, str] = {
    "incidents": f"Incidents of the last {PAST_DAYS} days (PagerDuty's raw incidents), per week with a 95 %"
    " interval.",
    "alerts": "Unknown: PagerDuty's raw incidents don't count alerts.",
    "engaged hours": "From a person's first acknowledgement until the incident is resolved, of all persons"
    " (PagerDuty's definition; log entries).",
    "incidents per shift": "Incidents of high urgency per twelve hours in which somebody is on call, with"
    f" Garwood's 95 % interval. The limit is {MAX_INCIDENTS_PER_SHIFT:g} (Site Reliability Engineering,"
    " chapter 11).",
    "over a quarter": f"People on call for more than {MAX_SHARE_ON_CALL:.0%} of the last {PAST_DAYS} days.",
    "people needed": "So many that nobody is on call over a quarter of the time: levels × weekly hours / 42.",
    "busy": "The probability that an incident finds all responders of level 1 engaged (Erlang C), for Poisson"
    f" incidents only; more responders bring it to {MAX_WAITING:.0%}.",
    "limit reached": "When the fitted growth of weekly incidents reaches the limit, with the times at"
    " which its 95 % interval contains it; only if there is a trend.",
}


def trends_document(report: TrendReport) -> JsonObject:
    """Return the report as JSON."""
    window = report.observed.window
    return {
        "since": instant_text(window.start),
        "until": instant_text(window.end),
        "problem": report.observed.problem or None,
        "tested": sum(item.trend.p_value is not None for item in report.services),
        "false_discovery_rate": FALSE_DISCOVERY_RATE,
        "services": [service_document(item) for item in report.services],
        "teams": [
            {"team_id": item.team.id, "name": item.team.name, **_trend(item.trend, item.series)}
            for item in report.teams
        ],
        "definitions": [{"word": word, "meaning": text} for word, text in TREND_DEFINITIONS.items()],
    }


def service_document(item: ServiceTrend) -> JsonObject:
    return {
        "service_id": item.service.id,
        "name": item.service.name,
        "time_zone": item.series.zone.key,
        **_trend(item.trend, item.series),
        "rise": None if item.rise is None else _rise(item.rise, item.series),
        "season": None if item.season is None else _season(item.season),
        "forecasts": [_forecast(forecast) for forecast in item.forecasts],
    }


def capacity_document(capacity: Capacity) -> JsonObject:
    """Return the capacity as JSON."""
    return {
        "since": instant_text(capacity.window.start),
        "until": instant_text(capacity.window.end),
        "problem": capacity.observed.problem or None,
        "policies": [_policy(item) for item in capacity.policies],
        "services": [_burden(item) for item in capacity.services],
        "teams": [_burden(item) for item in capacity.teams],
        "definitions": [{"word": word, "meaning": text} for word, text in CAPACITY_DEFINITIONS.items()],
    }


def instant_text(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _trend(trend: Trend, series: Series) -> JsonObject:
    growth = None if trend.growth is None else trend.growth.factor(4.0)
    week = 7 * 86_400
    first = series.whole_weeks.start
    return {
        "verdict": str(trend.verdict),
        "reason": trend.reason or None,
        "incidents": trend.incidents,
        "per_week": _rounded(trend.rate),
        "interval": _interval(trend.interval),
        "p_value": _rounded(trend.p_value, 6),
        "adjusted_p_value": _rounded(trend.adjusted, 6),
        "growth_in_4_weeks": None if growth is None else _rounded(growth[0]),
        "growth_interval": None if growth is None else _interval(growth[1]),
        "dispersion": _dispersion(trend.dispersion),
        "tests": {
            "laplace": _test(trend.laplace),
            "mil_hdbk_189": _test(trend.military_handbook),
            "shuffled_weeks": _test(trend.permuted),
        },
        "power_law": None
        if trend.law is None
        else {"shape": _rounded(trend.law.shape), "interval": _interval(trend.law.interval)},
        "changes": [
            {
                "at": instant_text(first + point.index * week),
                "week": point.index,
                "before": _rounded(point.before),
                "after": _rounded(point.after),
                "p_value": _rounded(point.p_value),
            }
            for point in trend.changes
        ],
        "weeks_since": instant_text(first) if trend.weeks else None,
        "weeks": list(trend.weeks),
    }


def _rise(rise: Rise, series: Series) -> JsonObject:
    starts = series.day_starts[-len(rise.counts) - 1 : -1]
    return {
        "base_per_day": rise.design.base,
        "base_incidents": rise.base_incidents,
        "base_days": rise.base_days,
        "watched_days": len(rise.counts),
        "watched_incidents": sum(rise.counts),
        "dispersion": rise.design.dispersion,
        "k": rise.design.k,
        "h": rise.design.h,
        "false_alarm_every_days": _rounded(rise.design.false_alarm_every, 1),
        "detects_after_days": _rounded(rise.design.detects_after, 1),
        "value": rise.values[-1],
        "until": instant_text(series.whole.end),
        "alarms": [instant_text(starts[index]) for index in rise.alarms],
    }


def _season(season: Season) -> JsonObject:
    return {
        "incidents": season.incidents,
        "day_p_value": _rounded(season.day_p_value, 6),
        "part_of_day_p_value": _rounded(season.part_p_value, 6),
        "is_patterned": None if season.day_p_value is None else season.is_patterned,
        "busiest_hour_of_week": season.busiest,
        "busiest_share": _rounded(season.busiest_share),
        "busiest_interval": _interval(season.busiest_interval),
        "by_hour_of_week": list(season.counts),
        "hours_of_week": [_rounded(hours, 2) for hours in season.hours],
    }


def _forecast(forecast: Forecast) -> JsonObject:
    test, between = forecast.test, forecast.interval
    return {
        "horizon": str(forecast.horizon),
        "is_shown": forecast.is_shown,
        "reason": forecast.reason or None,
        "from": instant_text(forecast.start) if forecast.start is not None and forecast.is_shown else None,
        "median": None if between is None else between[1],
        "interval": None if between is None else [between[0], between[2]],
        "at_least_one": _rounded(forecast.at_least_one),
        "back_tests": None if test is None else test.origins,
        "coverage": None if test is None else _rounded(test.coverage),
        "loss": None if test is None else _rounded(test.loss),
        "loss_of_last_week": None if test is None else _rounded(test.naive_loss),
        "loss_of_the_mean": None if test is None else _rounded(test.mean_loss),
        "p_value_against_last_week": None if test is None else _rounded(test.naive_p_value, 6),
        "p_value_against_the_mean": None if test is None else _rounded(test.mean_p_value, 6),
        "calibration": None
        if test is None
        else [
            [share, _rounded(below)]
            for share, below in zip(CALIBRATION_SHARES, test.calibration, strict=True)
        ],
        "past": []
        if test is None or not forecast.is_shown
        else [[instant_text(forecast.starts[index]), *figures] for index, *figures in test.forecasts[-28:]],
    }


def _burden(burden: Burden) -> JsonObject:
    return {
        f"{burden.kind}_id": burden.id,
        "name": burden.name,
        "days": burden.days,
        "incidents": burden.incidents,
        "high_urgency": burden.high_urgency,
        "per_week": _rounded(burden.per_week),
        "interval": _interval(burden.interval),
        "dispersion": _dispersion(burden.dispersion),
        "alerts": None,
        "engaged_hours": _rounded(burden.engaged_hours, 2),
        "engaged_incidents": burden.engaged_incidents,
    }


def _policy(item: PolicyCapacity) -> JsonObject:
    limits, date = item.limits, item.limit_date
    return {
        "policy_id": item.policy.id,
        "name": item.policy.name,
        "incidents": limits.incidents,
        "incidents_per_shift": _rounded(limits.incidents_per_shift),
        "interval": None
        if limits.low is None or limits.high is None
        else _interval(Interval(limits.low, limits.high)),
        "limit": MAX_INCIDENTS_PER_SHIFT,
        "on_call_hours": _rounded(limits.on_call_hours, 1),
        "people": limits.people,
        "people_needed": limits.min_people,
        "people_over_a_quarter": item.over_share,
        "limit_reached": {
            "words": date.words,
            "expected": None if date.expected is None else instant_text(date.expected),
            "earliest": None if date.earliest is None else instant_text(date.earliest),
            "latest": None if date.latest is None else instant_text(date.latest),
        },
        "trend": {
            "verdict": str(item.trend.verdict),
            "incidents": item.trend.incidents,
            "weeks": list(item.trend.weeks),
            "adjusted_p_value": _rounded(item.trend.adjusted, 6),
            "reason": item.trend.reason or None,
        },
        "busy": {
            "responders": item.busy.responders,
            "load_in_erlangs": _rounded(item.busy.load, 4),
            "probability": _rounded(item.busy.probability, 4),
            "responders_needed": item.busy.needed,
            "reason": item.busy.reason or None,
        },
        "next_shift": _forecast(item.forecast),
    }


def _dispersion(dispersion: Dispersion | None) -> JsonObject | None:
    if dispersion is None:
        return None
    return {
        "ratio": _rounded(dispersion.ratio),
        "p_value": _rounded(dispersion.p_value, 6),
        "is_poisson": dispersion.is_poisson,
        "n": dispersion.counts,
    }


def _test(test: TrendTest | None) -> JsonObject | None:
    if test is None:
        return None
    return {"statistic": _rounded(test.statistic, 3), "p_value": _rounded(test.p_value, 6), "n": test.events}


def _interval(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_rounded(interval.low), _rounded(interval.high)]


def _rounded(value: float | None, digits: int = 3) -> float | None:
    """Return a rounded figure; None also for an infinite one, which JSON doesn't have."""
    return None if value is None or value in (float("inf"), float("-inf")) else round(value, digits)
