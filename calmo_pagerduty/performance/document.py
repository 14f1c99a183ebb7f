"""Performance as JSON. Times are ISO 8601 in UTC, durations in seconds; None is unknown, never zero. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.performance.report import Group, Performance
from calmo_pagerduty.performance.speed import (
    FALSE_DISCOVERY_RATE,
    MIN_EVENTS,
    Comparison,
    Milestone,
    Speed,
    quantile_interval,
)
from calmo_pagerduty.statistics.estimators import wilson_interval
from calmo_pagerduty.statistics.survival import SurvivalCurve

#: What each word means, and where the formula is from; docs/performance.md says more.
DEFINITIONS: Mapping[str, str] = {
    "pagerduty": "The metrics of PagerDuty's analytics, recomputed from its raw incidents under its own"
    " names: means and percentiles leave out what has not happened.",
    "median, 90 % within": "The time by which half, or 90 %, are acknowledged or resolved (Kaplan and Meier),"
    " from the incident's creation. Open incidents count as not yet; one that was resolved without an"
    " acknowledgement, as never acknowledged until then. The 95 % interval is Brookmeyer's and Crowley's.",
    "n": "Incidents, of which so many had the event; the others are censored.",
    "faster, slower": "Against the window of the same length before, by the log-rank test, at a false"
    f" discovery rate of {FALSE_DISCOVERY_RATE:.0%} over all groups (Benjamini and Hochberg). At least"
    f" {MIN_EVENTS} events are needed on either side.",
    "no difference shown": "Chance explains what differs. It does not mean that both are the same.",
    "up time": "The share of the window without a major incident of the group: one of the two highest"
    " priorities, or several responders (PagerDuty). Overlapping incidents count once.",
    "interruptions": "Pushes, SMS and calls; what reaches a person within a minute is one (PagerDuty). Sleep"
    " hours are 22 to 8 in the person's own zone.",
    "by the log": "PagerDuty's analytics did not have the incident yet: its log was measured by the same"
    " definitions, without responders who joined.",
}


def performance_document(performance: Performance) -> JsonObject:
    """Return the performance as JSON."""
    question = performance.question
    return {
        "since": _instant(question.window.start),
        "until": _instant(question.window.end),
        "before_since": _instant(question.before.start),
        "known_until": _instant(performance.known_until),
        "by": str(question.grouping),
        "scope": {
            "urgency": None if question.scope.urgency is None else str(question.scope.urgency),
            "services": list(question.scope.service_ids),
            "teams": list(question.scope.team_ids),
            "policies": list(question.scope.policy_ids),
        },
        "problem": performance.problem or None,
        "false_discovery_rate": FALSE_DISCOVERY_RATE,
        "groups": [_group(group) for group in performance.groups],
        "definitions": [{"word": word, "meaning": text} for word, text in DEFINITIONS.items()],
    }


def _group(group: Group) -> JsonObject:
    metrics, count = group.pagerduty, group.incidents
    return {
        "id": group.id,
        "name": group.name,
        "incidents": count,
        "incidents_before": group.incidents_before,
        "by_log": group.by_log,
        "unmeasured": group.unmeasured,
        **{str(milestone): _speed(group.speeds[milestone]) for milestone in Milestone},
        "shares": {
            "acknowledged": _share(metrics["total_incidents_acknowledged"], count),
            "auto_resolved": _share(metrics["total_incidents_auto_resolved"], count),
            "escalated_by_timeout": _share(metrics["total_incidents_timeout_escalated"], count),
            "escalated_by_hand": _share(metrics["total_incidents_manual_escalated"], count),
            "reassigned": _share(metrics["total_incidents_reassigned"], count),
        },
        "pagerduty": metrics,
    }


def _speed(speed: Speed) -> JsonObject:
    return {
        "n": speed.curve.count,
        "events": speed.curve.events,
        "censored": speed.censored,
        "unknown": speed.unknown,
        "median": _quantile(speed.curve, 0.5),
        "p90": _quantile(speed.curve, 0.9),
        "before": {
            "n": speed.before.count,
            "events": speed.before.events,
            "median": _quantile(speed.before, 0.5),
            "p90": _quantile(speed.before, 0.9),
        },
        "compared": _comparison(speed.comparison),
        "curve": _curve(speed.curve),
        "curve_before": _curve(speed.before),
    }


def _quantile(curve: SurvivalCurve, share: float) -> JsonObject:
    low, high = quantile_interval(curve, share)
    return {"seconds": curve.quantile(share), "interval": [low, high]}


def _comparison(comparison: Comparison) -> JsonObject:
    return {
        "verdict": str(comparison.verdict),
        "p_value": None if comparison.p_value is None else round(comparison.p_value, 6),
        "adjusted_p_value": None if comparison.adjusted is None else round(comparison.adjusted, 6),
    }


def _curve(curve: SurvivalCurve) -> list[list[float]]:
    """Return the share still waiting from each time on, as [seconds, share]; at most some hundred points."""
    every = max(1, -(-len(curve.points) // 100))
    return [[point.time, round(point.survival, 4)] for point in curve.points[::every]]


def _share(part: int | None, whole: int) -> JsonObject:
    """Return a proportion with Wilson's 95 % interval."""
    interval = None if part is None else wilson_interval(part, whole)
    if part is None or interval is None:
        return {"count": part, "of": whole, "share": None, "interval": None}
    ends = [round(interval.low, 4), round(interval.high, 4)]
    return {"count": part, "of": whole, "share": round(part / whole, 4), "interval": ends}


def _instant(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
