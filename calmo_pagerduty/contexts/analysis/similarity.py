"""Past incidents like this one: by their titles, scaled by how far apart the services are."""

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

#: Titles less alike than this are about something else.
MIN_SIMILARITY = 0.5
#: Far away, only what is nearly the same counts.
MIN_SCORE = 0.2
MAX_SIMILAR = 10
_MAX_RESPONSES = 10
_MAX_TITLE_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class SimilarityMatch:
    """A past incident and its score. `hops` None: no way between the services is known."""

    incident: PastIncident
    score: float
    hops: int | None


def find_similar(
    inputs: AssessmentInput, similarity: TitleSimilarity, neighbourhood: Neighbourhood | None
) -> list[SimilarityMatch]:
    """Return the past incidents like this one, the most alike first, of those the newest first.

    `likeness` weighs the titles of `around.past`, in its order.
    """
    close = similarity.scores_for(inputs.incident.title) if inputs.past else np.zeros(0)
    fades = distance_decays(inputs.past, neighbourhood)
    scores = np.round(close * fades, 4)
    chosen = np.flatnonzero((close >= MIN_SIMILARITY) & (scores >= MIN_SCORE))
    found = [
        SimilarityMatch(inputs.past[at], float(scores[at]), _hops(inputs.past[at], neighbourhood))
        for at in chosen.tolist()
    ]
    return sorted(
        found, key=lambda match: (-match.score, -match.incident.created_at.timestamp(), match.incident.id)
    )


def distance_decays(past: Sequence[PastIncident], neighbourhood: Neighbourhood | None) -> Floats:
    """Return for each past incident what its service's distance leaves of its likeness."""
    known = {
        service_id: distance_decay(neighbourhood.hops_to(service_id) if neighbourhood else None)
        for service_id in _services(past)
    }
    return np.array([known[incident.service_id] for incident in past], np.float64)


def match_document(match: SimilarityMatch, inputs: AssessmentInput) -> SimilarIncident:
    """Return it as the document tells it."""
    past = match.incident
    lasted = (past.resolved_at - past.created_at).total_seconds() if past.resolved_at else None
    return SimilarIncident(
        incident=EntityRef(
            id=past.id, kind="incident", name=f"#{past.number}" if past.number else None, url=past.url
        ),
        title=UntrustedText(text=sanitize_text(past.title, _MAX_TITLE_LENGTH)),
        service=service_ref(past.service_id, inputs.dependencies),
        score=match.score,
        hops=match.hops,
        created_at=past.created_at,
        resolved_after_seconds=max(0.0, lasted) if lasted is not None else None,
        resolution=UntrustedText(text=sanitize_text(past.resolution, _MAX_TITLE_LENGTH))
        if past.resolution
        else None,
        handled=tuple(
            PastResponse(who=responder_ref(did.who), did=did.did, at=did.at)
            for did in sorted(past.responded, key=lambda did: (did.at, did.did, did.who.id))[:_MAX_RESPONSES]
        ),
        pagerduty_agrees=_pagerduty_agrees(match, inputs),
    )


def responder_ref(who: Reference) -> EntityRef:
    """Return a person as the document names them."""
    name = sanitize_text(who.name, 200) if who.name else None
    return EntityRef(id=who.id, kind=who.type.removesuffix("_reference"), name=name, url=who.url)


def _pagerduty_agrees(match: SimilarityMatch, inputs: AssessmentInput) -> bool | None:
    """PagerDuty looks on the incident's own service only: elsewhere its silence says nothing."""
    own = inputs.pagerduty_suggestions
    if own is None or Source.PAST_INCIDENTS in inputs.missing_sources:
        return None
    is_named = any(match.incident.id == incident_id for incident_id, _ in own.past)
    return True if is_named else (False if match.hops == 0 else None)


def _services(past: Sequence[PastIncident]) -> set[str]:
    return {incident.service_id for incident in past}


def _hops(past: PastIncident, neighbourhood: Neighbourhood | None) -> int | None:
    return neighbourhood.hops_to(past.service_id) if neighbourhood else None
