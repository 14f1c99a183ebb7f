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
from calmo_pagerduty.contexts.account.incident_history import IncidentHistory
from calmo_pagerduty.contexts.account_cache_store import CachedRow
from calmo_pagerduty.contexts.analysis import parse_issues as reading_issues
from calmo_pagerduty.contexts.analysis.inputs import (
    AssessmentInput,
    Change,
    Dependencies,
    Node,
    NodeKind,
    OpenIncident,
    PagerDutySuggestions,
    PastIncident,
    Person,
    ThisIncident,
)
from calmo_pagerduty.contexts.sources import Source, SourceState
from calmo_pagerduty.contexts.store import ContextPart
from calmo_pagerduty.db.database import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Incidents that began so shortly before or after stand beside those that are open.
NEARBY_BEFORE = timedelta(hours=1)
NEARBY_AFTER = timedelta(minutes=10)
_STATES_WITH_DATA = frozenset({SourceState.COMPLETE, SourceState.PARTIAL, SourceState.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class AssessmentRecords:
    """All that our database holds for one assessment."""

    ref: IncidentRef
    now: datetime
    parts: Mapping[Source, ContextPart]
    issue: Issue | None
    services: CachedRow | None
    business_services: CachedRow | None
    users: CachedRow | None
    dependencies: Mapping[str, CachedRow]
    account: IncidentHistory
    own_past: Sequence[tuple[Issue, Sequence[TimelineEntry]]]

    def data(self, source: Source) -> Any:
        part = self.parts.get(source)
        return part.data if part is not None else None


def read_assessment_records(
    tx: Transaction,
    ref: IncidentRef,
    version: int,
    now: datetime,
    account: IncidentHistory,
    *unkept: ContextPart,
) -> AssessmentRecords:
    """Read it. `unkept` are parts that aren't in the database yet."""
    parts = contexts.get_parts(tx, ref, version) | {part.source: part for part in unkept}
    connection_id = ref.connection_id
    past = _since(parts, Source.HISTORY)
    is_own = past is not None and parts[Source.HISTORY].data["is_own"]

    def known(kind: kinds.CacheKind) -> CachedRow | None:
        return account_memory.get_object(tx, connection_id, kind.name)

    return AssessmentRecords(
        ref=ref,
        now=now,
        parts=parts,
        issue=own_history.get_issue(tx, ref),
        services=known(kinds.SERVICES),
        business_services=known(kinds.BUSINESS_SERVICES),
        users=known(kinds.USERS),
        dependencies=account_memory.list_objects(tx, connection_id, kinds.DEPENDENCIES.name),
        account=account,
        own_past=own_history.list_past_issues(tx, ref, past, now) if past is not None and is_own else (),
    )


def build_assessment_input(records: AssessmentRecords) -> AssessmentInput:
    """Put together what is assessed. Work for a thread."""
    incident = current_incident(records)
    nodes = _nodes(records)
    past = _past(records, incident, nodes)
    changes_since, changes = _changes(records)
    on_call = records.data(Source.ON_CALL) or {"on_call": [], "people": []}
    return AssessmentInput(
        now=records.now,
        incident=incident,
        alerts=facts.ALERTS.from_json(records.data(Source.ALERTS) or ()),
        log=facts.LINES.from_json(records.data(Source.LOG) or ()),
        notes=_notes(records),
        dependencies=_dependencies(records, nodes),
        priorities=tuple(records.data(Source.PRIORITIES) or ()),
        open_incidents=_nearby_incidents(records, incident),
        changes=changes,
        changes_since=changes_since,
        past=past,
        past_since=_since(records.parts, Source.HISTORY),
        on_call=facts.ON_CALL.from_json(on_call["on_call"]),
        people=_people(records, facts.REFERENCES.from_json(on_call["people"])),
        names=_names(records, incident),
        maintenance=facts.MAINTENANCE.from_json(records.data(Source.MAINTENANCE) or ()),
        business_impacts=facts.REFERENCES.from_json(records.data(Source.BUSINESS_IMPACT) or ()),
        pagerduty_suggestions=_pagerduty_suggestions(records),
        missing_sources=frozenset(source for source in Source if not _has_data(records.parts.get(source))),
    )


def current_incident(records: AssessmentRecords) -> ThisIncident:
    """Return the incident as PagerDuty shows it, else as our issue does, else what its id tells."""
    shown = records.data(Source.INCIDENT)
    if shown is not None:
        return facts.INCIDENT.from_json(shown)
    if records.issue is not None:
        return reading_issues.this_incident_from_issue(records.issue)
    id_ = records.ref.incident_id
    return ThisIncident(id_, f"PagerDuty incident {id_}", records.now, "unknown")


def _has_data(part: ContextPart | None) -> bool:
    """A part that is there without facts is as good as none, unless there is nothing to know."""
    if part is None or part.state not in _STATES_WITH_DATA:
        return False
    return part.data is not None or part.state is SourceState.NOT_APPLICABLE


def _since(parts: Mapping[Source, ContextPart], source: Source) -> datetime | None:
    part = parts.get(source)
    return datetime.fromisoformat(part.data["since"]) if part is not None and part.data else None


def _nodes(records: AssessmentRecords) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for kept in (records.services, records.business_services):
        if kept is not None:
            nodes |= {node.id: node for node in facts.NODES.from_json(kept.data["nodes"])}
    own = records.data(Source.SERVICE)
    if own is not None:
        node = facts.NODE.from_json(own)
        nodes.setdefault(node.id, node)
    return nodes


def _dependencies(records: AssessmentRecords, nodes: dict[str, Node]) -> Dependencies:
    told = records.data(Source.DEPENDENCIES)
    if told is None:
        return Dependencies(nodes=nodes, is_whole=False)
    edges = {edge for kept in records.dependencies.values() for edge in facts.EDGES.from_json(kept.data)}
    ends = {(kind, id_) for edge in edges for kind, id_ in (edge[:2], edge[2:])}
    nameless = {id_: Node(id_, NodeKind(kind), id_) for kind, id_ in ends if id_ not in nodes}
    pairs = frozenset((edge[1], edge[3]) for edge in edges)
    return Dependencies(nodes={**nodes, **nameless}, edges=pairs, is_whole=told["is_whole"])


def _past(
    records: AssessmentRecords, incident: ThisIncident, nodes: Mapping[str, Node]
) -> tuple[PastIncident, ...]:
    since = _since(records.parts, Source.HISTORY)
    if since is None:
        return ()
    found = [
        _with_handoffs(cached.past, cached.team_ids, nodes) for cached in records.account.incidents.values()
    ]
    if records.data(Source.HISTORY)["is_own"]:
        own = (reading_issues.past_incident_from_issue(issue, entries) for issue, entries in records.own_past)
        found = [_with_handoffs(past, past.handed_to_team_ids, nodes) for past in own if past is not None]
    earlier = [past for past in found if since <= past.created_at < incident.created_at]
    earlier.sort(key=lambda past: (past.created_at, past.id), reverse=True)
    return tuple(past for past in earlier if past.id != incident.id)


def _with_handoffs(past: PastIncident, teams: Sequence[str], nodes: Mapping[str, Node]) -> PastIncident:
    """Tell the teams that it was with and that aren't its service's: to those it was given."""
    service = nodes.get(past.service_id)
    own = service.team_ids if service else ()
    given = tuple(team for team in teams if team not in own) if own else ()
    # Of thousands, few were given away: the others are not copied.
    return past if given == past.handed_to_team_ids else replace(past, handed_to_team_ids=given)


def _nearby_incidents(records: AssessmentRecords, incident: ThisIncident) -> tuple[OpenIncident, ...]:
    """Those that are open, and those that began shortly before or after and are over already."""
    found = {
        open_incident.id: open_incident
        for open_incident in facts.OPEN.from_json(records.data(Source.OPEN_INCIDENTS) or ())
    }
    begin, end = incident.created_at - NEARBY_BEFORE, incident.created_at + NEARBY_AFTER
    for id_, cached in records.account.incidents.items():
        past = cached.past
        if begin <= past.created_at <= end and id_ not in found:
            found[id_] = OpenIncident(
                id_,
                past.title,
                past.service_id,
                past.created_at,
                cached.status,
                past.number,
                past.urgency,
                past.priority,
                past.url,
            )
    found.pop(incident.id, None)
    return tuple(
        sorted(
            found.values(),
            key=lambda open_incident: (open_incident.created_at, open_incident.id),
            reverse=True,
        )
    )


def _changes(records: AssessmentRecords) -> tuple[datetime | None, tuple[Change, ...]]:
    told, since = records.data(Source.CHANGES), _since(records.parts, Source.CHANGES)
    only = None if told is None or told["service_ids"] is None else frozenset(told["service_ids"])
    found: dict[str, Change] = {}
    if since is not None:
        window = (change for change in records.account.changes.values() if change.at >= since)
        found = {
            change.id: change for change in window if only is None or not only.isdisjoint(change.service_ids)
        }
    # What PagerDuty relates itself comes with its reason.
    found |= {
        change.id: change for change in facts.CHANGES.from_json(records.data(Source.RELATED_CHANGES) or ())
    }
    ordered = sorted(found.values(), key=lambda change: (change.at, change.id), reverse=True)
    return since, tuple(ordered)


def _notes(records: AssessmentRecords) -> Any:
    """Without PagerDuty the log tells the notes too."""
    told = records.data(Source.NOTES)
    if told is None and Source.NOTES not in records.parts:
        return tuple(
            line for line in facts.LINES.from_json(records.data(Source.LOG) or ()) if line.kind == "annotate"
        )
    return facts.LINES.from_json(told or ())


def _people(records: AssessmentRecords, on_call: Sequence[Reference]) -> dict[str, Person]:
    named = {who.id: Person(who.id, who.name or who.id, url=who.url) for who in on_call}
    known = facts.PEOPLE.from_json(records.users.data["people"]) if records.users else ()
    return {**named, **{person.id: person for person in known}}


def _names(records: AssessmentRecords, incident: ThisIncident) -> dict[str, str]:
    names = facts.NAMES.from_json(records.services.data["names"]) if records.services else {}
    told = (*incident.teams, incident.escalation_policy, incident.service)
    return names | {
        reference.id: reference.name for reference in told if reference is not None and reference.name
    }


def _pagerduty_suggestions(records: AssessmentRecords) -> PagerDutySuggestions | None:
    past, related = records.data(Source.PAST_INCIDENTS), records.data(Source.RELATED_INCIDENTS)
    if past is None and related is None:
        return None
    return PagerDutySuggestions(facts.SCORES.from_json(past or ()), facts.IDS.from_json(related or ()))
