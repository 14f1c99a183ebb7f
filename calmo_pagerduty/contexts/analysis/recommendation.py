"""Whom to involve: people who handled incidents like this one, if that has proved to tell anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, thing_of
from calmo_pagerduty.contexts.analysis.estimators import wilson
from calmo_pagerduty.contexts.analysis.handlers import (
    LEAST_TESTED,
    Backtest,
    handlers,
    leave_one_out,
    on_call_now,
    recency,
)
from calmo_pagerduty.contexts.analysis.similarity import Alike
from calmo_pagerduty.contexts.analysis.surroundings import Person, Surroundings
from calmo_pagerduty.contexts.analysis.time_zones import is_night, local_time, time_zone
from calmo_pagerduty.contexts.analysis.title_index import Likeness
from calmo_pagerduty.contexts.facts import Thing
from calmo_pagerduty.contexts.model import Misrouting, PersonToInvolve, Recommendation
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import clean_text

MOST_PEOPLE = 5
_MOST_EVIDENCE = 5
#: In the order of names: being on call now counts as half more, being asleep as half. Who is on call is
#: there to be woken.
ON_CALL_COUNTS = 1.5
ASLEEP_COUNTS = 0.5
#: A service is misrouted if at least this share of its incidents surely ends with one other team.
LEAST_HANDED = 0.3
LEAST_INCIDENTS = 5


@dataclass(slots=True)
class _Record:
    """What one person handled."""

    score: float = 0.0
    incidents: list[Alike] = field(default_factory=list)


def recommendation(
    around: Surroundings, similar: Sequence[Alike], likeness: Likeness, around_it: Neighbourhood | None
) -> Recommendation:
    """Return whom to involve, or the reason why nobody is named."""
    misrouted = misrouting(around)
    if Source.HISTORY in around.lacking:
        return Recommendation(reason="The account's history could not be read.", misrouting=misrouted)
    tested = leave_one_out(around, likeness, around_it)
    people = people_to_involve(around, similar)
    reason = _why_not(around, people, tested)
    return Recommendation(
        people=() if reason else tuple(people[:MOST_PEOPLE]),
        reason=reason,
        tested_on=tested.of,
        hit_at_3=tested.hit_at_3,
        baseline_hit_at_3=None if Source.ON_CALL in around.lacking else tested.baseline,
        misrouting=misrouted,
    )


def people_to_involve(around: Surroundings, similar: Sequence[Alike]) -> list[PersonToInvolve]:
    """Return active people by what they handled, whether or not that has proved to tell anything."""
    records: dict[str, _Record] = defaultdict(_Record)
    for match in similar:
        for person_id in handlers(match.incident, around.people):
            record = records[person_id]
            record.score += match.score * recency(match.incident.created_at, around.incident.created_at)
            record.incidents.append(match)
    called = on_call_now(around)
    found = [_person(around, person_id, record, called) for person_id, record in records.items()]
    return sorted(found, key=lambda person: (-_weighed(person), -person.score, person.who.id))


def misrouting(around: Surroundings) -> tuple[Misrouting, ...]:
    """Return the teams that incidents of this service end with instead of its own."""
    service = around.incident.service
    past = [incident for incident in around.past if service and incident.service_id == service.id]
    if service is None or len(past) < LEAST_INCIDENTS:
        return ()
    node = around.dependencies.nodes.get(service.id)
    own = set(node.team_ids) if node else set()
    handed = Counter(team for incident in past for team in set(incident.handed_to_team_ids) - own)
    found = []
    for team_id, count in sorted(handed.items(), key=lambda pair: (-pair[1], pair[0])):
        surely = wilson(count, len(past))
        if surely is not None and surely.low >= LEAST_HANDED:
            found.append(
                _misrouted(
                    around, thing_of(service.id, around.dependencies), team_id, count, len(past), surely.low
                )
            )
    return tuple(found)


def _misrouted(
    around: Surroundings, service: Thing, team_id: str, handed: int, of: int, at_least: float
) -> Misrouting:
    name = around.names.get(team_id)
    team = Thing(id=team_id, kind="team", name=clean_text(name, 200) if name else None)
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


def _weighed(person: PersonToInvolve) -> float:
    if person.is_on_call:
        return person.score * ON_CALL_COUNTS
    return person.score * (ASLEEP_COUNTS if person.is_asleep else 1.0)


def _person(
    around: Surroundings, person_id: str, record: _Record, called: Mapping[str, int]
) -> PersonToInvolve:
    person = around.people[person_id]
    zone = time_zone(person.time_zone)
    is_asleep, clock = is_night(around.now, zone), local_time(around.now, zone)
    level = called.get(person_id)
    reasons = [_handled(record, around)]
    if level is not None:
        reasons.append(f"on call now, level {level}")
    if is_asleep:
        reasons.append(f"probably asleep: {clock}")
    return PersonToInvolve(
        who=person_thing(person),
        score=round(record.score, 4),
        is_on_call=level is not None,
        level=level,
        is_asleep=is_asleep,
        local_time=clock,
        reasons=tuple(reasons),
        evidence=tuple(
            Thing(
                id=match.incident.id,
                kind="incident",
                name=f"#{match.incident.number}" if match.incident.number else None,
                url=match.incident.url,
            )
            for match in record.incidents[:_MOST_EVIDENCE]
        ),
    )


def person_thing(person: Person) -> Thing:
    """Return a person of the account as the document names them."""
    return Thing(id=person.id, kind="user", name=clean_text(person.name, 200), url=person.url)


def _handled(record: _Record, around: Surroundings) -> str:
    count = len(record.incidents)
    last = max(match.incident.created_at for match in record.incidents)
    days = max(0, (around.incident.created_at - last).days)
    when = "today" if days == 0 else f"{days} day{'s' if days > 1 else ''} ago"
    return f"handled {count} similar incident{'s' if count > 1 else ''}, the last {when}"


def _why_not(around: Surroundings, people: Sequence[PersonToInvolve], tested: Backtest) -> str:
    """Return why nobody is named; empty if people may be."""
    if not people:
        return "Nobody who is still active is known to have handled an incident like this one."
    if tested.of < LEAST_TESTED or tested.hit_at_3 is None or tested.baseline is None:
        return (
            f"Only {tested.of} past incidents of the service are known with who handled them; "
            f"at least {LEAST_TESTED} are needed to test whom to name."
        )
    if Source.ON_CALL in around.lacking:
        return "Who is on call could not be read, so the names can't be tested against it."
    if tested.hit_at_3 <= tested.baseline:
        return (
            f"On {tested.of} past incidents, those named would have been right in {tested.hit_at_3:.0%}, "
            f"no more often than who is on call now ({tested.baseline:.0%})."
        )
    return ""
