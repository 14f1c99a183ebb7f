"""Find what correlates with an incident: events that chance would rarely bring so close to it.

Each stream is tested once. Streams form rings: the service itself, then one, two and three hops upstream
(the last with everything elsewhere). The error rate is shared between the rings that have a stream. The
service itself gets half when all have one, and nearer rings get more than farther ones: a service with a
hundred dependencies doesn't lose sight of its own deployment. Within a ring, the Benjamini–Hochberg
procedure corrects for the number of streams. So of incidents without any true correlate, at most
FALSE_DISCOVERY_RATE show a candidate, however many streams there are. The `lift` from past incidents
only ranks the candidates that passed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.contexts.analysis.bursts import BURST_LEAD, Burst, find_burst
from calmo_pagerduty.contexts.analysis.correlation import (
    INCIDENT_WINDOW,
    RESOLVED,
    AnyIncident,
    CorrelationWindow,
    change_streams,
    incident_streams,
    service_incident_times,
    unrelated_times,
)
from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_HOPS, distance_decay, service_ref
from calmo_pagerduty.contexts.analysis.inputs import Change, OpenIncident, PastIncident
from calmo_pagerduty.contexts.analysis.streams import (
    CLOCK_SKEW,
    HOUR,
    LEAD_OF_LATER,
    EventStream,
    StreamEvent,
)
from calmo_pagerduty.contexts.facts import EntityRef, UntrustedText
from calmo_pagerduty.contexts.model import Candidate, RootCause
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.statistics.estimators import benjamini_hochberg_threshold

FALSE_DISCOVERY_RATE = 0.05
#: Events after the incident's start count too, which raises the error by at most this factor.
SIGNIFICANCE_LEVEL = FALSE_DISCOVERY_RATE / (1 + CLOCK_SKEW / LEAD_OF_LATER)
#: Weights by which the rings share the error rate, by hops.
_ALPHA_SHARE_OF_RING: Mapping[int, float] = {0: 8.0, 1: 4.0, 2: 2.0, 3: 2.0}
MAX_CANDIDATES = 10
#: The largest addition of the lift to a score: as much as a p-value ten times smaller.
_MAX_LIFT_BONUS = 1.0
#: What the score of an incident that is over is multiplied by: it explains less what still goes on.
OVER_WEIGHT = 0.5
_LIFT_WINDOW = {"change": HOUR, "incident": INCIDENT_WINDOW}
_SOURCE_OF = {"change": Source.CHANGES, "incident": Source.OPEN_INCIDENTS}
_MAX_TEXT_LENGTH = 300


@dataclass(frozen=True, slots=True)
class _AccountBurst:
    """The burst of one kind of events, tested as one stream; `burst` is None if there was none."""

    kind: str
    burst: Burst | None


def find_root_cause(window: CorrelationWindow) -> RootCause:
    """Return the candidates, the strongest first, with the reason: what was tested and what is unknown."""
    streams = [*change_streams(window), *incident_streams(window)]
    bursts = _find_bursts(window)
    limits = _thresholds(streams, bursts)
    candidates = _stream_candidates(window, streams, limits) + _burst_candidates(window, bursts, limits)
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
        candidates=tuple(candidates[:MAX_CANDIDATES]),
        considered=considered,
        reason=_reason(window, considered, len(candidates)),
    )


def candidate_score(chance: float, hops: int, lift: float | None = None) -> float:
    """Return (−log10(chance) + log10(lift)) × DECAY_PER_HOP^hops. The lift adds 0 to _MAX_LIFT_BONUS."""
    added = min(_MAX_LIFT_BONUS, math.log10(lift)) if lift is not None and lift > 1 else 0.0
    return (added - math.log10(chance)) * distance_decay(hops)


def _find_bursts(window: CorrelationWindow) -> list[_AccountBurst]:
    now = window.inputs.now.timestamp()
    return [
        _AccountBurst(kind, find_burst(times, window.at, now - seconds))
        for kind, seconds in window.observed.items()
        if len(times := unrelated_times(window, kind))
    ]


def _thresholds(streams: Sequence[EventStream], bursts: Sequence[_AccountBurst]) -> dict[int, float]:
    """Return the largest accepted p-value of each ring, by hops."""
    rings: dict[int, list[float]] = defaultdict(list)
    for stream in streams:
        rings[stream.hops].append(stream.min_chance())
    for account_burst in bursts:
        rings[MAX_HOPS].append(account_burst.burst.chance if account_burst.burst else 1.0)
    total = sum(_ALPHA_SHARE_OF_RING[hops] for hops in rings)
    return {
        hops: benjamini_hochberg_threshold(chances, SIGNIFICANCE_LEVEL * _ALPHA_SHARE_OF_RING[hops] / total)
        for hops, chances in rings.items()
    }


def _stream_candidates(
    window: CorrelationWindow, streams: Sequence[EventStream], limits: Mapping[int, float]
) -> list[Candidate]:
    changes = {change.id: change for change in window.inputs.changes}
    past = service_incident_times(window)
    candidates = []
    for stream in streams:
        accepted = [event for event in stream.near if stream.chance_of(event.lead) <= limits[stream.hops]]
        if accepted:
            since = window.inputs.now.timestamp() - stream.seconds
            lift = stream.lift(past, _LIFT_WINDOW[stream.kind], since)
            candidates += [
                _candidate(window, stream, event, lift, changes) for event in accepted[:MAX_CANDIDATES]
            ]
    return candidates


def _candidate(
    window: CorrelationWindow,
    stream: EventStream,
    event: StreamEvent,
    lift: float | None,
    changes: Mapping[str, Change],
) -> Candidate:
    chance = stream.chance_of(event.lead)
    is_change = stream.kind == "change"
    cause = changes[event.id] if is_change else window.incidents[event.id]
    path = window.neighbourhood.paths.get(stream.service_id or "", ()) if window.neighbourhood else ()
    return Candidate(
        kind=stream.kind,
        thing=EntityRef(id=event.id, kind="change_event" if is_change else "incident", url=cause.url),
        summary=UntrustedText(
            text=sanitize_text(cause.summary if isinstance(cause, Change) else cause.title, _MAX_TEXT_LENGTH)
        ),
        at=event.at,
        lead_seconds=round(event.lead, 3),
        hops=stream.hops,
        path=tuple(service_ref(node, window.inputs.dependencies) for node in path),
        rate_per_day=round(stream.rate_per_day, 4),
        chance=_rounded(chance),
        lift=None if lift is None else round(lift, 2),
        score=round(candidate_score(chance, stream.hops, lift) * _weight(window, cause), 3),
        pagerduty_reason=cause.reason if isinstance(cause, Change) else None,
        source=_SOURCE_OF[stream.kind],
        status=_status(cause),
        priority=None if isinstance(cause, Change) else cause.priority,
    )


def _weight(window: CorrelationWindow, cause: Change | AnyIncident) -> float:
    """Return OVER_WEIGHT if it was over before this incident began, or is over while this one goes on."""
    if _status(cause) != RESOLVED:
        return 1.0
    incident = window.inputs.incident
    ended = cause.resolved_at if isinstance(cause, PastIncident) else None
    over_before = ended is not None and ended <= incident.created_at
    return OVER_WEIGHT if over_before or incident.status != RESOLVED else 1.0


def _status(cause: Change | AnyIncident) -> str | None:
    """Return an incident's status; None for a change, or if it isn't known."""
    if isinstance(cause, OpenIncident):
        return cause.status
    return RESOLVED if isinstance(cause, PastIncident) and cause.resolved_at is not None else None


def _burst_candidates(
    window: CorrelationWindow, bursts: Sequence[_AccountBurst], limits: Mapping[int, float]
) -> list[Candidate]:
    return [
        Candidate(
            kind="burst",
            thing=EntityRef(
                id=f"burst:{account_burst.kind}",
                kind="burst",
                name=f"{burst.count} {account_burst.kind}s elsewhere",
            ),
            summary=UntrustedText(text=_burst_text(account_burst.kind, burst)),
            at=burst.first_at,
            lead_seconds=round(window.lead(burst.first_at), 3),
            hops=MAX_HOPS,
            rate_per_day=round(burst.rate_per_day, 4),
            chance=_rounded(burst.chance),
            score=round(candidate_score(burst.chance, MAX_HOPS), 3),
            source=_SOURCE_OF[account_burst.kind],
        )
        for account_burst in bursts
        if (burst := account_burst.burst) is not None and burst.chance <= limits[MAX_HOPS]
    ]


def _burst_text(kind: str, burst: Burst) -> str:
    usual = burst.rate_per_day * (BURST_LEAD + CLOCK_SKEW) / (24 * HOUR)
    return f"{burst.count} {kind}s on other services within 35 minutes; {usual:.1f} are usual"


def _rounded(chance: float) -> float:
    """Round to three significant digits."""
    return float(f"{chance:.3g}")


#: Sources without which the search is incomplete, with their names in texts.
_UNREAD_SOURCE_NAMES: Mapping[Source, str] = {
    Source.CHANGES: "changes",
    Source.DEPENDENCIES: "what is upstream",
    Source.OPEN_INCIDENTS: "incidents that are open now",
    Source.HISTORY: "how often incidents come upstream",
}


def _reason(window: CorrelationWindow, considered: int, candidates: int) -> str:
    inputs = window.inputs
    missing = [name for source, name in _UNREAD_SOURCE_NAMES.items() if source in inputs.missing_sources]
    if inputs.changes_since is None and Source.CHANGES not in inputs.missing_sources:
        missing.append("how often changes come")
    if inputs.past_since is None and Source.HISTORY not in inputs.missing_sources:
        missing.append(_UNREAD_SOURCE_NAMES[Source.HISTORY])
    sentences = []
    if window.neighbourhood is None:
        sentences.append("The incident has no service, so what is upstream is unknown.")
    if not candidates:
        outcome = (
            "Nothing came closer than chance would bring it" if considered else "There was nothing to look at"
        )
        sentences.append(f"{outcome}: no candidate.")
    if considered:
        tested = f"{considered} source{'s were' if considered > 1 else ' was'} looked at"
        sentences.append(
            f"{tested}; of incidents that nothing led up to, at most {FALSE_DISCOVERY_RATE:.0%} show"
            f" a candidate (Benjamini–Hochberg)."
        )
    if missing:
        sentences.append(f"Not known: {', '.join(missing)}.")
    return " ".join(sentences)
