"""Score the impact of an incident, 0–100: a weighted sum of factors, each shown with its points.

An unknown factor is left out, with its weight: it makes the score less certain, never smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from calmo_pagerduty.connections.severity import SEVERITY_OF_PRIORITY, Severity
from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, is_business_service
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput
from calmo_pagerduty.contexts.model import Contribution, Impact
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.count_text import count_text
from calmo_pagerduty.kernel.untrusted_text import sanitize_text

#: The factor's share reaches 1 at this blast radius, number of alerts, and number of people asked to join.
SATURATING_BLAST_RADIUS = 50
SATURATING_ALERTS = 50
SATURATING_RESPONDERS = 8
#: So many escalations count like an exhausted escalation path.
SATURATING_ESCALATIONS = 3

_SHARE_OF_SEVERITY: Mapping[Severity, float] = {
    Severity.CRITICAL: 1.0,
    Severity.WARNING: 0.6,
    Severity.MEDIUM: 0.4,
    Severity.INFO: 0.2,
}
_SHARE_OF_URGENCY: Mapping[str, float] = {"high": 1.0, "low": 0.0}
_EXHAUSTED = "exhaust_escalation_path"

#: The lowest score of each label, the highest first.
IMPACT_LABELS: tuple[tuple[float, str], ...] = ((75, "Severe"), (50, "High"), (25, "Moderate"), (0, "Low"))


class FactorScore(NamedTuple):
    """A factor's share (0–1; None if unknown), and the reason as a text for readers."""

    share: float | None
    why: str
    source: Source


def assess_impact(inputs: AssessmentInput, neighbourhood: Neighbourhood | None) -> Impact:
    """Return the score with its contributions, the largest weight first.

    score = 100 × Σ points / Σ weights, over the known_weight factors; None if none is known_weight.
    confidence = Σ known_weight weights / 100.
    """
    contributions = tuple(
        _contribution(name, weight, score_factor(inputs, neighbourhood))
        for name, (weight, score_factor) in FACTORS.items()
    )
    known_weight = sum(
        contribution.weight for contribution in contributions if contribution.points is not None
    )
    points = sum(contribution.points for contribution in contributions if contribution.points is not None)
    score = round(100 * points / known_weight, 1) if known_weight else None
    return Impact(
        score=score,
        confidence=round(known_weight / 100, 2),
        contributions=contributions,
        words=impact_label(score, known_weight / 100),
    )


def impact_label(score: float | None, confidence: float) -> str:
    """Return the impact as a text for readers; `confidence` is from 0 to 1."""
    if score is None:
        return "Unknown impact: none of its factors is known"
    name = next(name for least, name in IMPACT_LABELS if score >= least)
    return f"{name} impact: {score:.0f} of 100, {confidence:.0%} of the weight known"


def count_escalations(inputs: AssessmentInput) -> int:
    """Return how often the incident was escalated."""
    return sum(entry.kind == "escalate" for entry in inputs.log)


def _contribution(name: str, weight: float, factor: FactorScore) -> Contribution:
    points = None if factor.share is None else round(weight * min(1.0, max(0.0, factor.share)), 2)
    return Contribution(factor=name, weight=weight, points=points, why=factor.why, source=factor.source)


def _priority(inputs: AssessmentInput, _: Neighbourhood | None) -> FactorScore:
    name, source = inputs.incident.priority, Source.INCIDENT
    if name is None or source in inputs.missing_sources:
        return FactorScore(None, "no priority is set", source)
    shown, plain = sanitize_text(name, 60), name.strip().casefold()
    if plain in SEVERITY_OF_PRIORITY:
        return FactorScore(_SHARE_OF_SEVERITY[SEVERITY_OF_PRIORITY[plain]], f"priority {shown}", source)
    order = [priority.strip().casefold() for priority in inputs.priorities]
    if plain not in order:
        return FactorScore(None, f"the severity of priority {shown} is not known", Source.PRIORITIES)
    rank = order.index(plain)
    why = f"priority {shown}, {rank + 1} of {len(order)} in the account's order"
    return FactorScore((len(order) - rank) / len(order), why, Source.PRIORITIES)


def _business(inputs: AssessmentInput, neighbourhood: Neighbourhood | None) -> FactorScore:
    """Count PagerDuty's impacted business services, else those downstream: share = 1 − 0.5 ** count."""
    if Source.BUSINESS_IMPACT not in inputs.missing_sources:
        count, source = len({service.id for service in inputs.business_impacts}), Source.BUSINESS_IMPACT
    elif neighbourhood is not None and Source.DEPENDENCIES not in inputs.missing_sources:
        count = sum(is_business_service(node, inputs.dependencies) for node in neighbourhood.downstream)
        source = Source.DEPENDENCIES
    else:
        return FactorScore(None, "impacted business services are not known", Source.BUSINESS_IMPACT)
    counted = count_text(count, "business service")
    why = f"{counted} impacted" if source is Source.BUSINESS_IMPACT else _dependents_text(counted, count)
    return FactorScore(1 - 0.5**count, why, source)


def _blast_radius(inputs: AssessmentInput, neighbourhood: Neighbourhood | None) -> FactorScore:
    source = Source.DEPENDENCIES
    if neighbourhood is None or source in inputs.missing_sources:
        return FactorScore(None, "what depends on it is not known", source)
    count = len(neighbourhood.downstream)
    least = "" if neighbourhood.is_whole else "at least "
    why = least + _dependents_text(count_text(count, "service"), count)
    return FactorScore(_log_share(count, SATURATING_BLAST_RADIUS), why, source)


def _urgency(inputs: AssessmentInput, _: Neighbourhood | None) -> FactorScore:
    urgency, source = inputs.incident.urgency, Source.INCIDENT
    share = (
        None
        if source in inputs.missing_sources
        else _SHARE_OF_URGENCY.get((urgency or "").strip().casefold())
    )
    return FactorScore(share, "urgency is not known" if share is None else f"{urgency} urgency", source)


def _escalation(inputs: AssessmentInput, _: Neighbourhood | None) -> FactorScore:
    source = Source.LOG
    if source in inputs.missing_sources:
        return FactorScore(None, "escalations are not known", source)
    if any(entry.kind == _EXHAUSTED for entry in inputs.log):
        return FactorScore(1.0, "the escalation policy has nobody left to call", source)
    count = count_escalations(inputs)
    return FactorScore(count / SATURATING_ESCALATIONS, f"escalated {count_text(count, 'time')}", source)


def _responders(inputs: AssessmentInput, _: Neighbourhood | None) -> FactorScore:
    source = Source.INCIDENT
    if source in inputs.missing_sources:
        return FactorScore(None, "who was asked to join is not known", source)
    count = inputs.incident.responders
    why = f"{count} {'person' if count == 1 else 'people'} asked to join"
    return FactorScore(_log_share(count, SATURATING_RESPONDERS), why, source)


def _alerts(inputs: AssessmentInput, _: Neighbourhood | None) -> FactorScore:
    source = Source.ALERTS
    if source in inputs.missing_sources:
        return FactorScore(None, "alerts are not known", source)
    count = len(inputs.alerts)
    return FactorScore(_log_share(count, SATURATING_ALERTS), count_text(count, "alert"), source)


def _log_share(count: int, full: int) -> float:
    """Return ln(1 + count) / ln(1 + full), at most 1: the first few count most."""
    return min(1.0, math.log1p(max(0, count)) / math.log1p(full))


def _dependents_text(counted: str, count: int) -> str:
    return f"{counted} {'depends' if count == 1 else 'depend'} on it"


ScoreFactor = Callable[[AssessmentInput, Neighbourhood | None], FactorScore]

#: Every factor with its weight. The weights sum to 100.
FACTORS: Mapping[str, tuple[float, ScoreFactor]] = {
    "priority": (30, _priority),
    "business_services": (25, _business),
    "blast_radius": (15, _blast_radius),
    "urgency": (10, _urgency),
    "escalation": (10, _escalation),
    "responders": (5, _responders),
    "alerts": (5, _alerts),
}
