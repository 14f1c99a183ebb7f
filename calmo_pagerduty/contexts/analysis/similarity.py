"""Find similar past incidents: the similarity of the titles times the decay by the services' distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, distance_decay, service_ref
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PastIncident
from calmo_pagerduty.contexts.analysis.title_index import Floats, TitleSimilarity
from calmo_pagerduty.contexts.facts import EntityRef, UntrustedText
from calmo_pagerduty.contexts.model import PastResponse, SimilarIncident
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Less similar titles are about something else.
MIN_SIMILARITY = 0.5
#: Similarity × distance decay: on a distant service, only a nearly equal title reaches it.
MIN_SCORE = 0.2
MAX_SIMILAR = 10
_MAX_RESPONSES = 10
_MAX_TITLE_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class SimilarityMatch:
    """A past incident and its score (0–1). `hops` is None without a path between the services."""

    incident: PastIncident
    score: float
    hops: int | None


def find_similar(
    inputs: AssessmentInput, similarity: TitleSimilarity, neighbourhood: Neighbourhood | None
) -> list[SimilarityMatch]:
    """Return the similar past incidents, the most similar first, then the newest first.

    `similarity` is built from the titles of `inputs.past`, in that order.
    """
    similarities = similarity.scores_for(inputs.incident.title) if inputs.past else np.zeros(0)
    decays = distance_decays(inputs.past, neighbourhood)
    scores = np.round(similarities * decays, 4)
    indices = np.flatnonzero((similarities >= MIN_SIMILARITY) & (scores >= MIN_SCORE))
    matches = [
        SimilarityMatch(inputs.past[at], float(scores[at]), _hops(inputs.past[at], neighbourhood))
        for at in indices.tolist()
    ]
    return sorted(
        matches, key=lambda match: (-match.score, -match.incident.created_at.timestamp(), match.incident.id)
    )


def distance_decays(past: Sequence[PastIncident], neighbourhood: Neighbourhood | None) -> Floats:
    """Return the distance decay of each past incident's service, in the order of `past`."""
    decays = {
        service_id: distance_decay(neighbourhood.hops_to(service_id) if neighbourhood else None)
        for service_id in _services(past)
    }
    return np.array([decays[incident.service_id] for incident in past], np.float64)


def match_document(match: SimilarityMatch, inputs: AssessmentInput) -> SimilarIncident:
    """Return the match as the document shows it."""
    past = match.incident
    seconds = (past.resolved_at - past.created_at).total_seconds() if past.resolved_at else None
    return SimilarIncident(
        incident=EntityRef(
            id=past.id, kind="incident", name=f"#{past.number}" if past.number else None, url=past.url
        ),
        title=UntrustedText(text=sanitize_text(past.title, _MAX_TITLE_LENGTH)),
        service=service_ref(past.service_id, inputs.dependencies),
        score=match.score,
        hops=match.hops,
        created_at=past.created_at,
        resolved_after_seconds=max(0.0, seconds) if seconds is not None else None,
        resolution=UntrustedText(text=sanitize_text(past.resolution, _MAX_TITLE_LENGTH))
        if past.resolution
        else None,
        handled=tuple(
            PastResponse(who=responder_ref(action.who), did=action.did, at=action.at)
            for action in sorted(past.responded, key=lambda action: (action.at, action.did, action.who.id))[
                :_MAX_RESPONSES
            ]
        ),
        pagerduty_agrees=_pagerduty_agrees(match, inputs),
    )


def responder_ref(person: Reference) -> EntityRef:
    """Return a person as the document names them."""
    name = sanitize_text(person.name, 200) if person.name else None
    return EntityRef(id=person.id, kind=person.type.removesuffix("_reference"), name=name, url=person.url)


def _pagerduty_agrees(match: SimilarityMatch, inputs: AssessmentInput) -> bool | None:
    """Return whether PagerDuty suggests the incident too; None if unknown.

    PagerDuty searches the incident's own service only, so a miss elsewhere means nothing.
    """
    suggestions = inputs.pagerduty_suggestions
    if suggestions is None or Source.PAST_INCIDENTS in inputs.missing_sources:
        return None
    is_named = any(match.incident.id == incident_id for incident_id, _ in suggestions.past)
    return True if is_named else (False if match.hops == 0 else None)


def _services(past: Sequence[PastIncident]) -> set[str]:
    return {incident.service_id for incident in past}


def _hops(past: PastIncident, neighbourhood: Neighbourhood | None) -> int | None:
    return neighbourhood.hops_to(past.service_id) if neighbourhood else None
