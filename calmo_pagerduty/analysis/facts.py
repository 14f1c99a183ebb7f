"""What was gathered, as the document tells it: cleaned, cut, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from calmo_pagerduty.analysis.dependency_graph import Neighbourhood, is_business, thing_of
from calmo_pagerduty.analysis.impact import escalations_of
from calmo_pagerduty.analysis.near_things import Near
from calmo_pagerduty.analysis.recommendation import person_thing
from calmo_pagerduty.analysis.similarity import person
from calmo_pagerduty.analysis.surroundings import (
    Alert,
    Change,
    LogLine,
    Maintenance,
    OnCall,
    OpenIncident,
    Surroundings,
)
from calmo_pagerduty.analysis.time_zones import is_night, local_time, time_zone
from calmo_pagerduty.domain.context_facts import (
    AlertFact,
    ChangeFact,
    IncidentFacts,
    MaintenanceFact,
    NoteFact,
    OnCallFact,
    OtherIncident,
    Thing,
    Words,
)
from calmo_pagerduty.domain.context_sources import Source
from calmo_pagerduty.domain.incident_context import Candidate, Reach, Surrounding
from calmo_pagerduty.domain.untrusted_text import clean_text
from calmo_pagerduty.domain.webhook_events import Reference

MOST_ALERTS = 50
MOST_NOTES = 50
MOST_CHANGES = 50
MOST_OTHERS = 50
MOST_ON_CALL = 100
MOST_MAINTENANCE = 20
#: Of what is reached in each direction, of edges and of cycles.
MOST_REACHED = 500
MOST_EDGES_SHOWN = 2_000
MOST_CYCLES = 20

_TITLE = 1_000
_DETAILS = 2_000
_RESOLVED = "resolved"

Where = Literal["same", "upstream", "downstream", "elsewhere"]
_PLACES: Sequence[Where] = ("same", "upstream", "downstream", "elsewhere")


def incident_facts(around: Surroundings) -> IncidentFacts:
    one = around.incident
    return IncidentFacts(
        incident=Thing(id=one.id, kind="incident", name=_number(one.number), url=one.url),
        title=_words(one.title, _TITLE),
        number=one.number,
        status=clean_text(one.status, 40),
        urgency=clean_text(one.urgency, 40) if one.urgency else None,
        priority=clean_text(one.priority, 100) if one.priority else None,
        created_at=one.created_at,
        service=_named(one.service),
        teams=tuple(_thing(team) for team in one.teams),
        escalation_policy=_named(one.escalation_policy),
        assignees=tuple(person(who) for who in one.assignees),
        escalations=escalations_of(around),
    )


def alert_facts(around: Surroundings) -> tuple[AlertFact, ...]:
    """Return the first alerts: they began it."""
    return tuple(
        _alert(one) for one in sorted(around.alerts, key=lambda one: (one.created_at, one.id))[:MOST_ALERTS]
    )


def note_facts(around: Surroundings) -> tuple[NoteFact, ...]:
    """Return the newest notes, oldest first."""
    return tuple(_note(one) for one in sorted(around.notes, key=lambda one: (one.at, one.id))[-MOST_NOTES:])


def changes_near(near: Near) -> list[tuple[Change, int | None]]:
    """Return the changes on the service and upstream, and those that PagerDuty relates, newest first."""
    placed = [(one, near.place_of(one)) for one in near.changes]
    found = [
        (one, None if place is None else near.hops[place])
        for one, place in placed
        if place is not None or one.reason
    ]
    return sorted(found, key=lambda one: (-one[0].at.timestamp(), one[0].id))


def change_facts(found: Sequence[tuple[Change, int | None]], around: Surroundings) -> tuple[ChangeFact, ...]:
    return tuple(
        ChangeFact(
            change=Thing(id=one.id, kind="change_event", url=one.url),
            summary=_words(one.summary, _TITLE),
            at=one.at,
            services=tuple(thing_of(place, around.dependencies) for place in one.service_ids[:20]),
            hops=hops,
            pagerduty_reason=clean_text(one.reason, 100) if one.reason else None,
        )
        for one, hops in found[:MOST_CHANGES]
    )


def other_incidents(near: Near) -> tuple[OtherIncident, ...]:
    """Return the incidents around it: its own service first, then upstream, the nearest in time first."""
    found = [_other(one, near) for one in near.around.open_incidents if one.id != near.around.incident.id]
    found.sort(
        key=lambda one: (
            _PLACES.index(one.where),
            one.hops or 0,
            abs(near.lead(one.created_at)),
            one.incident.id,
        )
    )
    return tuple(found[:MOST_OTHERS])


def surrounding(near: Near, candidates: Sequence[Candidate]) -> Surrounding:
    """Return the graph around the service, with the way along which the failure probably came."""
    around, it = near.around, near.around_it
    if it is None:
        return Surrounding(is_whole=False)
    troubled = {one.service_id for one in near.around.open_incidents if one.status != _RESOLVED}

    def reached(hops: dict[str, int]) -> tuple[Reach, ...]:
        return tuple(
            Reach(thing=thing_of(one, around.dependencies), hops=far, has_open_incident=one in troubled)
            for one, far in list(hops.items())[:MOST_REACHED]
        )

    def named(ids: Sequence[str]) -> tuple[Thing, ...]:
        return tuple(thing_of(one, around.dependencies) for one in ids)

    business = {one: hops for one, hops in it.downstream.items() if is_business(one, around.dependencies)}
    technical = {one: hops for one, hops in it.downstream.items() if one not in business}
    return Surrounding(
        downstream=reached(technical),
        upstream=reached(dict(it.upstream)),
        business=reached(business),
        cycles=tuple(named(one[:MOST_REACHED]) for one in it.cycles[:MOST_CYCLES]),
        failing_path=failing_path(candidates),
        edges=_edges(it),
        is_whole=it.is_whole,
    )


def failing_path(candidates: Sequence[Candidate]) -> tuple[Thing, ...]:
    """Return the way of the strongest candidate upstream; from farther up, if that is one of another
    candidate's steps: a failure passes through what lies between.
    """
    ways = [one.path for one in candidates if len(one.path) > 1]
    through = [way for way in ways if way[-len(ways[0]) :] == ways[0]]
    return max(through, key=len, default=())


def on_call_facts(around: Surroundings) -> tuple[OnCallFact, ...]:
    """Return who is called, in the order of levels."""
    ordered = sorted(
        around.on_call, key=lambda one: (one.level, one.person_id, one.schedule.id if one.schedule else "")
    )
    return tuple(_on_call(one, around) for one in ordered[:MOST_ON_CALL])


def maintenance_facts(around: Surroundings) -> tuple[MaintenanceFact, ...]:
    ordered = sorted(around.maintenance, key=lambda one: (one.start, one.id))
    return tuple(_maintenance(one, around) for one in ordered[:MOST_MAINTENANCE])


def _alert(one: Alert) -> AlertFact:
    return AlertFact(
        id=one.id,
        summary=_words(one.summary, _TITLE),
        created_at=one.created_at,
        severity=clean_text(one.severity, 40) if one.severity else None,
        status=clean_text(one.status, 40) if one.status else None,
        details=_words(one.details, _DETAILS) if one.details else None,
        url=one.url,
    )


def _note(one: LogLine) -> NoteFact:
    return NoteFact(who=person(one.agent) if one.agent else None, at=one.at, text=_words(one.text, _DETAILS))


def _other(one: OpenIncident, near: Near) -> OtherIncident:
    where, hops = _where(one.service_id, near.around_it)
    return OtherIncident(
        incident=Thing(id=one.id, kind="incident", name=_number(one.number), url=one.url),
        title=_words(one.title, _TITLE),
        service=thing_of(one.service_id, near.around.dependencies),
        status=clean_text(one.status, 40),
        created_at=one.created_at,
        where=where,
        hops=hops,
        pagerduty_agrees=_agrees(one, near.around),
    )


def _agrees(one: OpenIncident, around: Surroundings) -> bool | None:
    if around.pagerdutys_own is None or Source.RELATED_INCIDENTS in around.lacking:
        return None
    return one.id in around.pagerdutys_own.related


def _where(service_id: str, it: Neighbourhood | None) -> tuple[Where, int | None]:
    """In a cycle a service is upstream and downstream at once: it is told as upstream."""
    if it is None:
        return "elsewhere", None
    if service_id == it.service_id:
        return "same", 0
    if service_id in it.upstream:
        return "upstream", it.upstream[service_id]
    if service_id in it.downstream:
        return "downstream", it.downstream[service_id]
    return "elsewhere", None


def _edges(it: Neighbourhood) -> tuple[tuple[str, str], ...]:
    """Return the edges nearest to the service."""

    def far(edge: tuple[str, str]) -> int:
        return max(it.hops_to(one) or 0 for one in edge)

    return tuple(sorted(it.edges, key=lambda edge: (far(edge), edge))[:MOST_EDGES_SHOWN])


def _on_call(one: OnCall, around: Surroundings) -> OnCallFact:
    known = around.people.get(one.person_id)
    zone = time_zone(known.time_zone) if known else None
    return OnCallFact(
        level=one.level,
        who=person_thing(known) if known else Thing(id=one.person_id, kind="user"),
        schedule=_named(one.schedule),
        until=one.until,
        is_asleep=is_night(around.now, zone),
        local_time=local_time(around.now, zone),
    )


def _maintenance(one: Maintenance, around: Surroundings) -> MaintenanceFact:
    return MaintenanceFact(
        window=Thing(id=one.id, kind="maintenance_window", url=one.url),
        start=one.start,
        end=one.end,
        description=_words(one.description, _TITLE),
        services=tuple(thing_of(place, around.dependencies) for place in one.service_ids[:50]),
    )


def _thing(one: Reference) -> Thing:
    kind = one.type.removesuffix("_reference")
    return Thing(id=one.id, kind=kind, name=clean_text(one.name, 200) if one.name else None, url=one.url)


def _named(one: Reference | None) -> Thing | None:
    return _thing(one) if one else None


def _number(number: int | None) -> str | None:
    return f"#{number}" if number else None


def _words(text: str, longest: int) -> Words:
    return Words(text=clean_text(text, longest))
