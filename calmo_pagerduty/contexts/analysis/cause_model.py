"""Learn from the account's own past where causes come from, and how surely each source is told by it.

An incident is caused by an event of source i with the probability `weight` w_i, or by nothing that we see.
Before a caused incident the event comes with the density f of lead times; by chance, events come at their
rate λ_i. So an event with the lead L speaks for its source by the likelihood ratio w_i · f(L) / λ_i.

- First, all past incidents of the service and of those upstream tell three figures: the share of incidents
  that something caused, by how much each hop lowers it, and how long before causes come. Each is a small grid
  with a prior, and the average over the grid by its probability (empirical Bayes) is used. The prior keeps
  what never happened possible.
- Then the kinds of change that preceded incidents, on whatever service, gain; the others lose.
- Last, the service's own past incidents tell which source preceded them: the probability of each attribution
  is counted (stochastic declustering), beside a prior that weighs as much as PRIOR_INCIDENTS incidents.

A change that was rolled back while an incident went on is attributed to it for sure.
Sources: H. Robbins (1956), "An empirical Bayes approach to statistics"; J. Zhuang, Y. Ogata, D. Vere-Jones,
"Stochastic declustering of space-time earthquake occurrences", JASA 97 (2002) 369-380.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeAlias

import numpy as np

from calmo_pagerduty.contexts.analysis.cause_history import (
    Attribution,
    CauseHistory,
    Key,
    past_attributions,
)
from calmo_pagerduty.contexts.analysis.cause_sources import CauseSource, shared
from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import DECAY_PER_HOP
from calmo_pagerduty.contexts.analysis.lead_times import (
    CHANGE_SCALES,
    INCIDENT_SCALES,
    STEPS,
    TAIL_SHARES,
    LeadTimes,
)
from calmo_pagerduty.contexts.analysis.title_index import Floats

Kind: TypeAlias = Literal["change", "incident"]
#: Shares of incidents that events of a kind caused, and factors per hop, with their prior probabilities.
CAUSED_SHARES: Mapping[float, float] = {0.05: 0.25, 0.15: 0.25, 0.3: 0.25, 0.6: 0.25}
HOP_DECAYS: Mapping[float, float] = {0.5: 0.25, DECAY_PER_HOP: 0.5, 1.0: 0.25}
SCALES: Mapping[Kind, Mapping[float, float]] = {"change": CHANGE_SCALES, "incident": INCIDENT_SCALES}
#: The prior of a source weighs as much as so many past incidents of the service.
PRIOR_INCIDENTS = 20.0
#: The prior of a kind of change weighs as much as so many caused incidents.
PRIOR_OF_KIND = 2.0
#: How often attributions and weights are found from each other.
_ROUNDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class CauseModel:
    """Weights by the key of a source, and the lead times of each kind of events."""

    weights: Mapping[Key, float]
    leads: Mapping[Kind, LeadTimes]
    histories: Mapping[Kind, CauseHistory]

    def ratio(self, source: CauseSource, lead: float) -> float:
        """Return the likelihood ratio of an event of the source with this lead (seconds)."""
        return self.weights[source.key] * self.leads[source.stream.kind].at(lead) / source.rate

    def chance(self, sources: Iterable[CauseSource], ratio: float) -> float:
        """Return the probability that by chance any event of the sources reaches this likelihood ratio.

        1 − exp(−Σ λ_i · t_i), where an event of source i reaches it within t_i seconds around the incident.
        It is exact for Poisson processes with these rates, however the weights were found, if they were found
        from other incidents: so weights may be learned, and the error rate holds.
        """
        expected = 0.0
        for source in sources:
            weight = self.weights[source.key]
            if weight > 0:
                level = ratio * source.rate / weight
                expected += source.rate * self.leads[source.stream.kind].seconds_above(level)
        return float(-np.expm1(-expected))


def learn_causes(window: CorrelationWindow, sources: Sequence[CauseSource]) -> CauseModel:
    """Return the model for the window's incident, from its past alone."""
    weights: dict[Key, float] = {}
    leads: dict[Kind, LeadTimes] = {}
    histories: dict[Kind, CauseHistory] = {}
    kinds: tuple[Kind, ...] = ("change", "incident")
    for kind in kinds:
        of_kind = [source for source in sources if source.stream.kind == kind]
        history = past_attributions(window, of_kind, kind)
        figures = _figures(history, kind, _open_share(window) if kind == "incident" else None)
        leads[kind], histories[kind] = figures.leads, history
        weights |= _weights(of_kind, history, figures)
    return CauseModel(weights, leads, histories)


@dataclass(frozen=True, slots=True, eq=False)
class _Figures:
    """What all past incidents tell: probabilities of (share, decay), and the lead times."""

    shares: Mapping[tuple[float, float], float]
    leads: LeadTimes

    @property
    def share(self) -> float:
        """The probability that such an event caused an incident."""
        return sum(share * probability for (share, _), probability in self.shares.items())

    def ring_weights(self, rings: Iterable[int]) -> dict[int, float]:
        """Return the probability that the cause lies so many hops upstream."""
        present = sorted(set(rings))
        return {
            hops: sum(
                probability * share * decay**hops / sum(decay**other for other in present)
                for (share, decay), probability in self.shares.items()
            )
            for hops in present
        }


def _figures(history: CauseHistory, kind: Kind, open_share: Floats | None) -> _Figures:
    scales = SCALES[kind]
    grid = list(product(CAUSED_SHARES, HOP_DECAYS, scales))
    logs = np.array(
        [
            np.log(CAUSED_SHARES[share] * HOP_DECAYS[decay] * scales[scale])
            + history.log_likelihood(share, decay, scale, TAIL_SHARES[kind])
            for share, decay, scale in grid
        ]
    )
    probabilities = np.exp(logs - logs.max())
    probabilities /= probabilities.sum()
    shares: dict[tuple[float, float], float] = defaultdict(float)
    by_scale: dict[float, float] = defaultdict(float)
    for (share, decay, scale), probability in zip(grid, probabilities.tolist(), strict=True):
        shares[share, decay] += probability
        by_scale[scale] += probability
    return _Figures(dict(shares), LeadTimes(dict(by_scale), TAIL_SHARES[kind], open_share))


def _open_share(window: CorrelationWindow) -> Floats:
    """Return for each of STEPS the share of past incidents that were open for longer."""
    lengths = [
        (incident.resolved_at - incident.created_at).total_seconds()
        for incident in window.inputs.past
        if incident.resolved_at is not None
    ]
    if not lengths:
        return np.ones(len(STEPS))
    shorter = np.searchsorted(np.sort(lengths), STEPS, side="right")
    share: Floats = 1 - shorter / len(lengths)
    return share


def _weights(sources: Sequence[CauseSource], history: CauseHistory, figures: _Figures) -> dict[Key, float]:
    rings = figures.ring_weights(source.stream.hops for source in sources)
    usual = history.usual_weights(figures.ring_weights)
    attributions = history.attributed(usual, figures.leads, figures.share)
    prior = _prior(sources, rings, _kind_factors(sources, attributions))
    weights = prior
    for _ in range(_ROUNDS):
        pair_weights = history.own_weights(weights, usual)
        share = sum(weights.values())
        attributions = history.attributed(pair_weights, figures.leads, share)
        weights = _updated(prior, [found for found in attributions if found.is_own], history.own_incidents)
    return weights


def _updated(prior: Mapping[Key, float], own: Sequence[Attribution], incidents: int) -> dict[Key, float]:
    """Return the weights after the service's own past incidents: first of services, then of their kinds."""
    by_service: dict[str, float] = defaultdict(float)
    seen_of_service: dict[str, float] = defaultdict(float)
    seen: dict[Key, float] = defaultdict(float)
    for key, weight in prior.items():
        by_service[key[1]] += weight
    for attribution in own:
        seen[attribution.key] += attribution.probability
        seen_of_service[attribution.key[1]] += attribution.probability
    return {
        key: (PRIOR_INCIDENTS * by_service[key[1]] + seen_of_service[key[1]])
        / (PRIOR_INCIDENTS + incidents)
        * (PRIOR_OF_KIND * weight / by_service[key[1]] + seen[key])
        / (PRIOR_OF_KIND + seen_of_service[key[1]])
        for key, weight in prior.items()
    }


def _prior(
    sources: Sequence[CauseSource],
    rings: Mapping[int, float],
    factors: Mapping[Key, float],
) -> dict[Key, float]:
    """Share the weight of each ring between its services, and that of a service between its kinds."""
    by_service: dict[tuple[int, str], list[CauseSource]] = defaultdict(list)
    for source in sources:
        by_service[source.stream.hops, source.stream.service_id or ""].append(source)
    by_ring: dict[int, list[str]] = defaultdict(list)
    for hops, service_id in by_service:
        by_ring[hops].append(service_id)
    weights: dict[Key, float] = {}
    for hops, services in by_ring.items():
        counts = [sum(source.count for source in by_service[hops, service_id]) for service_id in services]
        for service_id, share in zip(services, shared(counts), strict=True):
            of_service = by_service[hops, service_id]
            parts = shared([source.count for source in of_service])
            parts = [part * factors[source.key] for part, source in zip(parts, of_service, strict=True)]
            for source, part in zip(of_service, parts, strict=True):
                weights[source.key] = rings[hops] * share * part / sum(parts)
    return weights


def _kind_factors(sources: Sequence[CauseSource], attributions: Sequence[Attribution]) -> dict[Key, float]:
    """Return by how much each kind of change caused more than its share, on any service: (observed +
    PRIOR_OF_KIND) / (expected + PRIOR_OF_KIND).
    """
    observed: dict[str, float] = defaultdict(float)
    expected: dict[str, float] = defaultdict(float)
    of_service: dict[str, list[CauseSource]] = defaultdict(list)
    for source in sources:
        of_service[source.key[1]].append(source)
    for attribution in attributions:
        _, service_id, kind = attribution.key
        observed[kind] += attribution.probability
        others = of_service[service_id]
        for other, part in zip(others, shared([other.count for other in others]), strict=True):
            expected[other.key[2]] += attribution.probability * part
    return {
        source.key: (observed[source.key[2]] + PRIOR_OF_KIND) / (expected[source.key[2]] + PRIOR_OF_KIND)
        for source in sources
    }
