"""Escalation patterns per team: who escalates to whom, how often, after how long. Pure."""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from calmo_pagerduty.patterns.past import Past, PastIncident
from calmo_pagerduty.patterns.recurring import quantile
from calmo_pagerduty.snapshots.model import LogKind, Team
from calmo_pagerduty.statistics.estimators import Interval, wilson_interval


class Way(StrEnum):
    """How an incident came to the next people."""

    TIMEOUT = "nobody answered"
    BY_HAND = "escalated by hand"
    REASSIGNED = "reassigned"
    HANDED_ON = "handed to another policy"


@dataclass(frozen=True, slots=True)
class Passage:
    """From whom incidents came to whom, how often, and the median seconds since the first had it."""

    way: Way
    from_ids: tuple[str, ...]
    to_ids: tuple[str, ...]
    count: int
    median_seconds: int


@dataclass(frozen=True, slots=True)
class TeamEscalations:
    """A team's incidents, and how they went on. `ways` are counts with the median seconds until then."""

    team: Team
    incidents: int
    escalated: int
    interval: Interval | None
    ways: tuple[tuple[Way, int, int], ...]
    passages: tuple[Passage, ...]


_Step = tuple[Way, tuple[str, ...], tuple[str, ...], int]


def team_escalations(past: Past) -> tuple[TeamEscalations, ...]:
    """Return the teams with incidents, those whose incidents went on most often first."""
    snapshot = past.snapshot
    policies = {policy.id: policy.team_ids for policy in snapshot.policies}
    teams_of = {
        service.id: service.team_ids or policies.get(service.policy_id or "", ())
        for service in snapshot.services
    }
    found = []
    for team in snapshot.teams:
        items = [item for item in past.incidents if team.id in teams_of.get(item.incident.service_id, ())]
        if not items:
            continue
        steps = [steps_of(item) for item in items]
        escalated = sum(bool(taken) for taken in steps)
        every = [step for taken in steps for step in taken]
        found.append(
            TeamEscalations(
                team,
                len(items),
                escalated,
                wilson_interval(escalated, len(items)),
                _ways(every),
                _passages(every),
            )
        )
    return tuple(sorted(found, key=lambda item: (-item.escalated, -item.incidents, item.team.id)))


def steps_of(item: PastIncident) -> tuple[_Step, ...]:
    """Return how the incident went from people to people, each with the seconds since these had it."""
    holders: tuple[str, ...] = ()
    since, steps = item.at, list[_Step]()
    for record in item.log:
        if record.kind not in (LogKind.ASSIGN, LogKind.ESCALATE, LogKind.DELEGATE) or not record.user_ids:
            continue
        to = tuple(sorted(record.user_ids))
        if holders and to != holders:
            if record.kind is LogKind.DELEGATE:
                way = Way.HANDED_ON
            elif record.kind is LogKind.ASSIGN:
                way = Way.REASSIGNED
            else:
                way = Way.TIMEOUT if record.agent_id is None else Way.BY_HAND
            steps.append((way, holders, to, record.at - since))
        holders, since = to, record.at
    return tuple(steps)


def _ways(steps: list[_Step]) -> tuple[tuple[Way, int, int], ...]:
    waits: dict[Way, list[int]] = defaultdict(list)
    for way, _, _, seconds in steps:
        waits[way].append(seconds)
    return tuple(
        (way, len(waits[way]), quantile(sorted(waits[way]), 0.5) or 0) for way in Way if way in waits
    )


def _passages(steps: list[_Step]) -> tuple[Passage, ...]:
    waits: dict[tuple[Way, tuple[str, ...], tuple[str, ...]], list[int]] = defaultdict(list)
    for way, before, after, seconds in steps:
        waits[way, before, after].append(seconds)
    found = [
        Passage(*key, count=len(times), median_seconds=quantile(sorted(times), 0.5) or 0)
        for key, times in waits.items()
    ]
    return tuple(sorted(found, key=lambda item: (-item.count, item.way, item.from_ids, item.to_ids)))
