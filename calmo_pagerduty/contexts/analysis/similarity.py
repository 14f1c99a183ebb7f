"""Past incidents like this one: by their titles, scaled by how far apart the services are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, fading, thing_of
from calmo_pagerduty.contexts.analysis.surroundings import PastIncident, Surroundings
from calmo_pagerduty.contexts.analysis.title_index import Floats, Likeness
from calmo_pagerduty.contexts.facts import Thing, Words
from calmo_pagerduty.contexts.model import Handled, SimilarIncident
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import clean_text
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Titles less alike than this are about something else.
LEAST_LIKENESS = 0.5
#: Far away, only what is nearly the same counts.
LEAST_SCORE = 0.2
MOST_SIMILAR = 10
_MOST_HANDLED = 10
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Alike:
    """A past incident and its score. `hops` None: no way between the services is known."""

    incident: PastIncident
    score: float
    hops: int | None


def alike(around: Surroundings, likeness: Likeness, around_it: Neighbourhood | None) -> list[Alike]:
    """Return the past incidents like this one, the most alike first, of those the newest first.

    `likeness` weighs the titles of `around.past`, in its order.
    """
    close = likeness.to(around.incident.title) if around.past else np.zeros(0)
    fades = fading_of(around.past, around_it)
    scores = np.round(close * fades, 4)
    chosen = np.flatnonzero((close >= LEAST_LIKENESS) & (scores >= LEAST_SCORE))
    found = [
        Alike(around.past[at], float(scores[at]), _hops(around.past[at], around_it)) for at in chosen.tolist()
    ]
    return sorted(
        found, key=lambda match: (-match.score, -match.incident.created_at.timestamp(), match.incident.id)
    )


def fading_of(past: Sequence[PastIncident], around_it: Neighbourhood | None) -> Floats:
    """Return for each past incident what its service's distance leaves of its likeness."""
    known = {
        service_id: fading(around_it.hops_to(service_id) if around_it else None)
        for service_id in _services(past)
    }
    return np.array([known[incident.service_id] for incident in past], np.float64)


def similar_incident(match: Alike, around: Surroundings) -> SimilarIncident:
    """Return it as the document tells it."""
    past = match.incident
    lasted = (past.resolved_at - past.created_at).total_seconds() if past.resolved_at else None
    return SimilarIncident(
        incident=Thing(
            id=past.id, kind="incident", name=f"#{past.number}" if past.number else None, url=past.url
        ),
        title=Words(text=clean_text(past.title, _LONGEST)),
        service=thing_of(past.service_id, around.dependencies),
        score=match.score,
        hops=match.hops,
        created_at=past.created_at,
        resolved_after_seconds=max(0.0, lasted) if lasted is not None else None,
        resolution=Words(text=clean_text(past.resolution, _LONGEST)) if past.resolution else None,
        handled=tuple(
            Handled(who=person(did.who), did=did.did, at=did.at)
            for did in sorted(past.responded, key=lambda did: (did.at, did.did, did.who.id))[:_MOST_HANDLED]
        ),
        pagerduty_agrees=_agrees(match, around),
    )


def person(who: Reference) -> Thing:
    """Return a person as the document names them."""
    name = clean_text(who.name, 200) if who.name else None
    return Thing(id=who.id, kind=who.type.removesuffix("_reference"), name=name, url=who.url)


def _agrees(match: Alike, around: Surroundings) -> bool | None:
    """PagerDuty looks on the incident's own service only: elsewhere its silence says nothing."""
    own = around.pagerdutys_own
    if own is None or Source.PAST_INCIDENTS in around.lacking:
        return None
    is_named = any(match.incident.id == incident_id for incident_id, _ in own.past)
    return True if is_named else (False if match.hops == 0 else None)


def _services(past: Sequence[PastIncident]) -> set[str]:
    return {incident.service_id for incident in past}


def _hops(past: PastIncident, around_it: Neighbourhood | None) -> int | None:
    return around_it.hops_to(past.service_id) if around_it else None
