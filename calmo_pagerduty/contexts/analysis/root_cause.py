"""Find what correlates with an incident: events that chance would rarely bring so close to it.

Each event of each source has a likelihood ratio: by how much likelier it is where it is if it led to the
incident than by chance (`cause_model`). A single threshold decides. It is set by the chance that, at a
random moment, any event of any source reaches it: at most STREAMS_LEVEL. So the error rate is spent where a
cause is likeliest: on rare events, on near services, and on what came before past incidents. Of incidents
without any true correlate, at most FALSE_DISCOVERY_RATE show a candidate, however many sources there are:
bursts of the whole account get the rest of it (Benjamini–Hochberg).
Source: J. Neyman, E. S. Pearson (1933), Phil. Trans. R. Soc. A 231, 289-337: no test at the same error rate
finds more, if the weights are right; if they are wrong, it finds less, and the error rate still holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calmo_pagerduty.contexts.analysis.bursts import BURST_LEAD, Burst, find_burst
from calmo_pagerduty.contexts.analysis.cause_model import CauseModel, learn_causes
from calmo_pagerduty.contexts.analysis.cause_sources import CauseSource, cause_sources
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
    MIN_PAST_EVENTS,
    EventStream,
    StreamEvent,
)
from calmo_pagerduty.contexts.analysis.title_index import Floats
from calmo_pagerduty.contexts.facts import EntityRef, UntrustedText
from calmo_pagerduty.contexts.model import Candidate, RootCause
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.statistics.estimators import benjamini_hochberg_threshold

FALSE_DISCOVERY_RATE = 0.05
#: Bursts of the whole account get a part of the error rate, all other sources the most of it. The rest is a
#: reserve: rates are estimated, and events come in clusters.
BURSTS_LEVEL = 0.05 * FALSE_DISCOVERY_RATE
STREAMS_LEVEL = 0.85 * FALSE_DISCOVERY_RATE
#: A kind of change is called rare if there are so many times as many of all kinds.
_RARE_KIND = 4
#: A burst elsewhere names no culprit: it comes after all that do.
_RANK_OF_BURST = 0.0
MAX_CANDIDATES = 10
#: Beyond so many, the most telling events are candidates already.
_MAX_TESTED = 3 * MAX_CANDIDATES
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
    found = _stream_candidates(window, streams) + _burst_candidates(window, bursts)
    found.sort(
        key=lambda pair: (-pair[0], abs(pair[1].lead_seconds), pair[1].hops, pair[1].thing.id),
    )
    considered = len(streams) + len(bursts)
    return RootCause(
        candidates=tuple(candidate for _, candidate in found[:MAX_CANDIDATES]),
        considered=considered,
        reason=_reason(window, considered, len(found)),
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


def _stream_candidates(
    window: CorrelationWindow, streams: Sequence[EventStream]
) -> list[tuple[float, Candidate]]:
    """Return the candidates with what they are ranked by."""
    changes = {change.id: change for change in window.inputs.changes}
    past = service_incident_times(window)
    sources = cause_sources(window, streams)
    model = learn_causes(window, sources)
    events = [
        (model.ratio(source, event.lead), source, event)
        for source in sources
        for event in source.near[:MAX_CANDIDATES]
    ]
    events.sort(key=lambda row: (-row[0], row[2].id))
    found = []
    for ratio, source, event in events[:_MAX_TESTED]:
        overall = model.chance(sources, ratio)
        if overall > STREAMS_LEVEL:
            break
        evidence = _Evidence(source, event, ratio, overall, _because(model, source, overall))
        cause = changes[event.id] if source.stream.kind == "change" else window.incidents[event.id]
        found.append((ratio * _weight(window, cause), _candidate(window, evidence, cause, past)))
    return found


@dataclass(frozen=True, slots=True)
class _Evidence:
    """An event with its likelihood ratio, and the chance of any that is as telling."""

    source: CauseSource
    event: StreamEvent
    ratio: float
    overall_chance: float
    because: tuple[str, ...]


def _candidate(
    window: CorrelationWindow, evidence: _Evidence, cause: Change | AnyIncident, past: Floats
) -> Candidate:
    stream, event = evidence.source.stream, evidence.event
    chance = stream.chance_of(event.lead)
    since = window.inputs.now.timestamp() - stream.seconds
    lift = stream.lift(past, _LIFT_WINDOW[stream.kind], since)
    path = window.neighbourhood.paths.get(stream.service_id or "", ()) if window.neighbourhood else ()
    return Candidate(
        kind=stream.kind,
        thing=EntityRef(
            id=event.id, kind="change_event" if isinstance(cause, Change) else "incident", url=cause.url
        ),
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
        likelihood_ratio=_rounded(evidence.ratio),
        overall_chance=_rounded(evidence.overall_chance),
        because=evidence.because,
    )


def _because(model: CauseModel, source: CauseSource, overall: float) -> tuple[str, ...]:
    """Return in words what the account's past adds to time and distance. It has no text from outside."""
    kind = source.stream.kind
    words = []
    past = model.histories[kind].precedents(source)
    within = "the hour" if kind == "change" else "half an hour"
    if past.of >= MIN_PAST_EVENTS and past.preceded > past.expected:
        words.append(
            f"such {'a change' if kind == 'change' else 'an incident'} came within {within} before"
            f" {past.preceded} of the service's {past.of} incidents; {past.expected:.1f} by chance"
        )
    if past.rolled_back:
        words.append(f"{past.rolled_back} of its past incidents ended with a rollback there")
    everything = len(source.stream.times)
    if source.count * _RARE_KIND <= everything:
        days = source.stream.seconds / (24 * HOUR)
        words.append(f"of its kind {source.count} in {days:.0f} days, of all kinds {everything}")
    words.append(f"anything as telling comes by chance before 1 of {1 / max(overall, 1e-6):,.0f} incidents")
    return tuple(words)


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
    window: CorrelationWindow, bursts: Sequence[_AccountBurst]
) -> list[tuple[float, Candidate]]:
    """Return the bursts with what they are ranked by."""
    chances = [each.burst.chance if each.burst else 1.0 for each in bursts]
    limit = benjamini_hochberg_threshold(chances, BURSTS_LEVEL) if bursts else -1.0
    return [
        (
            _RANK_OF_BURST,
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
            ),
        )
        for account_burst in bursts
        if (burst := account_burst.burst) is not None and burst.chance <= limit
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
            f" a candidate."
        )
    if missing:
        sentences.append(f"Not known: {', '.join(missing)}.")
    return " ".join(sentences)
