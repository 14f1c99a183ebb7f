"""Who handled past incidents, and whether that tells who handles the next: tested on the past itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PastIncident, Person
from calmo_pagerduty.contexts.analysis.similarity import MIN_SCORE, MIN_SIMILARITY, distance_decays
from calmo_pagerduty.contexts.analysis.streams import DAY
from calmo_pagerduty.contexts.analysis.title_index import Floats, TitleSimilarity

#: After so long, having handled an incident counts half.
HALF_LIFE_DAYS = 90.0
#: Who did this handled the incident.
HANDLING_ACTIONS = frozenset({"acknowledged", "resolved"})
#: Tests of fewer incidents tell nothing; more are not needed.
MIN_BACKTEST_SIZE = 10
MAX_BACKTEST_SIZE = 100
TOP_K = 3


@dataclass(frozen=True, slots=True)
class Backtest:
    """How often one of the first three named did handle an incident of the service's past: by what they
    handled before it, and by who is on call now. Shares are None if nothing was tested.
    """

    of: int
    hit_at_3: float | None = None
    baseline: float | None = None


def responder_ids(past: PastIncident, people: Mapping[str, Person]) -> tuple[str, ...]:
    """Return the ids of people who handled it and are still active, in order."""
    return tuple(
        sorted(
            {
                did.who.id
                for did in past.responded
                if did.did in HANDLING_ACTIONS and is_active(did.who.id, people)
            }
        )
    )


def is_active(person_id: str, people: Mapping[str, Person]) -> bool:
    """Whether it is a person of the account's today. Machines and former members aren't."""
    person = people.get(person_id)
    return person is not None and person.is_active


def on_call_levels(inputs: AssessmentInput) -> dict[str, int]:
    """Return the people on call with their lowest level, the first to be called first."""
    found: dict[str, int] = {}
    for on_call in sorted(inputs.on_call, key=lambda on_call: (on_call.level, on_call.person_id)):
        found.setdefault(on_call.person_id, on_call.level)
    return found


def recency_weight(at: datetime, now: datetime) -> float:
    """Return 2^(−age / 90 days); 1 for what clocks put into the future."""
    return float(2.0 ** (-max(0.0, (now - at).total_seconds()) / DAY / HALF_LIFE_DAYS))


def leave_one_out_backtest(
    inputs: AssessmentInput, similarity: TitleSimilarity, neighbourhood: Neighbourhood | None
) -> Backtest:
    """Name three people for each of the service's past incidents by what was known before it."""
    evidence = _Evidence.build(inputs, neighbourhood)
    service = inputs.incident.service
    asked = [at for at in evidence.rows if service and inputs.past[at].service_id == service.id]
    newest = sorted(asked, key=lambda at: (-evidence.began[at], inputs.past[at].id))[:MAX_BACKTEST_SIZE]
    if not newest:
        return Backtest(0)
    close = similarity.scores_for_each([inputs.past[at].title for at in newest])
    called = frozenset(list(on_call_levels(inputs))[:TOP_K])
    hits = baseline = 0
    for at, likenesses in zip(newest, close, strict=True):
        really = set(evidence.who[at])
        hits += not really.isdisjoint(evidence.top_responders(at, likenesses))
        baseline += not really.isdisjoint(called)
    return Backtest(len(newest), round(hits / len(newest), 4), round(baseline / len(newest), 4))


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Past incidents that somebody is known to have handled. `rows` are their places in the past."""

    rows: Sequence[int]
    who: Mapping[int, tuple[str, ...]]
    people: Sequence[str]
    #: Of each past incident: when it began, in epoch seconds, and what its service's distance leaves.
    began: Floats
    fades: Floats
    #: Pairs of an incident's place and a person's.
    incident: np.ndarray[tuple[int], np.dtype[np.int64]]
    person: np.ndarray[tuple[int], np.dtype[np.int64]]

    @classmethod
    def build(cls, inputs: AssessmentInput, neighbourhood: Neighbourhood | None) -> _Evidence:
        who = {
            at: found
            for at, incident in enumerate(inputs.past)
            if (found := responder_ids(incident, inputs.people))
        }
        people = sorted({person for found in who.values() for person in found})
        place = {person: at for at, person in enumerate(people)}
        pairs = [(at, place[person]) for at, found in who.items() for person in found]
        flat = np.array(pairs, np.int64).reshape(-1, 2)
        began = np.array([incident.created_at.timestamp() for incident in inputs.past], np.float64)
        return cls(
            tuple(who),
            who,
            people,
            began,
            distance_decays(inputs.past, neighbourhood),
            flat[:, 0],
            flat[:, 1],
        )

    def top_responders(self, at: int, likenesses: Floats) -> Iterator[str]:
        """Return the first three by what they handled before the incident at this place."""
        age = np.maximum(0.0, self.began[at] - self.began) / DAY
        scores = likenesses * self.fades
        counts = (likenesses >= MIN_SIMILARITY) & (scores >= MIN_SCORE) & (self.began < self.began[at])
        weights = np.where(counts, scores * 2.0 ** (-age / HALF_LIFE_DAYS), 0.0)
        total = np.bincount(self.person, weights[self.incident], minlength=len(self.people))
        for place in np.argsort(-total, kind="stable")[:TOP_K].tolist():
            if total[place] > 0:
                yield self.people[place]
