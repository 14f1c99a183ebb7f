"""Conclude an assessment from what was gathered around an incident.

`assess` is pure and deterministic: the same inputs give the same bytes, whatever `memory` holds.
A caller that assesses many incidents of an account keeps its `TitleIndex` between them:

    memory = memory.with_titles(incident.title for incident in inputs.past)
    assessment = assess(inputs, memory)
"""

from __future__ import annotations

from calmo_pagerduty.contexts.analysis import document
from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import build_neighbourhood
from calmo_pagerduty.contexts.analysis.impact import assess_impact
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput
from calmo_pagerduty.contexts.analysis.recommendation import recommend_people
from calmo_pagerduty.contexts.analysis.recurrence import assess_recurrence
from calmo_pagerduty.contexts.analysis.root_cause import find_root_cause
from calmo_pagerduty.contexts.analysis.similarity import MAX_SIMILAR, find_similar, match_document
from calmo_pagerduty.contexts.analysis.title_index import TitleIndex, TitleSimilarity
from calmo_pagerduty.contexts.analysis.truncation import truncate_input, truncations
from calmo_pagerduty.contexts.model import Assessment


def most_similar_ids(inputs: AssessmentInput, memory: TitleIndex | None = None) -> list[str]:
    """Return the ids of the past incidents most similar to this one, the most similar first."""
    truncated = truncate_input(inputs)
    service = truncated.incident.service
    neighbourhood = build_neighbourhood(service.id, truncated.dependencies) if service else None
    matches = find_similar(
        truncated, TitleSimilarity([incident.title for incident in truncated.past], memory), neighbourhood
    )
    return [match.incident.id for match in matches[:MAX_SIMILAR]]


def assess(inputs: AssessmentInput, memory: TitleIndex | None = None) -> Assessment:
    """Return all that is concluded.

    Call it in a thread, not on an event loop: it may take 0.25 s of CPU, and more if `memory` lacks many
    of the titles.
    """
    truncated = truncate_input(inputs)
    service = truncated.incident.service
    neighbourhood = build_neighbourhood(service.id, truncated.dependencies) if service else None
    window = CorrelationWindow(truncated, neighbourhood)
    similarity = TitleSimilarity([incident.title for incident in truncated.past], memory)
    similar = find_similar(truncated, similarity, neighbourhood)
    cause = find_root_cause(window)
    changes = document.correlated_changes(window)
    return Assessment(
        incident=document.incident_facts(truncated),
        alerts=document.alert_facts(truncated),
        alert_count=len(truncated.alerts),
        notes=document.note_facts(truncated),
        changes=document.change_facts(changes, truncated),
        others=document.other_incidents(window),
        surrounding=document.dependency_view(window, cause.candidates),
        similar=tuple(match_document(match, truncated) for match in similar[:MAX_SIMILAR]),
        recurrence=assess_recurrence(truncated, similarity),
        root_cause=cause,
        impact=assess_impact(truncated, neighbourhood),
        on_call=document.on_call_facts(truncated),
        recommendation=recommend_people(truncated, similar, similarity, neighbourhood),
        maintenance=document.maintenance_facts(truncated),
        omitted=truncations(inputs, window, len(changes)),
    )
