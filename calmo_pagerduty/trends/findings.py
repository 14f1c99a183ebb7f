"""What trends and capacity find: services that get worse, rates that rose, limits that lie ahead. Pure."""

from collections.abc import Iterator

from calmo_pagerduty.findings.model import Confidence, Entity, Evidence, Finding, FindingSeverity
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.local_bands import DAY
from calmo_pagerduty.trends.capacity import Capacity
from calmo_pagerduty.trends.document import instant_text
from calmo_pagerduty.trends.policy_capacity import PolicyCapacity
from calmo_pagerduty.trends.report import ServiceTrend, TrendReport
from calmo_pagerduty.trends.rise import RAISED
from calmo_pagerduty.trends.trend import FALSE_DISCOVERY_RATE, Verdict
from calmo_pagerduty.workload.limits import MAX_INCIDENTS_PER_SHIFT

MORE_INCIDENTS = "trends.more_incidents"
RATE_ROSE = "trends.rate_rose"
LIMIT_AHEAD = "capacity.limit_ahead"
_UNDO = "Nothing is changed by this finding; dismiss it with a reason if the rise is intended."


def trend_findings(report: TrendReport) -> Iterator[Finding]:
    """Yield services whose incidents become more, and services whose rate rose in the last weeks."""
    for item in report.services:
        if item.trend.verdict is Verdict.MORE:
            yield _more_incidents(item)
        if item.rise is not None and item.rise.alarms:
            yield _rate_rose(item)


def capacity_findings(capacity: Capacity) -> Iterator[Finding]:
    """Yield policies that will exceed the limit of incidents per shift if their trend goes on."""
    for item in capacity.policies:
        if item.limit_date.expected is not None:
            yield _limit_ahead(item)


def _entity(item: ServiceTrend) -> Entity:
    return Entity("service", item.service.id, item.service.name, item.service.html_url)


def _more_incidents(item: ServiceTrend) -> Finding:
    trend = item.trend
    words = f"{trend.incidents} incidents in {len(trend.weeks)} weeks"
    data: dict[str, object] = {
        "n": trend.incidents,
        "weeks": list(trend.weeks),
        "adjusted_p_value": round(trend.adjusted or 0.0, 6),
    }
    if trend.growth is not None:
        factor, interval = trend.growth.factor(4.0)
        words += f", {factor:.2f} times as many every 4 weeks"
        words += f" (95 % interval {interval.low:.2f} to {interval.high:.2f})"
        data |= {"growth_in_4_weeks": round(factor, 3), "interval": [round(end, 3) for end in interval]}
    tests = f"p = {trend.p_value or 0.0:.2g}, {trend.adjusted or 0.0:.2g} after Benjamini and Hochberg"
    evidence = [
        Evidence(f"{words}.", data),
        Evidence(
            f"A constant rate would look so with {tests}; at most {FALSE_DISCOVERY_RATE:.0%} of such findings"
            " are false on average."
        ),
    ]
    for point in trend.changes:
        week = instant_text(item.series.whole_weeks.start + point.index * 7 * DAY)[:10]
        evidence.append(
            Evidence(
                f"The rate changed in the week of {week}: {point.before:.1f} to {point.after:.1f} incidents"
                " a week.",
                {"week": week, "before": round(point.before, 3), "after": round(point.after, 3)},
            )
        )
    return Finding(
        MORE_INCIDENTS,
        item.service.id,
        FindingSeverity.MEDIUM,
        Confidence.HIGH
        if trend.dispersion is not None and trend.dispersion.is_poisson
        else Confidence.MEDIUM,
        f"{item.service.name}: incidents come more and more often",
        (_entity(item),),
        tuple(evidence),
        "Look at what changed when the rate did, and at which alerts became more: recurring causes first.",
        "A constant rate again, as before the change.",
        "Run `calmo-pagerduty trends show` after four more weeks.",
        _UNDO,
    )


def _rate_rose(item: ServiceTrend) -> Finding:
    rise = item.rise
    assert rise is not None
    days = item.series.day_starts[-len(rise.counts) - 1 : -1]
    last = days[rise.alarms[-1]]
    watched = f"{sum(rise.counts)} incidents in the last {len(rise.counts)} days"
    return Finding(
        RATE_ROSE,
        item.service.id,
        FindingSeverity.MEDIUM,
        Confidence.MEDIUM,
        f"{item.service.name}: incidents rose to about {RAISED:g} times the usual rate or more",
        (_entity(item),),
        (
            Evidence(
                f"{watched}; {rise.base_incidents} in the {rise.base_days} days before"
                f" ({rise.design.base:g} a day).",
                {
                    "n": sum(rise.counts),
                    "base_incidents": rise.base_incidents,
                    "base_days": rise.base_days,
                    "alarm_at": instant_text(last),
                },
            ),
            Evidence(
                f"CUSUM with k = {rise.design.k:g}, h = {rise.design.h:g} raises a false alarm every"
                f" {rise.design.false_alarm_every:.0f} days on average, and a true one after"
                f" {rise.design.detects_after:.0f}.",
                {"k": rise.design.k, "h": rise.design.h, "dispersion": rise.design.dispersion},
            ),
        ),
        "Look at the incidents since the alarm, and at changes just before it.",
        "The usual rate again.",
        "Run `calmo-pagerduty trends show` in four weeks: the alarm must not return.",
        _UNDO,
        at=Span(last, last + DAY),
    )


def _limit_ahead(item: PolicyCapacity) -> Finding:
    date, limits = item.limit_date, item.limits
    assert date.expected is not None
    assert date.earliest is not None
    latest = "perhaps never" if date.latest is None else instant_text(date.latest)[:10]
    between = f"95 % interval {instant_text(date.earliest)[:10]} to {latest}"
    now = f"{limits.incidents_per_shift or 0.0:.2f} per shift now"
    now += f" ({limits.low or 0.0:.2f} to {limits.high or 0.0:.2f})"
    return Finding(
        LIMIT_AHEAD,
        item.policy.id,
        FindingSeverity.MEDIUM,
        Confidence.MEDIUM,
        f"{item.policy.name}: over {MAX_INCIDENTS_PER_SHIFT:g} incidents per shift from"
        f" {instant_text(date.expected)[:10]} on",
        (Entity("policy", item.policy.id, item.policy.name, item.policy.html_url),),
        (
            Evidence(
                f"If the growth of its {item.trend.incidents} incidents goes on: {between}; {now}.",
                {
                    "n": item.trend.incidents,
                    "expected": instant_text(date.expected),
                    "earliest": instant_text(date.earliest),
                    "latest": None if date.latest is None else instant_text(date.latest),
                },
            ),
        ),
        "Reduce recurring incidents of its services first, or share them among more people on call.",
        f"At most {MAX_INCIDENTS_PER_SHIFT:g} incidents per shift of twelve hours.",
        "Run `calmo-pagerduty capacity show` after four more weeks.",
        _UNDO,
        at=Span(date.earliest, max(date.earliest + DAY, date.latest or date.expected)),
    )
