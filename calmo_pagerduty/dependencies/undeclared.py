"""Dependencies that nobody declared: services whose incidents begin together more often than by chance. Pure.

Two services are compared by their episodes: incidents of one service that begin within `TOGETHER` of the
last one are one episode. An episode of the rarer service coincides if one of the other begins within
`TOGETHER` of it. Its chance of coinciding is measured, not assumed: the share of the time around the same
hour of the week, in all other weeks, that lies within `TOGETHER` of an episode of the other service. So
office hours and rotas of deployments don't make a dependency. The number of coincidences then has a
Poisson-binomial distribution; p is the probability of as many or more. Benjamini-Hochberg holds the false
discovery rate over all pairs that could have been tested.

A pair says that two services fail together, and not which depends on which: the one that begins first more
often is proposed as the supporting one, and a person decides.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import networkx as nx

from calmo_pagerduty.dependencies.graph import ServiceGraph
from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds, union
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    Incident,
    Urgency,
)
from calmo_pagerduty.statistics.estimators import benjamini_hochberg_threshold

TOGETHER = 30 * 60
MIN_COINCIDENCES = 3
FALSE_DISCOVERY_RATE = 0.05
WEEK = 7 * 86_400
#: What counts as the same hour of the week, on either side.
SAME_HOUR = 3 * 3600
#: Less history gives no chance to compare with.
MIN_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Episode:
    """When a service began to fail, and the incident with which it did."""

    at: int
    incident_id: str


@dataclass(frozen=True, slots=True)
class ProposedDependency:
    """`pairs` are the incidents that began together: of the supporting service, and of the dependent one.

    `expected` is the number of coincidences that chance alone brings. `began_first` of the pairs, the
    supporting one began first.
    """

    supporting: ServiceKey
    dependent: ServiceKey
    pairs: tuple[tuple[str, str], ...]
    expected: float
    p: float
    began_first: int


def episodes_of(incidents: Iterable[Incident], window: Span) -> dict[ServiceKey, tuple[Episode, ...]]:
    """Return each technical service's episodes in the window, in order of time."""
    begun: dict[str, list[Episode]] = defaultdict(list)
    for incident in incidents:
        if window.start <= incident.created_at < window.end and incident.urgency is Urgency.HIGH:
            begun[incident.service_id].append(Episode(incident.created_at, incident.id))
    found = {}
    for service_id in sorted(begun):
        ordered = sorted(begun[service_id], key=lambda episode: (episode.at, episode.incident_id))
        kept = [
            episode
            for number, episode in enumerate(ordered)
            if number == 0 or episode.at - ordered[number - 1].at > TOGETHER
        ]
        found[ServiceKey(ServiceKind.TECHNICAL, service_id)] = tuple(kept)
    return found


def propose_dependencies(
    graph: ServiceGraph, incidents: Iterable[Incident], window: Span
) -> tuple[ProposedDependency, ...]:
    """Return the pairs that fail together, the most certain first. None in less than `MIN_WEEKS`.

    Pairs that a chain of declared dependencies explains, or a common service that both depend on, are left
    out.
    """
    if window.seconds < MIN_WEEKS * WEEK:
        return ()
    episodes = {
        key: found
        for key, found in episodes_of(incidents, window).items()
        if len(found) >= MIN_COINCIDENCES and key in graph.nodes
    }
    explained = _cones(graph, episodes)
    pairs = [pair for pair in combinations(episodes, 2) if explained[pair[0]].isdisjoint(explained[pair[1]])]
    near = _often_near(episodes)
    tested = [_compare(left, right, episodes, window) for left, right in pairs if (left, right) in near]
    # The other pairs were looked at too: nothing speaks for them.
    chances = [proposal.p for proposal in tested] + [1.0] * (len(pairs) - len(tested))
    threshold = benjamini_hochberg_threshold(chances, FALSE_DISCOVERY_RATE)
    found = [
        proposal for proposal in tested if proposal.p <= threshold and len(proposal.pairs) >= MIN_COINCIDENCES
    ]
    return tuple(sorted(found, key=lambda proposal: (proposal.p, proposal.supporting, proposal.dependent)))


def _often_near(
    episodes: Mapping[ServiceKey, Sequence[Episode]],
) -> set[tuple[ServiceKey, ServiceKey]]:
    """Return the pairs, in order, of which several episodes lie near each other."""
    ordered = sorted((episode.at, key) for key, found in episodes.items() for episode in found)
    counts: Counter[tuple[ServiceKey, ServiceKey]] = Counter()
    first = 0
    for number, (at, key) in enumerate(ordered):
        while ordered[first][0] < at - TOGETHER:
            first += 1
        for _, other in ordered[first:number]:
            if other != key:
                counts[min(key, other), max(key, other)] += 1
    return {pair for pair, count in counts.items() if count >= MIN_COINCIDENCES}


def _cones(graph: ServiceGraph, keys: Iterable[ServiceKey]) -> dict[ServiceKey, frozenset[ServiceKey]]:
    """Return each service with all that it depends on."""
    digraph = graph.digraph()
    return {key: frozenset({key, *nx.ancestors(digraph, key)}) for key in keys}


def _compare(
    left: ServiceKey, right: ServiceKey, episodes: Mapping[ServiceKey, Sequence[Episode]], window: Span
) -> ProposedDependency:
    rarer, other = sorted((left, right), key=lambda key: (len(episodes[key]), key))
    times = [episode.at for episode in episodes[other]]
    pairs = [
        (episode, near)
        for episode in episodes[rarer]
        if (near := _nearest(episode.at, times, episodes[other])) is not None
    ]
    near_other = union(Span(at - TOGETHER, at + TOGETHER + 1) for at in times)
    chances = [_chance(episode.at, near_other, window) for episode in episodes[rarer]]
    first = sum(episode.at <= near.at for episode, near in pairs)
    ids = tuple((episode.incident_id, near.incident_id) for episode, near in pairs)
    rarer_leads = 2 * first >= len(pairs)
    return ProposedDependency(
        supporting=rarer if rarer_leads else other,
        dependent=other if rarer_leads else rarer,
        pairs=ids if rarer_leads else tuple((low, high) for high, low in ids),
        expected=sum(chances),
        p=poisson_binomial_tail(chances, len(pairs)),
        began_first=first if rarer_leads else len(pairs) - first,
    )


def _nearest(at: int, times: Sequence[int], episodes: Sequence[Episode]) -> Episode | None:
    near = range(bisect_left(times, at - TOGETHER), bisect_right(times, at + TOGETHER))
    return min(
        (episodes[place] for place in near),
        key=lambda episode: (abs(episode.at - at), episode.at),
        default=None,
    )


def _chance(at: int, near_other: Sequence[Span], window: Span) -> float:
    """Return the share of the same hour of the other weeks that lies near an episode of the other service.

    Half an episode is added, so that no chance is 0.
    """
    weeks = (
        Span(at + number * WEEK - SAME_HOUR, at + number * WEEK + SAME_HOUR)
        for number in range((window.start - at) // WEEK, (window.end - at) // WEEK + 1)
        if number
    )
    looked_at = clip(weeks, window)
    starts = [span.start for span in near_other]
    covered = 0
    for span in looked_at:
        near = near_other[max(0, bisect_left(starts, span.start) - 1) : bisect_right(starts, span.end)]
        covered += total_seconds(clip(near, span))
    return min(1.0, (covered + TOGETHER) / max(total_seconds(looked_at), 2 * TOGETHER))


def poisson_binomial_tail(chances: Sequence[float], count: int) -> float:
    """Return the probability that at least `count` of independent events with these chances happen.

    Source: L. Le Cam, Pacific J. Math. 10 (1960) 1181-1197, for the distribution; it is summed exactly.
    """
    if count <= 0:
        return 1.0
    of_count = [1.0] + [0.0] * count
    for chance in chances:
        # The last place holds `count` and more.
        of_count[count] += of_count[count - 1] * chance
        for number in range(count - 1, 0, -1):
            of_count[number] += (of_count[number - 1] - of_count[number]) * chance
        of_count[0] *= 1 - chance
    return min(1.0, of_count[count])
