"""An escalation policy beside the limits of sustainable on-call work, and when it will exceed them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY, HOUR
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Policy
from calmo_pagerduty.statistics.counts import dispersion_of
from calmo_pagerduty.statistics.log_linear import crossing
from calmo_pagerduty.statistics.queueing import erlang_c, responders_needed
from calmo_pagerduty.trends.forecast import Forecast, Horizon, shift_forecast
from calmo_pagerduty.trends.series import Observed, Series, account_zone, series_of
from calmo_pagerduty.trends.trend import Trend, Verdict, judge, trend_of
from calmo_pagerduty.workload.limits import (
    MAX_INCIDENTS_PER_SHIFT,
    SHIFT_HOURS,
    PolicyLimits,
    people_over_share,
    policy_limits,
)
from calmo_pagerduty.workload.people import OnCallTimes

WEEK = 7 * DAY
#: A limit is looked for so many weeks ahead.
MAX_WEEKS_AHEAD = 104
#: The share of incidents that may find every responder of level 1 busy.
MAX_WAITING = 0.05


@dataclass(frozen=True, slots=True)
class LimitDate:
    """When a policy's incidents reach the limit. `words` say it in every case.

    Times are epoch seconds (UTC), the beginning of a week; `latest` None: perhaps never.
    """

    words: str
    expected: int | None = None
    earliest: int | None = None
    latest: int | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """How likely an incident finds all of level 1's `responders` engaged (Erlang C).

    `load` is in erlangs: engaged hours per hour. `needed` responders bring it down to MAX_WAITING. None is
    unknown, for the reason in `reason`.
    """

    responders: int
    load: float | None
    probability: float | None
    needed: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyCapacity:
    """A policy's shifts beside the limits. `over_share` people are on call over a quarter of the time."""

    policy: Policy
    limits: PolicyLimits
    over_share: int
    trend: Trend
    limit_date: LimitDate
    forecast: Forecast
    busy: Busy


def policy_capacities(
    snapshot: AccountSnapshot,
    known: Observed,
    window: Span,
    incidents: Mapping[str, Sequence[Incident]],
    engaged: Mapping[str, int] | None,
) -> tuple[PolicyCapacity, ...]:
    """Return every policy with a schedule. `incidents` are those of high urgency, by policy."""
    times, zone = OnCallTimes(snapshot, window), account_zone(snapshot)
    limits = policy_limits(snapshot, times, times.window if known.is_known and times.window.seconds else None)
    series = [series_of(incidents.get(item.policy.id, ()), known.window, zone) for item in limits]
    unknown = Trend(Verdict.INSUFFICIENT, 0, (), reason=known.problem)
    trends = judge([trend_of(item) if known.is_known else unknown for item in series])
    return tuple(
        PolicyCapacity(
            item.policy,
            item,
            _people_over_share(item.policy, times),
            trend,
            limit_date(item, trend, own, times.window),
            shift_forecast(own) if known.is_known else Forecast(Horizon.NEXT_SHIFT, known.problem),
            _busy(
                incidents.get(item.policy.id, ()), engaged, times.window, own, _responders(item.policy, times)
            ),
        )
        for item, own, trend in zip(limits, series, trends, strict=True)
    )


def limit_date(limits: PolicyLimits, trend: Trend, series: Series, window: Span) -> LimitDate:
    """Return when the incidents per shift of twelve hours exceed the limit, if the trend goes on.

    `window` is the time in which the limits' hours on call were counted.
    """
    if limits.has_too_many_incidents:
        return LimitDate("the limit is exceeded now")
    if trend.verdict is not Verdict.MORE or trend.growth is None:
        return LimitDate(str(trend.verdict) if trend.verdict is not Verdict.MORE else "no trend")
    if window.seconds <= 0 or limits.on_call_hours <= 0:
        return LimitDate("nobody is on call")
    shifts_per_week = limits.on_call_hours / SHIFT_HOURS * WEEK / window.seconds
    found = crossing(
        trend.growth, len(trend.weeks) - 1, MAX_INCIDENTS_PER_SHIFT * shifts_per_week, MAX_WEEKS_AHEAD
    )
    if found is None:
        return LimitDate(f"not within {MAX_WEEKS_AHEAD} weeks")
    # `crossing` counts from the last whole week, which began a week before the series ends.
    begin = series.whole_weeks.end - WEEK
    return LimitDate(
        "if the trend goes on",
        begin + found.expected * WEEK,
        begin + found.earliest * WEEK,
        None if found.latest is None else begin + found.latest * WEEK,
    )


def _people_over_share(policy: Policy, times: OnCallTimes) -> int:
    people = {
        user_id
        for rule in policy.rules
        for target in rule.targets
        for user_id in times.by_schedule.get(target.id, {})
    }
    seconds = [
        (user_id, sum(span.seconds for span in times.by_person[user_id])) for user_id in sorted(people)
    ]
    return len(people_over_share(seconds, times.window))


def _responders(policy: Policy, times: OnCallTimes) -> int:
    """Return how many schedules of level 1 have somebody: each has one person at a time."""
    return sum(bool(times.by_schedule.get(target.id)) for rule in policy.rules[:1] for target in rule.targets)


def _busy(
    incidents: Sequence[Incident],
    engaged: Mapping[str, int] | None,
    window: Span,
    series: Series,
    responders: int,
) -> Busy:
    if engaged is None:
        return Busy(responders, None, None, None, "the log entries are not complete")
    if window.seconds <= 0 or responders == 0:
        return Busy(responders, None, None, None, "nobody is on call by a schedule on level 1")
    recent = [item for item in incidents if window.start <= item.created_at < window.end]
    load = sum(engaged.get(item.id, 0) for item in recent) / HOUR / (window.seconds / HOUR)
    dispersion = dispersion_of(series_of(recent, window, series.zone).days)
    if dispersion is not None and not dispersion.is_poisson:
        ratio = f"variance / mean {dispersion.ratio:.1f}"
        reason = f"incidents come in bursts ({ratio}), and Erlang's formula needs Poisson's"
        return Busy(responders, load, None, None, reason)
    return Busy(responders, load, erlang_c(load, responders), responders_needed(load, MAX_WAITING))
