"""How bad an incident is, 0–100: factors with published weights, each shown with what it adds.

What isn't known is left out, with its weight: it makes the score less certain, never smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from calmo_pagerduty.connections.severity import SEVERITY_OF_PRIORITY, Severity
from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, is_business
from calmo_pagerduty.contexts.analysis.surroundings import Surroundings
from calmo_pagerduty.contexts.model import Contribution, Impact
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import clean_text

#: The largest blast radius, number of alerts, and of people asked to join, that still adds.
FULL_BLAST = 50
FULL_ALERTS = 50
FULL_RESPONDERS = 8
#: So many escalations are as bad as nobody left to call.
FULL_ESCALATIONS = 3

_SHARE_OF_SEVERITY: Mapping[Severity, float] = {
    Severity.CRITICAL: 1.0,
    Severity.WARNING: 0.6,
    Severity.MEDIUM: 0.4,
    Severity.INFO: 0.2,
}
_SHARE_OF_URGENCY: Mapping[str, float] = {"high": 1.0, "low": 0.0}
_EXHAUSTED = "exhaust_escalation_path"

#: From which score on an impact is called so.
WORDS: tuple[tuple[float, str], ...] = ((75, "Severe"), (50, "High"), (25, "Moderate"), (0, "Low"))


class Told(NamedTuple):
    """What a factor says: its share (0–1), None if it isn't known; and why, in words."""

    share: float | None
    why: str
    source: Source


def impact(around: Surroundings, around_it: Neighbourhood | None) -> Impact:
    """Return the score with its contributions, in the order of their weight."""
    contributions = tuple(
        _contribution(name, weight, tell(around, around_it)) for name, (weight, tell) in FACTORS.items()
    )
    known = sum(contribution.weight for contribution in contributions if contribution.points is not None)
    points = sum(contribution.points for contribution in contributions if contribution.points is not None)
    score = round(100 * points / known, 1) if known else None
    return Impact(
        score=score,
        confidence=round(known / 100, 2),
        contributions=contributions,
        words=severity_words(score, known / 100),
    )


def severity_words(score: float | None, confidence: float) -> str:
    """Return the impact in words."""
    if score is None:
        return "Unknown impact: none of its factors is known"
    name = next(name for least, name in WORDS if score >= least)
    return f"{name} impact: {score:.0f} of 100, {confidence:.0%} of the weight known"


def escalations_of(around: Surroundings) -> int:
    """Return how often the incident was escalated."""
    return sum(entry.kind == "escalate" for entry in around.log)


def _contribution(name: str, weight: float, told: Told) -> Contribution:
    points = None if told.share is None else round(weight * min(1.0, max(0.0, told.share)), 2)
    return Contribution(factor=name, weight=weight, points=points, why=told.why, source=told.source)


def _priority(around: Surroundings, _: Neighbourhood | None) -> Told:
    name, source = around.incident.priority, Source.INCIDENT
    if name is None or source in around.lacking:
        return Told(None, "no priority is set", source)
    shown, plain = clean_text(name, 60), name.strip().casefold()
    if plain in SEVERITY_OF_PRIORITY:
        return Told(_SHARE_OF_SEVERITY[SEVERITY_OF_PRIORITY[plain]], f"priority {shown}", source)
    order = [priority.strip().casefold() for priority in around.priorities]
    if plain not in order:
        return Told(None, f"how severe priority {shown} is, isn't known", Source.PRIORITIES)
    place = order.index(plain)
    why = f"priority {shown}, {place + 1} of {len(order)} in the account's order"
    return Told((len(order) - place) / len(order), why, Source.PRIORITIES)


def _business(around: Surroundings, around_it: Neighbourhood | None) -> Told:
    """PagerDuty's own answer, else those that depend on the service. Each halves what is left."""
    if Source.BUSINESS_IMPACT not in around.lacking:
        count, source = len({service.id for service in around.business_impacts}), Source.BUSINESS_IMPACT
    elif around_it is not None and Source.DEPENDENCIES not in around.lacking:
        count = sum(is_business(node, around.dependencies) for node in around_it.downstream)
        source = Source.DEPENDENCIES
    else:
        return Told(None, "impacted business services are not known", Source.BUSINESS_IMPACT)
    counted = _counted(count, "business service")
    why = f"{counted} impacted" if source is Source.BUSINESS_IMPACT else _dependent(counted, count)
    return Told(1 - 0.5**count, why, source)


def _blast_radius(around: Surroundings, around_it: Neighbourhood | None) -> Told:
    source = Source.DEPENDENCIES
    if around_it is None or source in around.lacking:
        return Told(None, "what depends on it is not known", source)
    count = len(around_it.downstream)
    least = "" if around_it.is_whole else "at least "
    why = least + _dependent(_counted(count, "service"), count)
    return Told(_logarithmic(count, FULL_BLAST), why, source)


def _urgency(around: Surroundings, _: Neighbourhood | None) -> Told:
    urgency, source = around.incident.urgency, Source.INCIDENT
    share = None if source in around.lacking else _SHARE_OF_URGENCY.get((urgency or "").strip().casefold())
    return Told(share, "urgency is not known" if share is None else f"{urgency} urgency", source)


def _escalation(around: Surroundings, _: Neighbourhood | None) -> Told:
    source = Source.LOG
    if source in around.lacking:
        return Told(None, "escalations are not known", source)
    if any(entry.kind == _EXHAUSTED for entry in around.log):
        return Told(1.0, "the escalation policy has nobody left to call", source)
    count = escalations_of(around)
    return Told(count / FULL_ESCALATIONS, f"escalated {_counted(count, 'time')}", source)


def _responders(around: Surroundings, _: Neighbourhood | None) -> Told:
    source = Source.INCIDENT
    if source in around.lacking:
        return Told(None, "who was asked to join is not known", source)
    count = around.incident.responders
    words = f"{count} {'person' if count == 1 else 'people'} asked to join"
    return Told(_logarithmic(count, FULL_RESPONDERS), words, source)


def _alerts(around: Surroundings, _: Neighbourhood | None) -> Told:
    source = Source.ALERTS
    if source in around.lacking:
        return Told(None, "alerts are not known", source)
    count = len(around.alerts)
    return Told(_logarithmic(count, FULL_ALERTS), _counted(count, "alert"), source)


def _logarithmic(count: int, full: int) -> float:
    """The first few count most; more than `full` add nothing."""
    return min(1.0, math.log1p(max(0, count)) / math.log1p(full))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _dependent(counted: str, count: int) -> str:
    return f"{counted} {'depends' if count == 1 else 'depend'} on it"


Tell = Callable[[Surroundings, Neighbourhood | None], Told]

#: Every factor with its weight. The weights sum to 100.
FACTORS: Mapping[str, tuple[float, Tell]] = {
    "priority": (30, _priority),
    "business_services": (25, _business),
    "blast_radius": (15, _blast_radius),
    "urgency": (10, _urgency),
    "escalation": (10, _escalation),
    "responders": (5, _responders),
    "alerts": (5, _alerts),
}
