"""From what was gathered around an incident to what is concluded from it.

`assess` is pure and deterministic: the same surroundings give the same bytes, whatever `memory` held.
A caller that assesses many incidents of an account keeps its `TitleIndex` between them:

    memory = memory.including(one.title for one in around.past)
    assessment = assess(around, memory)
"""

from __future__ import annotations

from calmo_pagerduty.contexts.analysis import facts
from calmo_pagerduty.contexts.analysis.dependency_graph import neighbourhood
from calmo_pagerduty.contexts.analysis.impact import impact
from calmo_pagerduty.contexts.analysis.near_things import Near
from calmo_pagerduty.contexts.analysis.omissions import bounded, omissions
from calmo_pagerduty.contexts.analysis.recommendation import recommendation
from calmo_pagerduty.contexts.analysis.recurrence import recurrence
from calmo_pagerduty.contexts.analysis.root_cause import root_cause
from calmo_pagerduty.contexts.analysis.similarity import MOST_SIMILAR, alike, similar_incident
from calmo_pagerduty.contexts.analysis.surroundings import Surroundings
from calmo_pagerduty.contexts.analysis.title_index import Likeness, TitleIndex
from calmo_pagerduty.contexts.model import Assessment


def most_alike(around: Surroundings, memory: TitleIndex | None = None) -> list[str]:
    """Return the ids of the past incidents that are most like this one, the most alike first."""
    seen = bounded(around)
    service = seen.incident.service
    around_it = neighbourhood(service.id, seen.dependencies) if service else None
    found = alike(seen, Likeness([incident.title for incident in seen.past], memory), around_it)
    return [match.incident.id for match in found[:MOST_SIMILAR]]


def assess(around: Surroundings, memory: TitleIndex | None = None) -> Assessment:
    """Return all that is concluded. Work for a thread, not for an event loop: it may take a quarter of a
    second of CPU, and more where `memory` has yet to learn many titles.
    """
    seen = bounded(around)
    service = seen.incident.service
    around_it = neighbourhood(service.id, seen.dependencies) if service else None
    near = Near(seen, around_it)
    likeness = Likeness([incident.title for incident in seen.past], memory)
    similar = alike(seen, likeness, around_it)
    cause = root_cause(near)
    changes = facts.changes_near(near)
    return Assessment(
        incident=facts.incident_facts(seen),
        alerts=facts.alert_facts(seen),
        alert_count=len(seen.alerts),
        notes=facts.note_facts(seen),
        changes=facts.change_facts(changes, seen),
        others=facts.other_incidents(near),
        surrounding=facts.surrounding(near, cause.candidates),
        similar=tuple(similar_incident(match, seen) for match in similar[:MOST_SIMILAR]),
        recurrence=recurrence(seen, likeness),
        root_cause=cause,
        impact=impact(seen, around_it),
        on_call=facts.on_call_facts(seen),
        recommendation=recommendation(seen, similar, likeness, around_it),
        maintenance=facts.maintenance_facts(seen),
        omitted=omissions(around, near, len(changes)),
    )
