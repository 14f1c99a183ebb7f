"""Turn the gathered inputs into the document's facts: texts sanitized and cut, lists in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import Neighbourhood, is_business_service, service_ref
from calmo_pagerduty.contexts.analysis.impact import count_escalations
from calmo_pagerduty.contexts.analysis.inputs import (
    Alert,
    AssessmentInput,
    Change,
    LogLine,
    Maintenance,
    OnCall,
    OpenIncident,
)
from calmo_pagerduty.contexts.analysis.recommendation import person_ref
from calmo_pagerduty.contexts.analysis.similarity import responder_ref
from calmo_pagerduty.contexts.facts import (
    AlertFact,
    ChangeFact,
    EntityRef,
    IncidentFacts,
    MaintenanceFact,
    NoteFact,
    OnCallFact,
    OtherIncident,
    UntrustedText,
)
from calmo_pagerduty.contexts.model import Candidate, DependencyNode, DependencyView
from calmo_pagerduty.contexts.sources import Source
from calmo_pagerduty.kernel.time_zones import is_night, local_time, time_zone
from calmo_pagerduty.kernel.untrusted_text import sanitize_text
from calmo_pagerduty.pagerduty.webhook_events import Reference

MAX_ALERTS = 50
MAX_NOTES = 50
MAX_CHANGES = 50
MAX_OTHER_INCIDENTS = 50
MAX_ON_CALL = 100
MAX_MAINTENANCE = 20
#: Limits of the dependency view: services per direction, edges, cycles.
MAX_DEPENDENCY_NODES = 500
MAX_EDGES_SHOWN = 2_000
MAX_CYCLES = 20

_MAX_TITLE_LENGTH = 1_000
_MAX_DETAILS_LENGTH = 2_000
_RESOLVED = "resolved"

RelativePosition = Literal["same", "upstream", "downstream", "elsewhere"]
_POSITION_ORDER: Sequence[RelativePosition] = ("same", "upstream", "downstream", "elsewhere")


def incident_facts(inputs: AssessmentInput) -> IncidentFacts:
    incident = inputs.incident
    return IncidentFacts(
        incident=EntityRef(id=incident.id, kind="incident", name=_number(incident.number), url=incident.url),
        title=_untrusted(incident.title, _MAX_TITLE_LENGTH),
        number=incident.number,
        status=sanitize_text(incident.status, 40),
        urgency=sanitize_text(incident.urgency, 40) if incident.urgency else None,
        priority=sanitize_text(incident.priority, 100) if incident.priority else None,
        created_at=incident.created_at,
        service=_named_entity(incident.service),
        teams=tuple(_entity(team) for team in incident.teams),
        escalation_policy=_named_entity(incident.escalation_policy),
        assignees=tuple(responder_ref(assignee) for assignee in incident.assignees),
        escalations=count_escalations(inputs),
    )


def alert_facts(inputs: AssessmentInput) -> tuple[AlertFact, ...]:
    """Return the first alerts, which began the incident."""
    return tuple(
        _alert(alert)
        for alert in sorted(inputs.alerts, key=lambda alert: (alert.created_at, alert.id))[:MAX_ALERTS]
    )


def note_facts(inputs: AssessmentInput) -> tuple[NoteFact, ...]:
    """Return the newest notes, oldest first."""
    return tuple(
        _note(note) for note in sorted(inputs.notes, key=lambda note: (note.at, note.id))[-MAX_NOTES:]
    )


def correlated_changes(window: CorrelationWindow) -> list[tuple[Change, int | None]]:
    """Return the changes on the service and upstream, and those that PagerDuty relates, newest first.

    Each comes with its hops; None for a change elsewhere.
    """
    located = [(change, window.nearest_service(change)) for change in window.changes]
    with_hops = [
        (change, None if service_id is None else window.hops[service_id])
        for change, service_id in located
        if service_id is not None or change.reason
    ]
    return sorted(with_hops, key=lambda pair: (-pair[0].at.timestamp(), pair[0].id))


def change_facts(
    changes: Sequence[tuple[Change, int | None]], inputs: AssessmentInput
) -> tuple[ChangeFact, ...]:
    return tuple(
        ChangeFact(
            change=EntityRef(id=change.id, kind="change_event", url=change.url),
            summary=_untrusted(change.summary, _MAX_TITLE_LENGTH),
            at=change.at,
            services=tuple(
                service_ref(service_id, inputs.dependencies) for service_id in change.service_ids[:20]
            ),
            hops=hops,
            pagerduty_reason=sanitize_text(change.reason, 100) if change.reason else None,
        )
        for change, hops in changes[:MAX_CHANGES]
    )


def other_incidents(window: CorrelationWindow) -> tuple[OtherIncident, ...]:
    """Return the open incidents, of the same service first, then upstream, the nearest in time first."""
    others = [
        _other(open_incident, window)
        for open_incident in window.inputs.open_incidents
        if open_incident.id != window.inputs.incident.id
    ]
    others.sort(
        key=lambda other: (
            _POSITION_ORDER.index(other.where),
            other.hops or 0,
            abs(window.lead(other.created_at)),
            other.incident.id,
        )
    )
    return tuple(others[:MAX_OTHER_INCIDENTS])


def dependency_view(window: CorrelationWindow, candidates: Sequence[Candidate]) -> DependencyView:
    """Return the graph around the service, with the path along which the failure probably came."""
    inputs, neighbourhood = window.inputs, window.neighbourhood
    if neighbourhood is None:
        return DependencyView(is_whole=False)
    with_open_incident = {
        open_incident.service_id
        for open_incident in window.inputs.open_incidents
        if open_incident.status != _RESOLVED
    }

    def nodes(hops: dict[str, int]) -> tuple[DependencyNode, ...]:
        return tuple(
            DependencyNode(
                thing=service_ref(node, inputs.dependencies),
                hops=distance,
                has_open_incident=node in with_open_incident,
            )
            for node, distance in list(hops.items())[:MAX_DEPENDENCY_NODES]
        )

    def refs(ids: Sequence[str]) -> tuple[EntityRef, ...]:
        return tuple(service_ref(node, inputs.dependencies) for node in ids)

    business = {
        node: hops
        for node, hops in neighbourhood.downstream.items()
        if is_business_service(node, inputs.dependencies)
    }
    technical = {node: hops for node, hops in neighbourhood.downstream.items() if node not in business}
    return DependencyView(
        downstream=nodes(technical),
        upstream=nodes(dict(neighbourhood.upstream)),
        business=nodes(business),
        cycles=tuple(refs(cycle[:MAX_DEPENDENCY_NODES]) for cycle in neighbourhood.cycles[:MAX_CYCLES]),
        failing_path=failing_path(candidates),
        edges=_edges(neighbourhood),
        is_whole=neighbourhood.is_whole,
    )


def failing_path(candidates: Sequence[Candidate]) -> tuple[EntityRef, ...]:
    """Return the path of the strongest candidate upstream, or the longest path of another candidate that
    ends with it: a failure passes through the services between.

    `candidates` are sorted, the strongest first.
    """
    paths = [candidate.path for candidate in candidates if len(candidate.path) > 1]
    through = [path for path in paths if path[-len(paths[0]) :] == paths[0]]
    return max(through, key=len, default=())


def on_call_facts(inputs: AssessmentInput) -> tuple[OnCallFact, ...]:
    """Return the people on call, in the order of levels."""
    ordered = sorted(
        inputs.on_call,
        key=lambda on_call: (
            on_call.level,
            on_call.person_id,
            on_call.schedule.id if on_call.schedule else "",
        ),
    )
    return tuple(_on_call(on_call, inputs) for on_call in ordered[:MAX_ON_CALL])


def maintenance_facts(inputs: AssessmentInput) -> tuple[MaintenanceFact, ...]:
    ordered = sorted(inputs.maintenance, key=lambda window: (window.start, window.id))
    return tuple(_maintenance(window, inputs) for window in ordered[:MAX_MAINTENANCE])


def _alert(alert: Alert) -> AlertFact:
    return AlertFact(
        id=alert.id,
        summary=_untrusted(alert.summary, _MAX_TITLE_LENGTH),
        created_at=alert.created_at,
        severity=sanitize_text(alert.severity, 40) if alert.severity else None,
        status=sanitize_text(alert.status, 40) if alert.status else None,
        details=_untrusted(alert.details, _MAX_DETAILS_LENGTH) if alert.details else None,
        url=alert.url,
    )


def _note(note: LogLine) -> NoteFact:
    return NoteFact(
        who=responder_ref(note.agent) if note.agent else None,
        at=note.at,
        text=_untrusted(note.text, _MAX_DETAILS_LENGTH),
    )


def _other(incident: OpenIncident, window: CorrelationWindow) -> OtherIncident:
    where, hops = _relative_position(incident.service_id, window.neighbourhood)
    return OtherIncident(
        incident=EntityRef(id=incident.id, kind="incident", name=_number(incident.number), url=incident.url),
        title=_untrusted(incident.title, _MAX_TITLE_LENGTH),
        service=service_ref(incident.service_id, window.inputs.dependencies),
        status=sanitize_text(incident.status, 40),
        created_at=incident.created_at,
        where=where,
        hops=hops,
        pagerduty_agrees=_pagerduty_agrees(incident, window.inputs),
    )


def _pagerduty_agrees(incident: OpenIncident, inputs: AssessmentInput) -> bool | None:
    if inputs.pagerduty_suggestions is None or Source.RELATED_INCIDENTS in inputs.missing_sources:
        return None
    return incident.id in inputs.pagerduty_suggestions.related


def _relative_position(
    service_id: str, neighbourhood: Neighbourhood | None
) -> tuple[RelativePosition, int | None]:
    """Return a service's position and hops. In a cycle it is upstream and downstream: upstream wins."""
    if neighbourhood is None:
        return "elsewhere", None
    if service_id == neighbourhood.service_id:
        return "same", 0
    if service_id in neighbourhood.upstream:
        return "upstream", neighbourhood.upstream[service_id]
    if service_id in neighbourhood.downstream:
        return "downstream", neighbourhood.downstream[service_id]
    return "elsewhere", None


def _edges(neighbourhood: Neighbourhood) -> tuple[tuple[str, str], ...]:
    """Return the edges nearest to the service."""

    def distance(edge: tuple[str, str]) -> int:
        return max(neighbourhood.hops_to(node) or 0 for node in edge)

    return tuple(sorted(neighbourhood.edges, key=lambda edge: (distance(edge), edge))[:MAX_EDGES_SHOWN])


def _on_call(on_call: OnCall, inputs: AssessmentInput) -> OnCallFact:
    person = inputs.people.get(on_call.person_id)
    zone = time_zone(person.time_zone) if person else None
    return OnCallFact(
        level=on_call.level,
        who=person_ref(person) if person else EntityRef(id=on_call.person_id, kind="user"),
        schedule=_named_entity(on_call.schedule),
        until=on_call.until,
        is_asleep=is_night(inputs.now, zone),
        local_time=local_time(inputs.now, zone),
    )


def _maintenance(window: Maintenance, inputs: AssessmentInput) -> MaintenanceFact:
    return MaintenanceFact(
        window=EntityRef(id=window.id, kind="maintenance_window", url=window.url),
        start=window.start,
        end=window.end,
        description=_untrusted(window.description, _MAX_TITLE_LENGTH),
        services=tuple(
            service_ref(service_id, inputs.dependencies) for service_id in window.service_ids[:50]
        ),
    )


def _entity(reference: Reference) -> EntityRef:
    kind = reference.type.removesuffix("_reference")
    return EntityRef(
        id=reference.id,
        kind=kind,
        name=sanitize_text(reference.name, 200) if reference.name else None,
        url=reference.url,
    )


def _named_entity(reference: Reference | None) -> EntityRef | None:
    return _entity(reference) if reference else None


def _number(number: int | None) -> str | None:
    return f"#{number}" if number else None


def _untrusted(text: str, longest: int) -> UntrustedText:
    return UntrustedText(text=sanitize_text(text, longest))
