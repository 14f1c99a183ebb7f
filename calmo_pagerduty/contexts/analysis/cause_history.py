"""What preceded the past incidents of a service and of those upstream: pairs of an incident and an event.

Only incidents before the last day are looked at, so the events that are tested now taught nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calmo_pagerduty.contexts.analysis.cause_sources import CauseSource, is_rollback, shared
from calmo_pagerduty.contexts.analysis.correlation import CHANGE_WINDOW, INCIDENT_WINDOW, CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_HOPS
from calmo_pagerduty.contexts.analysis.inputs import PastIncident
from calmo_pagerduty.contexts.analysis.lead_times import LeadTimes, density
from calmo_pagerduty.contexts.analysis.streams import DAY, HOUR, hourly_rate_ratio
from calmo_pagerduty.contexts.analysis.title_index import Floats, Ints
from calmo_pagerduty.statistics.estimators import poisson_at_least_one

#: The newest are looked at, of the service and the nearest upstream.
MAX_INCIDENTS = 400
MAX_SERVICES = 40
#: With so many pairs, older incidents are left out.
MAX_PAIRS = 10_000
#: How long before an incident an event may have caused it, for learning (seconds).
LEARNING_WINDOW: Mapping[str, float] = {"change": 4 * HOUR, "incident": INCIDENT_WINDOW}
#: "Shortly before", in what is told (seconds).
SHORTLY: Mapping[str, float] = {"change": HOUR, "incident": INCIDENT_WINDOW}
#: A rollback this long after an incident's end still belongs to it (seconds).
_ROLLBACK_AFTER = HOUR / 2
_ROLLBACK_WITHIN = 4 * HOUR
Key = tuple[str, str, str]


class Attribution(NamedTuple):
    """How probably an event of the source `key` caused a past incident. `is_own`: of the same service."""

    key: Key
    probability: float
    is_own: bool


class Precedents(NamedTuple):
    """Of the service's own `of` past incidents, how many an event of a source came shortly before; how many
    by chance; and how many ended with a rollback of it.
    """

    preceded: int
    of: int
    expected: float
    rolled_back: int


class _Pair(NamedTuple):
    incident: int
    source: int
    hops: int
    #: The source's part of what the ring has.
    part: float
    #: Events per second at that hour.
    rate: float
    lead: float


@dataclass(frozen=True, slots=True)
class _LearnedIncident:
    """A past incident that is learned from: its service, its start in epoch seconds, and at which distances
    upstream of it there are events at all.
    """

    service_id: str
    at: float
    rings: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CauseHistory:
    """Past incidents with the events before them. In `certain` incidents, a rollback told the cause."""

    service_id: str
    sources: Sequence[CauseSource]
    incidents: Sequence[_LearnedIncident] = ()
    pairs: Sequence[_Pair] = ()
    certain: frozenset[int] = frozenset()
    _columns: Mapping[str, Floats] = field(init=False)

    def __post_init__(self) -> None:
        rows = np.array([tuple(pair) for pair in self.pairs], np.float64).reshape(-1, len(_Pair._fields))
        columns = {name: rows[:, at] for at, name in enumerate(_Pair._fields)}
        object.__setattr__(self, "_columns", columns)

    @property
    def own_incidents(self) -> int:
        return sum(incident.service_id == self.service_id for incident in self.incidents)

    @cached_property
    def _of_pair(self) -> Ints:
        return self._columns["incident"].astype(np.int64)

    @cached_property
    def _is_certain(self) -> NDArray[np.bool_]:
        return np.array([at in self.certain for at in range(len(self.incidents))], bool)

    @cached_property
    def _is_own(self) -> NDArray[np.bool_]:
        own = [self.incidents[pair.incident].service_id == self.service_id for pair in self.pairs]
        return np.array(own, bool)

    def log_likelihood(self, share: float, decay: float, scale: float, tail: float) -> float:
        """Return the log likelihood of all past incidents if this `share` was caused by such events."""
        if not self.incidents:
            return 0.0
        whole = np.array([sum(decay**hops for hops in incident.rings) for incident in self.incidents])
        ring = share * decay ** self._columns["hops"] / np.maximum(whole, 1e-9)[self._of_pair]
        ratios = ring * self._columns["part"] * density(scale, self._columns["lead"], tail)
        none = np.where(whole > 0, 1 - share, 1.0)
        return float(np.log(self._sums(ratios / self._columns["rate"], none)).sum())

    def usual_weights(self, ring_weights: Callable[[Iterable[int]], Mapping[int, float]]) -> Floats:
        """Return for each pair how likely its source is the cause, before its lead is looked at."""
        by_rings = {rings: ring_weights(rings) for rings in {incident.rings for incident in self.incidents}}
        rings = [by_rings[self.incidents[pair.incident].rings][pair.hops] for pair in self.pairs]
        return np.array(rings, np.float64) * self._columns["part"]

    def own_weights(self, weights: Mapping[Key, float], usual: Floats) -> Floats:
        """Return `usual`, with the weights by key for the service's own incidents."""
        own = [weights[self.sources[pair.source].key] for pair in self.pairs]
        return np.where(self._is_own, np.array(own, np.float64), usual)

    def attributed(self, weights: Floats, leads: LeadTimes, share: float) -> list[Attribution]:
        """Return how probably each event caused its incident. `share` of the incidents have such a cause."""
        if not self.pairs:
            return []
        densities = np.array([leads.at(pair.lead) for pair in self.pairs])
        each = weights * densities / self._columns["rate"]
        total = self._sums(each, np.full(len(self.incidents), 1 - share))
        probabilities = each / total[self._of_pair]
        return [
            Attribution(self.sources[pair.source].key, probability, is_own)
            for pair, probability, is_own in zip(
                self.pairs, probabilities.tolist(), self._is_own.tolist(), strict=True
            )
        ]

    def precedents(self, source: CauseSource) -> Precedents:
        """Return how often events of the source came shortly before the service's own past incidents."""
        own = {at for at, incident in enumerate(self.incidents) if incident.service_id == self.service_id}
        within = SHORTLY[source.stream.kind]
        before = {
            pair.incident
            for pair in self.pairs
            if pair.incident in own and pair.lead <= within and self.sources[pair.source].key == source.key
        }
        expected = len(own) * poisson_at_least_one(source.usual_rate, within)
        return Precedents(len(before), len(own), expected, len(before & self.certain))

    def _sums(self, each: Floats, none: Floats) -> Floats:
        """Add what speaks for each event of an incident, and for none of them unless the cause is certain."""
        sums = np.bincount(self._of_pair, each, minlength=len(self.incidents)).astype(np.float64)
        return sums + np.where(self._is_certain, 0.0, none)


def past_attributions(window: CorrelationWindow, sources: Sequence[CauseSource], kind: str) -> CauseHistory:
    """Return the past incidents with the events of the sources before them."""
    neighbourhood = window.neighbourhood
    located = [source for source in sources if source.stream.service_id is not None]
    if neighbourhood is None or not located:
        return CauseHistory(neighbourhood.service_id if neighbourhood else "", sources)
    events = _Events.of(window, located, kind)
    services = [*window.hops][:MAX_SERVICES]
    upstream = {
        service_id: events.parts_by_service(_hops_upstream(neighbourhood.edges, service_id))
        for service_id in services
    }
    since = window.inputs.now.timestamp() - window.observed[kind] + LEARNING_WINDOW[kind]
    until = window.at - CHANGE_WINDOW
    learned: list[_LearnedIncident] = []
    pairs: list[_Pair] = []
    certain: set[int] = set()
    for incident in window.inputs.past:
        at = incident.created_at.timestamp()
        if len(learned) >= MAX_INCIDENTS or len(pairs) >= MAX_PAIRS:
            break
        if incident.service_id not in upstream or not since <= at <= until:
            continue
        parts = upstream[incident.service_id]
        found = events.before(at, parts, len(learned))
        rolled_back = events.rolled_back(incident, at, found)
        if rolled_back is not None:
            certain.add(len(learned))
            found = [rolled_back]
        rings = tuple(sorted({distance for distance, _ in parts.values()}))
        learned.append(_LearnedIncident(incident.service_id, at, rings))
        pairs += found
    return CauseHistory(neighbourhood.service_id, located, learned, pairs, frozenset(certain))


def _hops_upstream(edges: Sequence[tuple[str, str]], service_id: str) -> dict[str, int]:
    """Return the services at most MAX_HOPS upstream, with their hops; the service itself with 0."""
    supporting: dict[str, list[str]] = defaultdict(list)
    for support, dependent in edges:
        supporting[dependent].append(support)
    hops = {service_id: 0}
    wave = [service_id]
    for distance in range(1, MAX_HOPS + 1):
        reached = dict.fromkeys(support for dependent in wave for support in supporting[dependent])
        wave = [support for support in reached if support not in hops]
        hops |= dict.fromkeys(wave, distance)
    return hops


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """All events of the sources in the order of time, and what is needed to weigh them."""

    kind: str
    sources: Sequence[CauseSource]
    times: list[float]
    source_at: list[int]
    #: When a service's changes were rolled back.
    rollbacks: Sequence[tuple[float, str]]
    #: By the hour of the day (UTC), the rate divided by the average rate.
    hourly: Sequence[float]
    #: By service, its number of events; by source, its part of its service.
    counts: Mapping[str, int]
    parts: Sequence[float]

    @classmethod
    def of(cls, window: CorrelationWindow, sources: Sequence[CauseSource], kind: str) -> _Events:
        merged = sorted((at, index) for index, source in enumerate(sources) for at in source.times.tolist())
        everything = np.array([at for at, _ in merged], np.float64)
        seconds = window.observed[kind]
        of_service: dict[str, list[int]] = defaultdict(list)
        for index, source in enumerate(sources):
            of_service[source.key[1]].append(index)
        parts = [0.0] * len(sources)
        for indices in of_service.values():
            for index, part in zip(indices, shared([sources[at].count for at in indices]), strict=True):
                parts[index] = part
        rollbacks = sorted(
            (change.at.timestamp(), service_id)
            for change in (window.inputs.changes if kind == "change" else ())
            if is_rollback(change.summary)
            for service_id in change.service_ids
        )
        return cls(
            kind,
            sources,
            [at for at, _ in merged],
            [index for _, index in merged],
            rollbacks,
            [hourly_rate_ratio(everything, (hour + 0.5) * HOUR, seconds) for hour in range(24)],
            {
                service_id: sum(sources[index].count for index in indices)
                for service_id, indices in of_service.items()
            },
            parts,
        )

    def parts_by_service(self, hops: Mapping[str, int]) -> dict[str, tuple[int, float]]:
        """Return for each service with events its distance, and its part of what its ring has."""
        lowest = 0 if self.kind == "change" else 1
        rings: dict[int, list[str]] = defaultdict(list)
        for service_id in self.counts:
            if hops.get(service_id, -1) >= lowest:
                rings[hops[service_id]].append(service_id)
        return {
            service_id: (distance, part)
            for distance, services in rings.items()
            for service_id, part in zip(services, shared([self.counts[id_] for id_ in services]), strict=True)
        }

    def before(self, at: float, parts: Mapping[str, tuple[int, float]], index: int) -> list[_Pair]:
        """Return the events that may have caused the incident with this index, which began `at`."""
        ratio = self.hourly[int(at % DAY // HOUR)]
        found = []
        first = bisect_left(self.times, at - LEARNING_WINDOW[self.kind])
        for place in range(first, bisect_right(self.times, at)):
            source = self.source_at[place]
            service_id = self.sources[source].key[1]
            if service_id not in parts:
                continue
            distance, of_ring = parts[service_id]
            part = self.parts[source] * of_ring
            rate = self.sources[source].usual_rate * ratio
            found.append(_Pair(index, source, distance, part, rate, at - self.times[place]))
        return found

    def rolled_back(self, incident: PastIncident, at: float, found: Sequence[_Pair]) -> _Pair | None:
        """Return the last event before the incident on the service whose change was then rolled back."""
        ended = incident.resolved_at.timestamp() if incident.resolved_at else at + _ROLLBACK_WITHIN
        until = min(ended + _ROLLBACK_AFTER, at + _ROLLBACK_WITHIN)
        services = {service_id for moment, service_id in self.rollbacks if at < moment <= until}
        of_them = [pair for pair in found if self.sources[pair.source].key[1] in services]
        return min(of_them, key=lambda pair: pair.lead, default=None)
