"""Find who handled past incidents, and backtest whether that predicts who handles the next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, PastIncident, Person
from calmo_pagerduty.contexts.analysis.similarity import MIN_SCORE, MIN_SIMILARITY, distance_decays
from calmo_pagerduty.contexts.analysis.streams import DAY
from calmo_pagerduty.contexts.analysis.title_index import Floats, TitleSimilarity

#: The half-life of the weight of a handled incident.
HALF_LIFE_DAYS = 90.0
#: A person who did one of these handled the incident; the first tells more than the second.
HANDLING_ACTIONS = ("resolved", "acknowledged")
#: A backtest needs so many incidents, and uses at most so many.
MIN_BACKTEST_SIZE = 10
MAX_BACKTEST_SIZE = 100
TOP_K = 3
#: With less known than this part of the least that a trial had, the past isn't like the case at hand.
MIN_LIKE_STRENGTH = 0.5


@dataclass(frozen=True, slots=True)
class Backtest:
    """The share of `of` past incidents of the service, like this one, that one of three people handled.

    `hit_at_3` predicts by what people handled before; `baseline` by who is on call now. Both are None if
    nothing was tested.
    """

    of: int
    hit_at_3: float | None = None
    baseline: float | None = None


def responder_ids(past: PastIncident, people: Mapping[str, Person]) -> tuple[str, ...]:
    """Return the sorted ids of people who handled it and are still active: who resolved it, else who
    acknowledged it.

    Whoever acknowledged what another person then resolved may only have passed it on.
    """
    for deed in HANDLING_ACTIONS:
        did_it = {action.who.id for action in past.responded if action.did == deed}
        if found := sorted(person_id for person_id in did_it if is_active(person_id, people)):
            return tuple(found)
    return ()


def is_active(person_id: str, people: Mapping[str, Person]) -> bool:
    """Return whether the id is an active user of the account: no machine, no former member."""
    person = people.get(person_id)
    return person is not None and person.is_active


def on_call_levels(inputs: AssessmentInput) -> dict[str, int]:
    """Return the lowest level of each person on call, by id, the lowest level first."""
    levels: dict[str, int] = {}
    for on_call in sorted(inputs.on_call, key=lambda on_call: (on_call.level, on_call.person_id)):
        levels.setdefault(on_call.person_id, on_call.level)
    return levels


def recency_weight(at: datetime, now: datetime) -> float:
    """Return 2^(−age / HALF_LIFE_DAYS); 1 for a time in the future."""
    return float(2.0 ** (-max(0.0, (now - at).total_seconds()) / DAY / HALF_LIFE_DAYS))


def leave_one_out_backtest(
    inputs: AssessmentInput,
    similarity: TitleSimilarity,
    neighbourhood: Neighbourhood | None,
    strength: float,
) -> Backtest:
    """Predict three people for each of the service's past incidents, from incidents before it only.

    Counted are those like the case at hand: about as much had been handled before them (`strength`, see
    `evidence_strength`). When the account was new nobody could have been named, which tells nothing of now.
    """
    evidence = _Evidence.build(inputs, neighbourhood)
    service = inputs.incident.service
    on_service = [at for at in evidence.rows if service and inputs.past[at].service_id == service.id]
    newest = sorted(on_service, key=lambda at: (-evidence.began[at], inputs.past[at].id))[:MAX_BACKTEST_SIZE]
    if not newest:
        return Backtest(0)
    similarities = similarity.scores_for_each([inputs.past[at].title for at in newest])
    on_call = frozenset(list(on_call_levels(inputs))[:TOP_K])
    trials = []
    for at, row in zip(newest, similarities, strict=True):
        handlers = set(evidence.handlers_of[at])
        people, known = evidence.top_responders(at, row)
        if people:
            is_hit, is_on_call = not handlers.isdisjoint(people), not handlers.isdisjoint(on_call)
            trials.append(_Trial(known, is_hit, is_on_call))
    alike = _alike(trials, strength)
    if not alike:
        return Backtest(0)
    hits, baseline = sum(trial.is_hit for trial in alike), sum(trial.is_on_call for trial in alike)
    return Backtest(len(alike), round(hits / len(alike), 4), round(baseline / len(alike), 4))


class _Trial(NamedTuple):
    """A past incident for which people would have been named, and whether that was right."""

    strength: float
    is_hit: bool
    #: Whether somebody who is on call now handled it.
    is_on_call: bool


def _alike(trials: Sequence[_Trial], strength: float) -> Sequence[_Trial]:
    """Return the half of the trials whose strength is most like this one, MIN_BACKTEST_SIZE at least; none if
    less is known of the case at hand than of any trial.
    """
    if not trials or strength < min(trial.strength for trial in trials) * MIN_LIKE_STRENGTH:
        return ()
    nearest = sorted(trials, key=lambda trial: abs(math.log(trial.strength / strength)))
    return nearest[: max(MIN_BACKTEST_SIZE, math.ceil(len(trials) / 2))]


def evidence_strength(scores: Iterable[tuple[float, datetime]], now: datetime) -> float:
    """Return the sum of score × recency weight of the handled similar incidents: how much is known."""
    return sum(score * recency_weight(at, now) for score, at in scores)


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Past incidents with known handlers. `rows` are their indices in the past."""

    rows: Sequence[int]
    handlers_of: Mapping[int, tuple[str, ...]]
    people: Sequence[str]
    #: For each past incident: its start in epoch seconds, and its service's distance decay.
    began: Floats
    decays: Floats
    #: Pairs of an index of the past and an index of `people`.
    incident: np.ndarray[tuple[int], np.dtype[np.int64]]
    person: np.ndarray[tuple[int], np.dtype[np.int64]]

    @classmethod
    def build(cls, inputs: AssessmentInput, neighbourhood: Neighbourhood | None) -> _Evidence:
        handlers_of = {
            at: handlers
            for at, incident in enumerate(inputs.past)
            if (handlers := responder_ids(incident, inputs.people))
        }
        people = sorted({person for handlers in handlers_of.values() for person in handlers})
        column = {person: at for at, person in enumerate(people)}
        pairs = [(at, column[person]) for at, handlers in handlers_of.items() for person in handlers]
        flat = np.array(pairs, np.int64).reshape(-1, 2)
        began = np.array([incident.created_at.timestamp() for incident in inputs.past], np.float64)
        return cls(
            tuple(handlers_of),
            handlers_of,
            people,
            began,
            distance_decays(inputs.past, neighbourhood),
            flat[:, 0],
            flat[:, 1],
        )

    def top_responders(self, at: int, similarities: Floats) -> tuple[list[str], float]:
        """Return the top three people by what they handled before the incident at index `at`, and how much
        is known of it (`evidence_strength`).
        """
        age = np.maximum(0.0, self.began[at] - self.began) / DAY
        scores = similarities * self.decays
        counts = (similarities >= MIN_SIMILARITY) & (scores >= MIN_SCORE) & (self.began < self.began[at])
        weights = np.where(counts, scores * 2.0 ** (-age / HALF_LIFE_DAYS), 0.0)
        total = np.bincount(self.person, weights[self.incident], minlength=len(self.people))
        best = [column for column in np.argsort(-total, kind="stable")[:TOP_K].tolist() if total[column] > 0]
        return [self.people[column] for column in best], float(weights[list(self.rows)].sum())
