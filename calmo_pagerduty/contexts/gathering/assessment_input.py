"""From what the sources brought, and what is remembered of the account, to what is assessed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts import (
    account_cache_store as account_memory,
)
from calmo_pagerduty.contexts import (
    issue_history_queries as own_history,
)
from calmo_pagerduty.contexts import (
    store as contexts,
)
from calmo_pagerduty.contexts.account import cache as kinds
from calmo_pagerduty.contexts.account import codec as facts
from calmo_pagerduty.contexts.account.incident_history import AccountPast
from calmo_pagerduty.contexts.account_cache_store import Kept
from calmo_pagerduty.contexts.analysis import reading_issues
from calmo_pagerduty.contexts.analysis.surroundings import (
    Change,
    Dependencies,
    Node,
    NodeKind,
    OpenIncident,
    PagerDutysOwn,
    PastIncident,
    Person,
    Surroundings,
    ThisIncident,
)
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import Part
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Incidents that began so shortly before or after stand beside those that are open.
SHORTLY_BEFORE = timedelta(hours=1)
SHORTLY_AFTER = timedelta(minutes=10)
_HAS_FACTS = frozenset({SourceState.COMPLETE, SourceState.PARTIAL, SourceState.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class Material:
    """All that our database holds for one assessment."""

    ref: IncidentRef
    now: datetime
    parts: Mapping[Source, Part]
    issue: Issue | None
    services: Kept | None
    business_services: Kept | None
    users: Kept | None
    dependencies: Mapping[str, Kept]
    account: AccountPast
    own_past: Sequence[tuple[Issue, Sequence[TimelineEntry]]]

    def data(self, source: Source) -> Any:
        part = self.parts.get(source)
        return part.data if part is not None else None


def read_material(
    tx: Transaction,
    ref: IncidentRef,
    version: int,
    now: datetime,
    account: AccountPast,
    *unkept: Part,
) -> Material:
    """Read it. `unkept` are parts that aren't in the database yet."""
    parts = contexts.parts(tx, ref, version) | {part.source: part for part in unkept}
    connection_id = ref.connection_id
    past = _since(parts, Source.HISTORY)
    is_own = past is not None and parts[Source.HISTORY].data["is_own"]

    def known(kind: kinds.Kind) -> Kept | None:
        return account_memory.find_object(tx, connection_id, kind.name)

    return Material(
        ref=ref, now=now, parts=parts, issue=own_history.issue(tx, ref),
        services=known(kinds.SERVICES), business_services=known(kinds.BUSINESS_SERVICES),
        users=known(kinds.USERS),
        dependencies=account_memory.objects(tx, connection_id, kinds.DEPENDENCIES.name),
        account=account,
        own_past=own_history.past(tx, ref, past, now) if past is not None and is_own else (),
    )  # fmt: skip


def surroundings(material: Material) -> Surroundings:
    """Put together what is assessed. Work for a thread."""
    incident = this_incident(material)
    nodes = _nodes(material)
    past = _past(material, incident, nodes)
    changes_since, changes = _changes(material)
    on_call = material.data(Source.ON_CALL) or {"on_call": [], "people": []}
    return Surroundings(
        now=material.now,
        incident=incident,
        alerts=facts.ALERTS.of(material.data(Source.ALERTS) or ()),
        log=facts.LINES.of(material.data(Source.LOG) or ()),
        notes=_notes(material),
        dependencies=_dependencies(material, nodes),
        priorities=tuple(material.data(Source.PRIORITIES) or ()),
        open_incidents=_around(material, incident),
        changes=changes,
        changes_since=changes_since,
        past=past,
        past_since=_since(material.parts, Source.HISTORY),
        on_call=facts.ON_CALL.of(on_call["on_call"]),
        people=_people(material, facts.REFERENCES.of(on_call["people"])),
        names=_names(material, incident),
        maintenance=facts.MAINTENANCE.of(material.data(Source.MAINTENANCE) or ()),
        business_impacts=facts.REFERENCES.of(material.data(Source.BUSINESS_IMPACT) or ()),
        pagerdutys_own=_pagerdutys_own(material),
        lacking=frozenset(source for source in Source if not _has_facts(material.parts.get(source))),
    )


def this_incident(material: Material) -> ThisIncident:
    """Return the incident as PagerDuty shows it, else as our issue does, else what its id tells."""
    shown = material.data(Source.INCIDENT)
    if shown is not None:
        return facts.INCIDENT.of(shown)
    if material.issue is not None:
        return reading_issues.this_issue(material.issue)
    id_ = material.ref.incident_id
    return ThisIncident(id_, f"PagerDuty incident {id_}", material.now, "unknown")


def _has_facts(part: Part | None) -> bool:
    """A part that is there without facts is as good as none, unless there is nothing to know."""
    if part is None or part.state not in _HAS_FACTS:
        return False
    return part.data is not None or part.state is SourceState.NOT_APPLICABLE


def _since(parts: Mapping[Source, Part], source: Source) -> datetime | None:
    part = parts.get(source)
    return datetime.fromisoformat(part.data["since"]) if part is not None and part.data else None


def _nodes(material: Material) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for kept in (material.services, material.business_services):
        if kept is not None:
            nodes |= {node.id: node for node in facts.NODES.of(kept.data["nodes"])}
    own = material.data(Source.SERVICE)
    if own is not None:
        node = facts.NODE.of(own)
        nodes.setdefault(node.id, node)
    return nodes


def _dependencies(material: Material, nodes: dict[str, Node]) -> Dependencies:
    told = material.data(Source.DEPENDENCIES)
    if told is None:
        return Dependencies(nodes=nodes, is_whole=False)
    edges = {edge for kept in material.dependencies.values() for edge in facts.EDGES.of(kept.data)}
    ends = {(kind, id_) for edge in edges for kind, id_ in (edge[:2], edge[2:])}
    nameless = {id_: Node(id_, NodeKind(kind), id_) for kind, id_ in ends if id_ not in nodes}
    pairs = frozenset((edge[1], edge[3]) for edge in edges)
    return Dependencies(nodes={**nodes, **nameless}, edges=pairs, is_whole=told["is_whole"])


def _past(material: Material, incident: ThisIncident, nodes: Mapping[str, Node]) -> tuple[PastIncident, ...]:
    since = _since(material.parts, Source.HISTORY)
    if since is None:
        return ()
    found = [_given(cached.past, cached.team_ids, nodes) for cached in material.account.incidents.values()]
    if material.data(Source.HISTORY)["is_own"]:
        own = (reading_issues.past_issue(issue, entries) for issue, entries in material.own_past)
        found = [_given(past, past.handed_to_team_ids, nodes) for past in own if past is not None]
    earlier = [past for past in found if since <= past.created_at < incident.created_at]
    earlier.sort(key=lambda past: (past.created_at, past.id), reverse=True)
    return tuple(past for past in earlier if past.id != incident.id)


def _given(past: PastIncident, teams: Sequence[str], nodes: Mapping[str, Node]) -> PastIncident:
    """Tell the teams that it was with and that aren't its service's: to those it was given."""
    service = nodes.get(past.service_id)
    own = service.team_ids if service else ()
    given = tuple(team for team in teams if team not in own) if own else ()
    # Of thousands, few were given away: the others are not copied.
    return past if given == past.handed_to_team_ids else replace(past, handed_to_team_ids=given)


def _around(material: Material, incident: ThisIncident) -> tuple[OpenIncident, ...]:
    """Those that are open, and those that began shortly before or after and are over already."""
    found = {
        open_incident.id: open_incident
        for open_incident in facts.OPEN.of(material.data(Source.OPEN_INCIDENTS) or ())
    }
    begin, end = incident.created_at - SHORTLY_BEFORE, incident.created_at + SHORTLY_AFTER
    for id_, cached in material.account.incidents.items():
        past = cached.past
        if begin <= past.created_at <= end and id_ not in found:
            found[id_] = OpenIncident(
                id_, past.title, past.service_id, past.created_at, cached.status, past.number, past.urgency,
                past.priority, past.url,
            )  # fmt: skip
    found.pop(incident.id, None)
    return tuple(
        sorted(
            found.values(),
            key=lambda open_incident: (open_incident.created_at, open_incident.id),
            reverse=True,
        )
    )


def _changes(material: Material) -> tuple[datetime | None, tuple[Change, ...]]:
    told, since = material.data(Source.CHANGES), _since(material.parts, Source.CHANGES)
    only = None if told is None or told["service_ids"] is None else frozenset(told["service_ids"])
    found: dict[str, Change] = {}
    if since is not None:
        near = (change for change in material.account.changes.values() if change.at >= since)
        found = {
            change.id: change for change in near if only is None or not only.isdisjoint(change.service_ids)
        }
    # What PagerDuty relates itself comes with its reason.
    found |= {change.id: change for change in facts.CHANGES.of(material.data(Source.RELATED_CHANGES) or ())}
    ordered = sorted(found.values(), key=lambda change: (change.at, change.id), reverse=True)
    return since, tuple(ordered)


def _notes(material: Material) -> Any:
    """Without PagerDuty the log tells the notes too."""
    told = material.data(Source.NOTES)
    if told is None and Source.NOTES not in material.parts:
        return tuple(
            line for line in facts.LINES.of(material.data(Source.LOG) or ()) if line.kind == "annotate"
        )
    return facts.LINES.of(told or ())


def _people(material: Material, on_call: Sequence[Reference]) -> dict[str, Person]:
    named = {who.id: Person(who.id, who.name or who.id, url=who.url) for who in on_call}
    known = facts.PEOPLE.of(material.users.data["people"]) if material.users else ()
    return {**named, **{person.id: person for person in known}}


def _names(material: Material, incident: ThisIncident) -> dict[str, str]:
    names = facts.NAMES.of(material.services.data["names"]) if material.services else {}
    told = (*incident.teams, incident.escalation_policy, incident.service)
    return names | {
        reference.id: reference.name for reference in told if reference is not None and reference.name
    }


def _pagerdutys_own(material: Material) -> PagerDutysOwn | None:
    past, related = material.data(Source.PAST_INCIDENTS), material.data(Source.RELATED_INCIDENTS)
    if past is None and related is None:
        return None
    return PagerDutysOwn(facts.SCORES.of(past or ()), facts.IDS.of(related or ()))
