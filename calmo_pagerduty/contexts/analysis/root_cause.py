"""What is correlated with an incident, by how unlikely it is to have come so close by chance.

Sources are looked at in rings: the service itself, one hop upstream, two, three (with it what is
elsewhere). Half of the error that is allowed goes to the service itself, the rest to the rings upstream,
the nearer the more: a service with a hundred dependencies doesn't lose sight of its own deployment.
Within a ring Benjamini–Hochberg corrects for the number of sources. So among incidents that nothing led
up to, at most FALSE_ALARMS of them show a candidate, however many sources are looked at. What past
incidents add (`lift`) only ranks what has passed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.contexts.analysis.bursts import BEFORE, Burst, burst_at
from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_HOPS, fading, thing_of
from calmo_pagerduty.contexts.analysis.estimators import accepted
from calmo_pagerduty.contexts.analysis.near_things import (
    INCIDENTS_BEFORE,
    Near,
    change_streams,
    incident_streams,
    past_of_service,
    times_elsewhere,
)
from calmo_pagerduty.contexts.analysis.streams import HOUR, LEAD_OF_LATER, SKEW, Event, Stream
from calmo_pagerduty.contexts.analysis.surroundings import Change
from calmo_pagerduty.contexts.facts import Thing, Words
from calmo_pagerduty.contexts.model import Candidate, RootCause
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import clean_text

FALSE_ALARMS = 0.05
#: Looking past the incident's start is a second look, by at most this part of the first: it is paid for.
LEVEL = FALSE_ALARMS / (1 + SKEW / LEAD_OF_LATER)
#: How the error that is allowed is shared by the rings that have a source.
_SHARES: Mapping[int, float] = {0: 8.0, 1: 4.0, 2: 2.0, 3: 2.0}
MOST_CANDIDATES = 10
#: What past incidents add at most: as much as a chance ten times smaller.
_MOST_OF_LIFT = 1.0
_WITHIN = {"change": HOUR, "incident": INCIDENTS_BEFORE}
_SOURCE_OF = {"change": Source.CHANGES, "incident": Source.OPEN_INCIDENTS}
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A burst of one kind, as a source. `burst` None: nothing burst."""

    kind: str
    burst: Burst | None


def root_cause(near: Near) -> RootCause:
    """Return the candidates, the strongest first, and what was not looked at."""
    streams = [*change_streams(near), *incident_streams(near)]
    bursts = _bursts(near)
    limits = _limits(streams, bursts)
    candidates = _of_streams(near, streams, limits) + _of_bursts(near, bursts, limits)
    candidates.sort(
        key=lambda candidate: (
            -candidate.score,
            abs(candidate.lead_seconds),
            candidate.hops,
            candidate.thing.id,
        )
    )
    considered = len(streams) + len(bursts)
    return RootCause(
        candidates=tuple(candidates[:MOST_CANDIDATES]),
        considered=considered,
        reason=_reason(near, considered, len(candidates)),
    )


def score(chance: float, hops: int, lift: float | None = None) -> float:
    """Return −log10(chance) × 0.7^hops, and with it what the lift adds."""
    added = min(_MOST_OF_LIFT, math.log10(lift)) if lift is not None and lift > 1 else 0.0
    return (added - math.log10(chance)) * fading(hops)


def _bursts(near: Near) -> list[_Elsewhere]:
    reaches = {"change": near.around.changes_since, "incident": near.around.past_since}
    return [
        _Elsewhere(kind, burst_at(times, near.at, since.timestamp()))
        for kind, since in reaches.items()
        if since is not None and len(times := times_elsewhere(near, kind))
    ]


def _limits(streams: Sequence[Stream], bursts: Sequence[_Elsewhere]) -> dict[int, float]:
    """Return by ring the largest chance that is accepted."""
    rings: dict[int, list[float]] = defaultdict(list)
    for stream in streams:
        rings[stream.hops].append(stream.least_chance())
    for elsewhere in bursts:
        rings[MAX_HOPS].append(elsewhere.burst.chance if elsewhere.burst else 1.0)
    shared = sum(_SHARES[hops] for hops in rings)
    return {hops: accepted(found, LEVEL * _SHARES[hops] / shared) for hops, found in rings.items()}


def _of_streams(near: Near, streams: Sequence[Stream], limits: Mapping[int, float]) -> list[Candidate]:
    changes = {change.id: change for change in near.around.changes}
    past = past_of_service(near)
    found = []
    for stream in streams:
        close = [event for event in stream.near if stream.chance_of(event.lead) <= limits[stream.hops]]
        if close:
            since = near.around.now.timestamp() - stream.seconds
            lift = stream.lift(past, _WITHIN[stream.kind], since)
            found += [_candidate(near, stream, event, lift, changes) for event in close[:MOST_CANDIDATES]]
    return found


def _candidate(
    near: Near, stream: Stream, event: Event, lift: float | None, changes: Mapping[str, Change]
) -> Candidate:
    chance = stream.chance_of(event.lead)
    is_change = stream.kind == "change"
    told = changes[event.id] if is_change else near.incidents[event.id]
    way = near.around_it.paths.get(stream.service_id or "", ()) if near.around_it else ()
    return Candidate(
        kind=stream.kind,
        thing=Thing(id=event.id, kind="change_event" if is_change else "incident", url=told.url),
        summary=Words(text=clean_text(told.summary if isinstance(told, Change) else told.title, _LONGEST)),
        at=event.at,
        lead_seconds=round(event.lead, 3),
        hops=stream.hops,
        path=tuple(thing_of(node, near.around.dependencies) for node in way),
        rate_per_day=round(stream.rate_per_day, 4),
        chance=_rounded(chance),
        lift=None if lift is None else round(lift, 2),
        score=round(score(chance, stream.hops, lift), 3),
        pagerduty_reason=told.reason if isinstance(told, Change) else None,
        source=_SOURCE_OF[stream.kind],
    )


def _of_bursts(near: Near, bursts: Sequence[_Elsewhere], limits: Mapping[int, float]) -> list[Candidate]:
    return [
        Candidate(
            kind="burst",
            thing=Thing(
                id=f"burst:{elsewhere.kind}", kind="burst", name=f"{burst.count} {elsewhere.kind}s elsewhere"
            ),
            summary=Words(text=_burst_words(elsewhere.kind, burst)),
            at=burst.first_at,
            lead_seconds=round(near.lead(burst.first_at), 3),
            hops=MAX_HOPS,
            rate_per_day=round(burst.rate_per_day, 4),
            chance=_rounded(burst.chance),
            score=round(score(burst.chance, MAX_HOPS), 3),
            source=_SOURCE_OF[elsewhere.kind],
        )
        for elsewhere in bursts
        if (burst := elsewhere.burst) is not None and burst.chance <= limits[MAX_HOPS]
    ]


def _burst_words(kind: str, burst: Burst) -> str:
    usual = burst.rate_per_day * (BEFORE + SKEW) / (24 * HOUR)
    return f"{burst.count} {kind}s on other services within 35 minutes; {usual:.1f} are usual"


def _rounded(chance: float) -> float:
    """Three digits, whatever the size."""
    return float(f"{chance:.3g}")


#: Without these something is not looked at.
_NOT_LOOKED_AT: Mapping[Source, str] = {
    Source.CHANGES: "changes",
    Source.DEPENDENCIES: "what is upstream",
    Source.OPEN_INCIDENTS: "incidents that are open now",
    Source.HISTORY: "how often incidents come upstream",
}


def _reason(near: Near, considered: int, found: int) -> str:
    around = near.around
    missing = [words for source, words in _NOT_LOOKED_AT.items() if source in around.lacking]
    if around.changes_since is None and Source.CHANGES not in around.lacking:
        missing.append("how often changes come")
    if around.past_since is None and Source.HISTORY not in around.lacking:
        missing.append(_NOT_LOOKED_AT[Source.HISTORY])
    said = []
    if near.around_it is None:
        said.append("The incident names no service, so nothing can be told to be upstream.")
    if not found:
        nothing = (
            "Nothing came closer than chance would bring it" if considered else "There was nothing to look at"
        )
        said.append(f"{nothing}: no candidate.")
    if considered:
        looked = f"{considered} source{'s were' if considered > 1 else ' was'} looked at"
        said.append(
            f"{looked}; of incidents that nothing led up to, at most {FALSE_ALARMS:.0%} show a candidate "
            f"(Benjamini–Hochberg)."
        )
    if missing:
        said.append(f"Not known: {', '.join(missing)}.")
    return " ".join(said)
