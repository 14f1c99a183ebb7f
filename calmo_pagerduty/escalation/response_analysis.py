"""The answers to incidents as an analysis: figures in JSON, and findings about delays. Pure."""

from calmo_pagerduty.escalation.decomposition import Decomposition
from calmo_pagerduty.escalation.delay_advice import DelayAdvice, NoAdvice
from calmo_pagerduty.escalation.entities import policy_entity
from calmo_pagerduty.escalation.lint import inputs_of
from calmo_pagerduty.escalation.response import (
    TOO_FEW,
    AccountResponse,
    BandCurve,
    LevelCurve,
    PolicyResponse,
    account_response,
)
from calmo_pagerduty.escalation.response_model import ExpectedResponse
from calmo_pagerduty.findings.model import (
    AnalysisResult,
    Confidence,
    Evidence,
    Finding,
    FindingSeverity,
    in_order,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.snapshots.model import AccountSnapshot, Policy, SectionName
from calmo_pagerduty.statistics.survival import SurvivalCurve

ANALYSIS = "escalation_response"
VERSION = 1


def analyse(snapshot: AccountSnapshot, now: int) -> AnalysisResult:
    """Return how incidents are answered, and delays that would be better. Times are epoch seconds (UTC)."""
    account = account_response(snapshot, now)
    findings = [
        _delay_finding(item.policy, advice)
        for item in account.policies
        for advice in item.advice
        if isinstance(advice, DelayAdvice)
    ]
    since = snapshot.section(SectionName.LOG_ENTRIES).since
    first = min((incident.created_at for incident in snapshot.incidents), default=snapshot.taken_at)
    return AnalysisResult(
        analysis=ANALYSIS,
        version=VERSION,
        snapshot_id=snapshot.id,
        now=now,
        window=Span(first if since is None else since, min(now, snapshot.taken_at)),
        time_zone=snapshot.time_zone or "Etc/UTC",
        inputs=inputs_of(snapshot),
        metrics=response_metrics(account),
        findings=in_order(findings),
    )


def response_metrics(account: AccountResponse) -> JsonObject:
    """Return the figures as JSON. Times are minutes, parts are seconds; None is unknown."""
    return {
        "policies": [_policy_metrics(item) for item in account.policies],
        "time_to_acknowledge": _parts_metrics(account.parts),
        "incidents_without_log": account.without_log,
    }


def _policy_metrics(item: PolicyResponse) -> JsonObject:
    test, share = item.asleep_differs, item.escalated_share
    return {
        "policy_id": item.policy.id,
        "name": item.policy.name,
        "incidents": item.incidents,
        "acknowledged": item.acknowledged,
        "escalated": item.escalated,
        "escalated_interval": None if share is None else [round(share.low, 4), round(share.high, 4)],
        "median_minutes_to_acknowledge": _rounded(item.median_minutes),
        "levels": [
            {**_level_metrics(level), "advice": _advice_metrics(advice)}
            for level, advice in zip(item.levels, item.advice, strict=True)
        ],
        "bands": [_band_metrics(band, item.policy) for band in item.bands],
        "sleep_hours_differ_p_value": None if test is None else round(test.p_value, 6),
        "expected": None if item.expected is None else _expected_metrics(item.expected),
        "is_upper_bound": item.is_bound,
        "reason": item.reason or None,
        # On level 1; each level has its own.
        "advice": _advice_metrics(item.advice[0] if item.advice else NoAdvice(TOO_FEW)),
        "time_to_acknowledge": _parts_metrics(item.parts),
    }


def _level_metrics(level: LevelCurve) -> JsonObject:
    curve = level.curve
    interval = None if curve is None else curve.interval_at(level.delay_minutes)
    return {
        "level": level.level,
        "delay_minutes": level.delay_minutes,
        "assignments": level.own.count,
        "acknowledged": level.own.events,
        "borrowed_from": level.borrowed,
        "unanswered_at_delay": None if curve is None else round(curve.at(level.delay_minutes), 4),
        "interval": None if interval is None else [round(interval.low, 4), round(interval.high, 4)],
        "median_minutes": None if curve is None else _rounded(curve.quantile(0.5)),
        "curve": None if curve is None else curve_points(curve),
    }


def curve_points(curve: SurvivalCurve, most: int = 60) -> list[list[float]]:
    """Return the curve as [minutes, share still unanswered], thinned to `most` points, the last included."""
    step = max(1, -(-len(curve.points) // most))
    kept = [point for number, point in enumerate(curve.points) if number % step == 0]
    if curve.points and kept[-1] is not curve.points[-1]:
        kept.append(curve.points[-1])
    return [[round(point.time, 3), round(point.survival, 4)] for point in kept]


def _band_metrics(band: BandCurve, policy: Policy) -> JsonObject:
    delay = policy.rules[0].delay_minutes if policy.rules else 0
    return {
        "band": str(band.band),
        "assignments": band.curve.count,
        "acknowledged": band.curve.events,
        "unanswered_at_delay": round(band.curve.at(delay), 4) if band.curve.count else None,
        "median_minutes": _rounded(band.curve.quantile(0.5)),
    }


def _expected_metrics(expected: ExpectedResponse) -> JsonObject:
    return {
        "missed": round(expected.missed, 6),
        "mean_minutes": round(expected.mean_minutes, 3),
        "second_level_pages": round(expected.second_level_pages, 4),
    }


def _advice_metrics(advice: DelayAdvice | NoAdvice) -> JsonObject:
    if not isinstance(advice, DelayAdvice):
        return {"delay_minutes": None, "reason": advice.reason}
    return {
        "delay_minutes": advice.delay_minutes,
        "current_minutes": advice.current_minutes,
        "expected": _expected_metrics(advice.expected),
        "current": _expected_metrics(advice.current),
        "gain_minutes": round(advice.gain_minutes, 3),
        "gain_interval": [round(advice.gain_interval.low, 3), round(advice.gain_interval.high, 3)],
        "tested_gain_minutes": round(advice.tested_gain_minutes, 3),
        "assignments": advice.count,
        "acknowledged": advice.acknowledged,
        "tested_assignments": advice.tested_count,
    }


def _parts_metrics(parts: Decomposition) -> JsonObject:
    return {
        "incidents": parts.count,
        "total_seconds": parts.total,
        "parts": {str(part): seconds for part, seconds in parts.parts.items()},
        "waited_by_level": {str(level): seconds for level, seconds in parts.waited_by_level.items()},
        "mean_seconds": None if parts.count == 0 else round(parts.total / parts.count, 1),
    }


def _delay_finding(policy: Policy, advice: DelayAdvice) -> Finding:
    following = advice.level % len(policy.rules)
    more = advice.expected.level_pages[following] - advice.current.level_pages[following]
    return Finding(
        code="better_escalation_delay",
        key=policy.id if advice.level == 1 else f"{policy.id}:{advice.level}",
        severity=FindingSeverity.LOW,
        confidence=Confidence.MEDIUM,
        title=f"{policy.name}: level {advice.level} could move on after {advice.delay_minutes} min",
        entities=(policy_entity(policy),),
        evidence=(
            Evidence(
                f"From {advice.count} assignments with {advice.acknowledged} acknowledgements: the"
                " expected time"
                f" falls by {advice.gain_minutes:.1f} min"
                f" (95 % interval {advice.gain_interval.low:.1f} to {advice.gain_interval.high:.1f}).",
                _advice_evidence(advice),
            ),
            Evidence(
                "Drawn from earlier incidents, the delay would have saved"
                f" {advice.tested_gain_minutes:.1f} min on"
                f" average in the {advice.tested_count} later ones.",
                {"tested_gain_minutes": round(advice.tested_gain_minutes, 3)},
            ),
        ),
        recommendation=f"Set the delay of level {advice.level} to {advice.delay_minutes} min"
        f" (now {advice.current_minutes} min).",
        expected_effect=f"{advice.gain_minutes:.1f} min sooner on average; {more:+.3f} pages of level"
        f" {following + 1} per incident.",
        how_to_verify="Run `calmo-pagerduty escalation response` after thirty more incidents.",
        how_to_undo=f"Set the delay of level {advice.level} to {advice.current_minutes} min again.",
    )


def _advice_evidence(advice: DelayAdvice) -> JsonObject:
    return {
        "level": advice.level,
        "delay_minutes": advice.delay_minutes,
        "current_minutes": advice.current_minutes,
        "n": advice.count,
        "acknowledged": advice.acknowledged,
        "expected_minutes": round(advice.expected.mean_minutes, 3),
        "current_expected_minutes": round(advice.current.mean_minutes, 3),
        "second_level_pages": round(advice.expected.second_level_pages, 4),
        "current_second_level_pages": round(advice.current.second_level_pages, 4),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
