"""From what was gathered around an incident to what is concluded from it.

`assess` is pure and deterministic: the same surroundings give the same bytes, whatever `memory` held.
A caller that assesses many incidents of an account keeps its `TitleIndex` between them:

    memory = memory.including(one.title for one in around.past)
    assessment = assess(around, memory)
"""

from __future__ import annotations

from calmo_pagerduty.contexts.analysis import document as facts
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
    """Return the ids of the past incidents that are most like this one, the most alike first."""
    seen = truncate_input(inputs)
    service = seen.incident.service
    neighbourhood = build_neighbourhood(service.id, seen.dependencies) if service else None
    found = find_similar(
        seen, TitleSimilarity([incident.title for incident in seen.past], memory), neighbourhood
    )
    return [match.incident.id for match in found[:MAX_SIMILAR]]


def assess(inputs: AssessmentInput, memory: TitleIndex | None = None) -> Assessment:
    """Return all that is concluded. Work for a thread, not for an event loop: it may take a quarter of a
    second of CPU, and more where `memory` has yet to learn many titles.
    """
    seen = truncate_input(inputs)
    service = seen.incident.service
    neighbourhood = build_neighbourhood(service.id, seen.dependencies) if service else None
    window = CorrelationWindow(seen, neighbourhood)
    similarity = TitleSimilarity([incident.title for incident in seen.past], memory)
    similar = find_similar(seen, similarity, neighbourhood)
    cause = find_root_cause(window)
    changes = facts.correlated_changes(window)
    return Assessment(
        incident=facts.incident_facts(seen),
        alerts=facts.alert_facts(seen),
        alert_count=len(seen.alerts),
        notes=facts.note_facts(seen),
        changes=facts.change_facts(changes, seen),
        others=facts.other_incidents(window),
        surrounding=facts.dependency_view(window, cause.candidates),
        similar=tuple(match_document(match, seen) for match in similar[:MAX_SIMILAR]),
        recurrence=assess_recurrence(seen, similarity),
        root_cause=cause,
        impact=assess_impact(seen, neighbourhood),
        on_call=facts.on_call_facts(seen),
        recommendation=recommend_people(seen, similar, similarity, neighbourhood),
        maintenance=facts.maintenance_facts(seen),
        omitted=truncations(inputs, window, len(changes)),
    )
