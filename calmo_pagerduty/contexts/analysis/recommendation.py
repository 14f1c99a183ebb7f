"""Recommend people who handled similar incidents, if a backtest shows that this predicts the responders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, service_ref
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Person
from calmo_pagerduty.contexts.analysis.responder_model import (
    MIN_BACKTEST_SIZE,
    Backtest,
    evidence_strength,
    leave_one_out_backtest,
    on_call_levels,
    recency_weight,
    responder_ids,
)
from calmo_pagerduty.contexts.analysis.similarity import SimilarityMatch
from calmo_pagerduty.contexts.analysis.title_index import TitleSimilarity
from calmo_pagerduty.contexts.facts import EntityRef
from calmo_pagerduty.contexts.model import Misrouting, PersonToInvolve, Recommendation
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.time_zones import is_night, local_time, time_zone
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.statistics.estimators import wilson_interval

MAX_PEOPLE = 5
_MAX_EVIDENCE = 5
#: Factors of a person's rank. Nobody on call counts as asleep: they are there to be woken.
ON_CALL_WEIGHT = 1.5
ASLEEP_WEIGHT = 0.5
#: A service is misrouted if one other team ends up with at least this share of its incidents: the lower
#: end of the 95 % Wilson interval must reach it.
MIN_HANDED_SHARE = 0.3
MIN_INCIDENTS = 5


@dataclass(slots=True)
class _ResponderRecord:
    """The similar incidents that a person handled."""

    score: float = 0.0
    incidents: list[SimilarityMatch] = field(default_factory=list)


def recommend_people(
    inputs: AssessmentInput,
    similar: Sequence[SimilarityMatch],
    similarity: TitleSimilarity,
    neighbourhood: Neighbourhood | None,
) -> Recommendation:
    """Return the people to involve, or the reason why nobody is named."""
    misrouted = find_misrouting(inputs)
    if Source.HISTORY in inputs.missing_sources:
        return Recommendation(reason="The account's history could not be read.", misrouting=misrouted)
    known = [
        (match.score, match.incident.created_at)
        for match in similar
        if responder_ids(match.incident, inputs.people)
    ]
    strength = evidence_strength(known, inputs.incident.created_at)
    backtest = leave_one_out_backtest(inputs, similarity, neighbourhood, strength)
    people = people_to_involve(inputs, similar)
    reason = _no_recommendation_reason(inputs, people, backtest)
    return Recommendation(
        people=() if reason else tuple(people[:MAX_PEOPLE]),
        reason=reason,
        tested_on=backtest.of,
        hit_at_3=backtest.hit_at_3,
        baseline_hit_at_3=None if Source.ON_CALL in inputs.missing_sources else backtest.baseline,
        misrouting=misrouted,
    )


def people_to_involve(inputs: AssessmentInput, similar: Sequence[SimilarityMatch]) -> list[PersonToInvolve]:
    """Return active people who handled similar incidents, best first, whatever the backtest says."""
    records: dict[str, _ResponderRecord] = defaultdict(_ResponderRecord)
    for match in similar:
        for person_id in responder_ids(match.incident, inputs.people):
            record = records[person_id]
            record.score += match.score * recency_weight(
                match.incident.created_at, inputs.incident.created_at
            )
            record.incidents.append(match)
    levels = on_call_levels(inputs)
    people = [_person(inputs, person_id, record, levels) for person_id, record in records.items()]
    return sorted(people, key=lambda person: (-_weighted_score(person), -person.score, person.who.id))


def find_misrouting(inputs: AssessmentInput) -> tuple[Misrouting, ...]:
    """Return the other teams that too many incidents of this service end up with, most incidents first.

    Source of the threshold's interval: `estimators.wilson_interval`.
    """
    service = inputs.incident.service
    past = [incident for incident in inputs.past if service and incident.service_id == service.id]
    if service is None or len(past) < MIN_INCIDENTS:
        return ()
    node = inputs.dependencies.nodes.get(service.id)
    own_teams = set(node.team_ids) if node else set()
    handed = Counter(team for incident in past for team in set(incident.handed_to_team_ids) - own_teams)
    misroutings = []
    for team_id, count in sorted(handed.items(), key=lambda pair: (-pair[1], pair[0])):
        interval = wilson_interval(count, len(past))
        if interval is not None and interval.low >= MIN_HANDED_SHARE:
            misroutings.append(
                _misrouted(
                    inputs,
                    service_ref(service.id, inputs.dependencies),
                    team_id,
                    count,
                    len(past),
                    interval.low,
                )
            )
    return tuple(misroutings)


def _misrouted(
    inputs: AssessmentInput, service: EntityRef, team_id: str, handed: int, of: int, at_least: float
) -> Misrouting:
    name = inputs.names.get(team_id)
    team = EntityRef(id=team_id, kind="team", name=sanitize_text(name, 200) if name else None)
    return Misrouting(
        service=service,
        team=team,
        handed=handed,
        of=of,
        at_least=round(at_least, 4),
        advice=(
            f"Point {service.name or service.id} at the escalation policy of {team.name or team.id}: "
            f"{handed} of its {of} incidents ended there."
        ),
    )


def _weighted_score(person: PersonToInvolve) -> float:
    if person.is_on_call:
        return person.score * ON_CALL_WEIGHT
    return person.score * (ASLEEP_WEIGHT if person.is_asleep else 1.0)


def _person(
    inputs: AssessmentInput, person_id: str, record: _ResponderRecord, levels: Mapping[str, int]
) -> PersonToInvolve:
    person = inputs.people[person_id]
    zone = time_zone(person.time_zone)
    is_asleep, clock_time = is_night(inputs.now, zone), local_time(inputs.now, zone)
    level = levels.get(person_id)
    reasons = [_handled_text(record, inputs)]
    if level is not None:
        reasons.append(f"on call now, level {level}")
    if is_asleep:
        reasons.append(f"probably asleep: {clock_time}")
    return PersonToInvolve(
        who=person_ref(person),
        score=round(record.score, 4),
        is_on_call=level is not None,
        level=level,
        is_asleep=is_asleep,
        local_time=clock_time,
        reasons=tuple(reasons),
        evidence=tuple(
            EntityRef(
                id=match.incident.id,
                kind="incident",
                name=f"#{match.incident.number}" if match.incident.number else None,
                url=match.incident.url,
            )
            for match in record.incidents[:_MAX_EVIDENCE]
        ),
    )


def person_ref(person: Person) -> EntityRef:
    """Return an account's user as the document names them."""
    return EntityRef(id=person.id, kind="user", name=sanitize_text(person.name, 200), url=person.url)


def _handled_text(record: _ResponderRecord, inputs: AssessmentInput) -> str:
    count = len(record.incidents)
    last = max(match.incident.created_at for match in record.incidents)
    days = max(0, (inputs.incident.created_at - last).days)
    when = "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} ago"
    return f"handled {count} similar incident{'s' if count > 1 else ''}, the last {when}"


def _no_recommendation_reason(
    inputs: AssessmentInput, people: Sequence[PersonToInvolve], backtest: Backtest
) -> str:
    """Return the reason why nobody is named; empty if people may be named."""
    if not people:
        return "Nobody who is still active is known to have handled an incident like this one."
    if backtest.of < MIN_BACKTEST_SIZE or backtest.hit_at_3 is None or backtest.baseline is None:
        return (
            f"Only {backtest.of} past incidents of the service are like this one and have a known handler; "
            f"at least {MIN_BACKTEST_SIZE} are needed to test whom to name."
        )
    if Source.ON_CALL in inputs.missing_sources:
        return "Who is on call could not be read, so the names can't be tested against it."
    if backtest.hit_at_3 <= backtest.baseline:
        return (
            f"On {backtest.of} past incidents, those named would have been right in {backtest.hit_at_3:.0%}, "
            f"no more often than who is on call now ({backtest.baseline:.0%})."
        )
    return ""
