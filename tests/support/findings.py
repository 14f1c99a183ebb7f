"""Findings and results for tests: only what matters is named."""

from dataclasses import replace
from typing import Any

from calmo_pagerduty.findings.model import (
    AnalysisInputs,
    AnalysisResult,
    Confidence,
    Entity,
    Evidence,
    Finding,
    FindingSeverity,
)
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.oncall.digest import WEEK, Digest

HOUR = 3600
DAY = 24 * HOUR
#: 2026-06-01 12:00 UTC, a Monday.
NOON = 1_780_315_200

SHOP_POLICY = Entity("policy", "PSHOP", "Shop <b>nights</b>", "https://calmo.pagerduty.com/policies/PSHOP")
ANA = Entity("user", "PANA", "Ana Lima", "https://calmo.pagerduty.com/users/PANA")
RETAIL = Entity("team", "PRETAIL", "Retail")


def a_finding(key: str = "PSHOP", **changed: Any) -> Finding:
    """Return a policy gap, with some fields changed."""
    finding = Finding(
        code="policy_gap",
        key=key,
        severity=FindingSeverity.HIGH,
        confidence=Confidence.HIGH,
        title="Nobody is on call for Shop nights",
        entities=(SHOP_POLICY,),
        evidence=(Evidence("no level has anybody for 4 h", {"seconds": 4 * HOUR}),),
        recommendation="Add an override for Saturday night.",
        expected_effect="0.42 incidents fewer are dropped",
        how_to_verify="calmo-pagerduty coverage --policy PSHOP",
        how_to_undo="Delete the override.",
    )
    return replace(finding, **changed)


def a_gap(key: str = "PSHOP", expected: float | None = 0.42, **changed: Any) -> Finding:
    """Return a policy gap that becomes an issue: from the day after NOON on, for four hours."""
    span = Span(NOON + DAY, NOON + DAY + 4 * HOUR)
    return a_finding(key, at=span, opens_issue=True, expected_dropped_incidents=expected, **changed)


def a_result(
    *findings: Finding, now: int = NOON, analysis: str = "coverage", **changed: Any
) -> AnalysisResult:
    """Return a result with these findings, complete and for ninety days."""
    result = AnalysisResult(
        analysis=analysis,
        version=1,
        snapshot_id=f"snap_{now}",
        now=now,
        window=Span(now, now + 90 * DAY),
        time_zone="UTC",
        inputs=AnalysisInputs(counts={"policies": 1}, fetched_at=now),
        metrics={"policies": 1},
        findings=findings,
    )
    return replace(result, **changed)


def a_digest(connection_id: str, **changed: Any) -> Digest:
    """Return a silent digest of the week before NOON."""
    digest = Digest(connection_id, "Shop", NOON - WEEK, NOON, "Europe/London", (), 0, ())
    return replace(digest, **changed)
