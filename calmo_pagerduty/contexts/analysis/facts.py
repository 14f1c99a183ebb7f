"""What was gathered, as the document tells it: cleaned, cut, in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, is_business, thing_of
from calmo_pagerduty.contexts.analysis.impact import escalations_of
from calmo_pagerduty.contexts.analysis.near_things import Near
from calmo_pagerduty.contexts.analysis.recommendation import person_thing
from calmo_pagerduty.contexts.analysis.similarity import person
from calmo_pagerduty.contexts.analysis.surroundings import (
    Alert,
    Change,
    LogLine,
    Maintenance,
    OnCall,
    OpenIncident,
    Surroundings,
)
from calmo_pagerduty.contexts.analysis.time_zones import is_night, local_time, time_zone
from calmo_pagerduty.contexts.facts import (
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
from calmo_pagerduty.contexts.model import Candidate, Reach, Surrounding
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.untrusted_text import clean_text
from calmo_pagerduty.pagerduty.webhook_events import Reference

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
    incident = around.incident
    return IncidentFacts(
        incident=Thing(id=incident.id, kind="incident", name=_number(incident.number), url=incident.url),
        title=_words(incident.title, _TITLE),
        number=incident.number,
        status=clean_text(incident.status, 40),
        urgency=clean_text(incident.urgency, 40) if incident.urgency else None,
        priority=clean_text(incident.priority, 100) if incident.priority else None,
        created_at=incident.created_at,
        service=_named(incident.service),
        teams=tuple(_thing(team) for team in incident.teams),
        escalation_policy=_named(incident.escalation_policy),
        assignees=tuple(person(who) for who in incident.assignees),
        escalations=escalations_of(around),
    )


def alert_facts(around: Surroundings) -> tuple[AlertFact, ...]:
    """Return the first alerts: they began it."""
    return tuple(
        _alert(alert)
        for alert in sorted(around.alerts, key=lambda alert: (alert.created_at, alert.id))[:MOST_ALERTS]
    )


def note_facts(around: Surroundings) -> tuple[NoteFact, ...]:
    """Return the newest notes, oldest first."""
    return tuple(
        _note(note) for note in sorted(around.notes, key=lambda note: (note.at, note.id))[-MOST_NOTES:]
    )


def changes_near(near: Near) -> list[tuple[Change, int | None]]:
    """Return the changes on the service and upstream, and those that PagerDuty relates, newest first."""
    placed = [(change, near.place_of(change)) for change in near.changes]
    found = [
        (change, None if place is None else near.hops[place])
        for change, place in placed
        if place is not None or change.reason
    ]
    return sorted(found, key=lambda pair: (-pair[0].at.timestamp(), pair[0].id))


def change_facts(found: Sequence[tuple[Change, int | None]], around: Surroundings) -> tuple[ChangeFact, ...]:
    return tuple(
        ChangeFact(
            change=Thing(id=change.id, kind="change_event", url=change.url),
            summary=_words(change.summary, _TITLE),
            at=change.at,
            services=tuple(thing_of(place, around.dependencies) for place in change.service_ids[:20]),
            hops=hops,
            pagerduty_reason=clean_text(change.reason, 100) if change.reason else None,
        )
        for change, hops in found[:MOST_CHANGES]
    )


def other_incidents(near: Near) -> tuple[OtherIncident, ...]:
    """Return the incidents around it: its own service first, then upstream, the nearest in time first."""
    found = [
        _other(open_incident, near)
        for open_incident in near.around.open_incidents
        if open_incident.id != near.around.incident.id
    ]
    found.sort(
        key=lambda other: (
            _PLACES.index(other.where),
            other.hops or 0,
            abs(near.lead(other.created_at)),
            other.incident.id,
        )
    )
    return tuple(found[:MOST_OTHERS])


def surrounding(near: Near, candidates: Sequence[Candidate]) -> Surrounding:
    """Return the graph around the service, with the way along which the failure probably came."""
    around, it = near.around, near.around_it
    if it is None:
        return Surrounding(is_whole=False)
    troubled = {
        open_incident.service_id
        for open_incident in near.around.open_incidents
        if open_incident.status != _RESOLVED
    }

    def reached(hops: dict[str, int]) -> tuple[Reach, ...]:
        return tuple(
            Reach(thing=thing_of(node, around.dependencies), hops=far, has_open_incident=node in troubled)
            for node, far in list(hops.items())[:MOST_REACHED]
        )

    def named(ids: Sequence[str]) -> tuple[Thing, ...]:
        return tuple(thing_of(node, around.dependencies) for node in ids)

    business = {node: hops for node, hops in it.downstream.items() if is_business(node, around.dependencies)}
    technical = {node: hops for node, hops in it.downstream.items() if node not in business}
    return Surrounding(
        downstream=reached(technical),
        upstream=reached(dict(it.upstream)),
        business=reached(business),
        cycles=tuple(named(cycle[:MOST_REACHED]) for cycle in it.cycles[:MOST_CYCLES]),
        failing_path=failing_path(candidates),
        edges=_edges(it),
        is_whole=it.is_whole,
    )


def failing_path(candidates: Sequence[Candidate]) -> tuple[Thing, ...]:
    """Return the way of the strongest candidate upstream; from farther up, if that is one of another
    candidate's steps: a failure passes through what lies between.
    """
    ways = [candidate.path for candidate in candidates if len(candidate.path) > 1]
    through = [way for way in ways if way[-len(ways[0]) :] == ways[0]]
    return max(through, key=len, default=())


def on_call_facts(around: Surroundings) -> tuple[OnCallFact, ...]:
    """Return who is called, in the order of levels."""
    ordered = sorted(
        around.on_call,
        key=lambda on_call: (
            on_call.level,
            on_call.person_id,
            on_call.schedule.id if on_call.schedule else "",
        ),
    )
    return tuple(_on_call(on_call, around) for on_call in ordered[:MOST_ON_CALL])


def maintenance_facts(around: Surroundings) -> tuple[MaintenanceFact, ...]:
    ordered = sorted(around.maintenance, key=lambda window: (window.start, window.id))
    return tuple(_maintenance(window, around) for window in ordered[:MOST_MAINTENANCE])


def _alert(alert: Alert) -> AlertFact:
    return AlertFact(
        id=alert.id,
        summary=_words(alert.summary, _TITLE),
        created_at=alert.created_at,
        severity=clean_text(alert.severity, 40) if alert.severity else None,
        status=clean_text(alert.status, 40) if alert.status else None,
        details=_words(alert.details, _DETAILS) if alert.details else None,
        url=alert.url,
    )


def _note(note: LogLine) -> NoteFact:
    return NoteFact(
        who=person(note.agent) if note.agent else None, at=note.at, text=_words(note.text, _DETAILS)
    )


def _other(incident: OpenIncident, near: Near) -> OtherIncident:
    where, hops = _where(incident.service_id, near.around_it)
    return OtherIncident(
        incident=Thing(id=incident.id, kind="incident", name=_number(incident.number), url=incident.url),
        title=_words(incident.title, _TITLE),
        service=thing_of(incident.service_id, near.around.dependencies),
        status=clean_text(incident.status, 40),
        created_at=incident.created_at,
        where=where,
        hops=hops,
        pagerduty_agrees=_agrees(incident, near.around),
    )


def _agrees(incident: OpenIncident, around: Surroundings) -> bool | None:
    if around.pagerdutys_own is None or Source.RELATED_INCIDENTS in around.lacking:
        return None
    return incident.id in around.pagerdutys_own.related


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
        return max(it.hops_to(node) or 0 for node in edge)

    return tuple(sorted(it.edges, key=lambda edge: (far(edge), edge))[:MOST_EDGES_SHOWN])


def _on_call(on_call: OnCall, around: Surroundings) -> OnCallFact:
    known = around.people.get(on_call.person_id)
    zone = time_zone(known.time_zone) if known else None
    return OnCallFact(
        level=on_call.level,
        who=person_thing(known) if known else Thing(id=on_call.person_id, kind="user"),
        schedule=_named(on_call.schedule),
        until=on_call.until,
        is_asleep=is_night(around.now, zone),
        local_time=local_time(around.now, zone),
    )


def _maintenance(window: Maintenance, around: Surroundings) -> MaintenanceFact:
    return MaintenanceFact(
        window=Thing(id=window.id, kind="maintenance_window", url=window.url),
        start=window.start,
        end=window.end,
        description=_words(window.description, _TITLE),
        services=tuple(thing_of(place, around.dependencies) for place in window.service_ids[:50]),
    )


def _thing(reference: Reference) -> Thing:
    kind = reference.type.removesuffix("_reference")
    return Thing(
        id=reference.id,
        kind=kind,
        name=clean_text(reference.name, 200) if reference.name else None,
        url=reference.url,
    )


def _named(reference: Reference | None) -> Thing | None:
    return _thing(reference) if reference else None


def _number(number: int | None) -> str | None:
    return f"#{number}" if number else None


def _words(text: str, longest: int) -> Words:
    return Words(text=clean_text(text, longest))
