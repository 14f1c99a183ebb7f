"""Build an assessment's inputs from the stored parts of the sources and from the account cache."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from calmo_pagerduty.contexts import (
    account_cache_store as cache_store,
    issue_history_queries as issue_history,
    store as contexts,
)
from calmo_pagerduty.contexts.account import cache as cached_kinds, codec
from calmo_pagerduty.contexts.account.incident_history import IncidentHistory
from calmo_pagerduty.contexts.account_cache_store import CachedRow
from calmo_pagerduty.contexts.analysis import parse_issues
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
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.pagerduty.webhook_events import Reference

#: Incidents that began so shortly before or after are listed beside the open ones.
NEARBY_BEFORE = timedelta(hours=1)
NEARBY_AFTER = timedelta(minutes=10)
_STATES_WITH_DATA = frozenset({SourceState.COMPLETE, SourceState.PARTIAL, SourceState.NOT_APPLICABLE})


@dataclass(frozen=True, slots=True)
class AssessmentRecords:
    """The rows of our database that an assessment needs."""

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
    *unsaved: ContextPart,
) -> AssessmentRecords:
    """Read the records. `unsaved` are parts that aren't in the database yet."""
    parts = contexts.get_parts(tx, ref, version) | {part.source: part for part in unsaved}
    connection_id = ref.connection_id
    since = _since(parts, Source.HISTORY)
    is_own = since is not None and parts[Source.HISTORY].data["is_own"]

    def cached_row(kind: cached_kinds.CacheKind) -> CachedRow | None:
        return cache_store.get_object(tx, connection_id, kind.name)

    return AssessmentRecords(
        ref=ref,
        now=now,
        parts=parts,
        issue=issue_history.get_issue(tx, ref),
        services=cached_row(cached_kinds.SERVICES),
        business_services=cached_row(cached_kinds.BUSINESS_SERVICES),
        users=cached_row(cached_kinds.USERS),
        dependencies=cache_store.list_objects(tx, connection_id, cached_kinds.DEPENDENCIES.name),
        account=account,
        own_past=issue_history.list_past_issues(tx, ref, since, now) if since is not None and is_own else (),
    )


def build_assessment_input(records: AssessmentRecords) -> AssessmentInput:
    """Build the inputs. Call it in a thread: it is all CPU. Raises ValueError for JSON of an old shape."""
    incident = current_incident(records)
    nodes = _nodes(records)
    past = _past(records, incident, nodes)
    changes_since, changes = _changes(records)
    on_call = records.data(Source.ON_CALL) or {"on_call": [], "people": []}
    return AssessmentInput(
        now=records.now,
        incident=incident,
        alerts=codec.ALERTS.from_json(records.data(Source.ALERTS) or ()),
        log=codec.LINES.from_json(records.data(Source.LOG) or ()),
        notes=_notes(records),
        dependencies=_dependencies(records, nodes),
        priorities=tuple(records.data(Source.PRIORITIES) or ()),
        open_incidents=_nearby_incidents(records, incident),
        changes=changes,
        changes_since=changes_since,
        past=past,
        past_since=_since(records.parts, Source.HISTORY),
        on_call=codec.ON_CALL.from_json(on_call["on_call"]),
        people=_people(records, codec.REFERENCES.from_json(on_call["people"])),
        names=_names(records, incident),
        maintenance=codec.MAINTENANCE.from_json(records.data(Source.MAINTENANCE) or ()),
        business_impacts=codec.REFERENCES.from_json(records.data(Source.BUSINESS_IMPACT) or ()),
        pagerduty_suggestions=_pagerduty_suggestions(records),
        missing_sources=frozenset(source for source in Source if not _has_data(records.parts.get(source))),
    )


def current_incident(records: AssessmentRecords) -> ThisIncident:
    """Return the incident as PagerDuty shows it, else as our issue does, else with its id only."""
    data = records.data(Source.INCIDENT)
    if data is not None:
        return codec.INCIDENT.from_json(data)
    if records.issue is not None:
        return parse_issues.this_incident_from_issue(records.issue)
    id_ = records.ref.incident_id
    return ThisIncident(id_, f"PagerDuty incident {id_}", records.now, "unknown")


def _has_data(part: ContextPart | None) -> bool:
    """Return whether the part has data, or the source does not apply to the incident."""
    if part is None or part.state not in _STATES_WITH_DATA:
        return False
    return part.data is not None or part.state is SourceState.NOT_APPLICABLE


def _since(parts: Mapping[Source, ContextPart], source: Source) -> datetime | None:
    part = parts.get(source)
    return datetime.fromisoformat(part.data["since"]) if part is not None and part.data else None


def _nodes(records: AssessmentRecords) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for row in (records.services, records.business_services):
        if row is not None:
            nodes |= {node.id: node for node in codec.NODES.from_json(row.data["nodes"])}
    own_service = records.data(Source.SERVICE)
    if own_service is not None:
        node = codec.NODE.from_json(own_service)
        nodes.setdefault(node.id, node)
    return nodes


def _dependencies(records: AssessmentRecords, nodes: dict[str, Node]) -> Dependencies:
    part = records.data(Source.DEPENDENCIES)
    if part is None:
        return Dependencies(nodes=nodes, is_whole=False)
    edges = {edge for row in records.dependencies.values() for edge in codec.EDGES.from_json(row.data)}
    ends = {(kind, id_) for edge in edges for kind, id_ in (edge[:2], edge[2:])}
    unnamed = {id_: Node(id_, NodeKind(kind), id_) for kind, id_ in ends if id_ not in nodes}
    pairs = frozenset((edge[1], edge[3]) for edge in edges)
    return Dependencies(nodes={**nodes, **unnamed}, edges=pairs, is_whole=part["is_whole"])


def _past(
    records: AssessmentRecords, incident: ThisIncident, nodes: Mapping[str, Node]
) -> tuple[PastIncident, ...]:
    since = _since(records.parts, Source.HISTORY)
    if since is None:
        return ()
    incidents = [
        _with_handoffs(cached.past, cached.team_ids, nodes) for cached in records.account.incidents.values()
    ]
    if records.data(Source.HISTORY)["is_own"]:
        from_issues = (
            parse_issues.past_incident_from_issue(issue, entries) for issue, entries in records.own_past
        )
        incidents = [
            _with_handoffs(past, past.handed_to_team_ids, nodes) for past in from_issues if past is not None
        ]
    earlier = [past for past in incidents if since <= past.created_at < incident.created_at]
    earlier.sort(key=lambda past: (past.created_at, past.id), reverse=True)
    return tuple(past for past in earlier if past.id != incident.id)


def _with_handoffs(past: PastIncident, teams: Sequence[str], nodes: Mapping[str, Node]) -> PastIncident:
    """Set the teams that the incident was handed to: those of `teams` that aren't its service's."""
    service = nodes.get(past.service_id)
    own = service.team_ids if service else ()
    handed = tuple(team for team in teams if team not in own) if own else ()
    # Few of thousands were handed over: don't copy the others.
    return past if handed == past.handed_to_team_ids else replace(past, handed_to_team_ids=handed)


def _nearby_incidents(records: AssessmentRecords, incident: ThisIncident) -> tuple[OpenIncident, ...]:
    """Return the open incidents, and those that began shortly before or after and are over already."""
    nearby = {
        open_incident.id: open_incident
        for open_incident in codec.OPEN.from_json(records.data(Source.OPEN_INCIDENTS) or ())
    }
    begin, end = incident.created_at - NEARBY_BEFORE, incident.created_at + NEARBY_AFTER
    for id_, cached in records.account.incidents.items():
        past = cached.past
        if begin <= past.created_at <= end and id_ not in nearby:
            nearby[id_] = OpenIncident(
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
    nearby.pop(incident.id, None)
    return tuple(
        sorted(
            nearby.values(),
            key=lambda open_incident: (open_incident.created_at, open_incident.id),
            reverse=True,
        )
    )


def _changes(records: AssessmentRecords) -> tuple[datetime | None, tuple[Change, ...]]:
    part, since = records.data(Source.CHANGES), _since(records.parts, Source.CHANGES)
    services = None if part is None or part["service_ids"] is None else frozenset(part["service_ids"])
    changes: dict[str, Change] = {}
    if since is not None:
        window = (change for change in records.account.changes.values() if change.at >= since)
        changes = {
            change.id: change
            for change in window
            if services is None or not services.isdisjoint(change.service_ids)
        }
    # Changes that PagerDuty relates replace the cached ones: they have its reason.
    changes |= {
        change.id: change for change in codec.CHANGES.from_json(records.data(Source.RELATED_CHANGES) or ())
    }
    ordered = sorted(changes.values(), key=lambda change: (change.at, change.id), reverse=True)
    return since, tuple(ordered)


def _notes(records: AssessmentRecords) -> Any:
    """Return the notes; without PagerDuty, our log has them."""
    notes = records.data(Source.NOTES)
    if notes is None and Source.NOTES not in records.parts:
        return tuple(
            line for line in codec.LINES.from_json(records.data(Source.LOG) or ()) if line.kind == "annotate"
        )
    return codec.LINES.from_json(notes or ())


def _people(records: AssessmentRecords, on_call: Sequence[Reference]) -> dict[str, Person]:
    named = {user.id: Person(user.id, user.name or user.id, url=user.url) for user in on_call}
    people = codec.PEOPLE.from_json(records.users.data["people"]) if records.users else ()
    return {**named, **{person.id: person for person in people}}


def _names(records: AssessmentRecords, incident: ThisIncident) -> dict[str, str]:
    names = codec.NAMES.from_json(records.services.data["names"]) if records.services else {}
    references = (*incident.teams, incident.escalation_policy, incident.service)
    return names | {
        reference.id: reference.name for reference in references if reference is not None and reference.name
    }


def _pagerduty_suggestions(records: AssessmentRecords) -> PagerDutySuggestions | None:
    past, related = records.data(Source.PAST_INCIDENTS), records.data(Source.RELATED_INCIDENTS)
    if past is None and related is None:
        return None
    return PagerDutySuggestions(codec.SCORES.from_json(past or ()), codec.IDS.from_json(related or ()))
