"""Assemble a snapshot from what was read and from what the snapshot before holds. Pure.

Items that were read later win over earlier ones of the same id.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from calmo_pagerduty.snapshots.codec import FORMS, SnapshotHead
from calmo_pagerduty.snapshots.dependency_history import merge_dependencies
from calmo_pagerduty.snapshots.dependency_model import (
    ServiceDependencies,
    ServiceKey,
    ServiceKind,
)
from calmo_pagerduty.snapshots.model import (
    AccountSnapshot,
    Incident,
    LogKind,
    LogRecord,
    MaintenanceWindow,
    Section,
    SectionName,
    SectionState,
    Team,
)
from calmo_pagerduty.snapshots.reading import (
    SECTION_OF_KIND,
    USABLE_STATES,
    Base,
    ReadingProgress,
    base_of,
    incidents_since,
    log_since,
    section_outcome,
)

T = TypeVar("T")

_SECTION_OF_SERVICES: Mapping[ServiceKind, SectionName] = {
    ServiceKind.TECHNICAL: SectionName.SERVICES,
    ServiceKind.BUSINESS: SectionName.BUSINESS_SERVICES,
}
#: Kinds of log records after which an incident is open.
_OPENING = frozenset(LogKind) - {LogKind.RESOLVE, LogKind.ANNOTATE, LogKind.NOTIFY}


def merge(section: SectionName, *batches: Iterable[Any]) -> list[Any]:
    """Return the items in the section's order, each once: the last one of equal ones."""
    order = FORMS[section].order
    found: dict[Any, Any] = {}
    for batch in batches:
        for item in batch:
            found[order(item)] = item
    return [found[key] for key in sorted(found)]


def merge_teams(read: Iterable[Team], before: Iterable[Team]) -> list[Team]:
    """Return the teams of the list with their managers, which were read by themselves, or before.

    A team without a name holds managers only.
    """
    known = {team.id: team.manager_ids for team in before}
    named: dict[str, Team] = {}
    for team in read:
        if team.name:
            named[team.id] = team
        else:
            known[team.id] = team.manager_ids
    return [replace(team, manager_ids=known.get(team.id)) for _, team in sorted(named.items())]


def merge_maintenance(
    read: Iterable[MaintenanceWindow], before: Iterable[MaintenanceWindow], now: int, since: int
) -> list[MaintenanceWindow]:
    """Return the windows of the list, which are not over, and earlier ones that ended meanwhile."""
    ended = (window for window in before if since <= window.end <= now)
    return merge(SectionName.MAINTENANCE, ended, read)


def merge_incidents(read: Iterable[Incident], before: Iterable[Incident]) -> list[Incident]:
    """Return each incident as it was read last; a link, once known, stays."""
    found: dict[str, Incident] = {}
    # Rows of the analytics, which have no link, lag behind the list of incidents.
    ordered = sorted(read, key=lambda incident: incident.html_url is not None)
    for incident in (*before, *ordered):
        earlier = found.get(incident.id)
        found[incident.id] = incident if earlier is None else _latest(earlier, incident)
    return [found[key] for key in sorted(found)]


def _latest(earlier: Incident, later: Incident) -> Incident:
    return replace(
        later,
        html_url=later.html_url or earlier.html_url,
        team_ids=later.team_ids or earlier.team_ids,
        is_auto_resolved=earlier.is_auto_resolved
        if later.is_auto_resolved is None and later.resolved_at == earlier.resolved_at
        else later.is_auto_resolved,
        measures=later.measures or (earlier.measures if _is_unchanged(earlier, later) else None),
        kind=later.kind or earlier.kind,
    )


def _is_unchanged(earlier: Incident, later: Incident) -> bool:
    """A resolved incident's measures stay, until it is reopened and resolved again."""
    return later.resolved_at is not None and later.resolved_at == earlier.resolved_at


def resolve_by_log(incidents: Iterable[Incident], records: Iterable[LogRecord]) -> list[Incident]:
    """Return the incidents, those resolved of which only the log tells the end so far.

    Analytics lag, and an old incident isn't in the list of recent ones. The last record counts: after a
    reopening there are others.
    """
    last: dict[str, LogRecord] = {}
    for record in sorted(records, key=lambda record: (record.at, record.id)):
        if record.kind is LogKind.RESOLVE or record.kind in _OPENING:
            last[record.incident_id] = record
    return [_resolved_by(incident, last.get(incident.id)) for incident in incidents]


def _resolved_by(incident: Incident, last: LogRecord | None) -> Incident:
    if incident.resolved_at is not None or last is None or last.kind is not LogKind.RESOLVE:
        return incident
    is_automatic = last.agent_id is None
    return replace(
        incident, resolved_at=last.at, status="resolved", is_auto_resolved=is_automatic, measures=None
    )


def with_links(incidents: Iterable[Incident], urls: Iterable[str | None]) -> list[Incident]:
    """Return the incidents with links: analytics have none, and the account's address is that of `urls`."""
    site = next((_site(url) for url in urls if url), None)
    return [
        incident
        if incident.html_url or site is None
        else replace(incident, html_url=f"{site}/incidents/{incident.id}")
        for incident in incidents
    ]


def _site(url: str) -> str:
    return "/".join(url.split("/")[:3])


def assemble(
    head: SnapshotHead,
    progress: ReadingProgress,
    read: Mapping[SectionName, Sequence[Any]],
    before: AccountSnapshot | None,
    drills: frozenset[str] = frozenset(),
) -> AccountSnapshot:
    """Return the snapshot of what was `read`, and of the snapshot `before` that it continues.

    Incidents that `drills` opened are left out with their log: nothing that is counted may count them.
    """
    base = base_of(before, progress.base_times) if before else None
    fields: dict[str, tuple[Any, ...]] = {}
    for name, form in FORMS.items():
        earlier: tuple[Any, ...] = getattr(before, form.field) if before else ()
        if name in progress.reused:
            fields[form.field] = earlier
        else:
            fields[form.field] = tuple(_merged(name, head.taken_at, read.get(name, ()), earlier, base))
    fields["dependencies"] = _dependencies(fields, progress, read, before, head.taken_at)
    fields["incidents"] = tuple(item for item in fields["incidents"] if item.id not in drills)
    fields["log_records"] = tuple(item for item in fields["log_records"] if item.incident_id not in drills)
    resolved = resolve_by_log(fields["incidents"], fields["log_records"])
    urls = [item.html_url for item in (*fields["services"], *fields["policies"])]
    fields["incidents"] = tuple(with_links(resolved, urls))
    counts = {name: len(fields[form.field]) for name, form in FORMS.items()}
    return AccountSnapshot(
        id=head.id,
        connection_id=head.connection_id,
        taken_at=head.taken_at,
        rendered_since=head.rendered_since,
        rendered_until=head.rendered_until,
        time_zone=head.time_zone,
        sections=tuple(_section(name, progress, head.taken_at, counts[name], before) for name in SectionName),
        **fields,
    )


def _dependencies(
    fields: Mapping[str, Sequence[Any]],
    progress: ReadingProgress,
    read: Mapping[SectionName, Sequence[Any]],
    before: AccountSnapshot | None,
    now: int,
) -> tuple[ServiceDependencies, ...]:
    """Return the dependencies with their history. A service that a whole list lacks was removed."""
    earlier = before.dependencies if before else ()
    if SectionName.DEPENDENCIES in progress.reused:
        return earlier
    removed: set[ServiceKey] = set()
    for kind, name in _SECTION_OF_SERVICES.items():
        outcome, _ = section_outcome(task for task in progress.tasks if SECTION_OF_KIND[task.kind] is name)
        if name not in progress.reused and outcome is SectionState.COMPLETE:
            there = {service.id for service in fields[FORMS[name].field]}
            ends = {end for item in earlier for edge in item.supports for end in edge.ends}
            known = ends | {item.service for item in earlier}
            removed |= {key for key in known if key.kind is kind and key.id not in there}
    return tuple(merge_dependencies(read.get(SectionName.DEPENDENCIES, ()), earlier, now, removed))


def _merged(
    name: SectionName, now: int, read: Sequence[Any], earlier: Sequence[Any], base: Base | None
) -> list[Any]:
    match name:
        case SectionName.TEAMS:
            return merge_teams(read, earlier)
        case SectionName.MAINTENANCE:
            return merge_maintenance(read, earlier, now, incidents_since(now, base))
        case SectionName.INCIDENTS:
            since = incidents_since(now, base)
            return [incident for incident in merge_incidents(read, earlier) if incident.created_at >= since]
        case SectionName.LOG_ENTRIES:
            since = log_since(now, base)
            return [record for record in merge(name, earlier, read) if record.at >= since]
        case _:
            return merge(name, read)


def _section(
    name: SectionName, progress: ReadingProgress, now: int, count: int, before: AccountSnapshot | None
) -> Section:
    if before is not None and name in progress.reused:
        return before.section(name)
    state, reason = section_outcome(task for task in progress.tasks if SECTION_OF_KIND[task.kind] is name)
    base = base_of(before, progress.base_times) if before else None
    begin = {
        SectionName.LOG_ENTRIES: log_since(now, base),
        SectionName.INCIDENTS: incidents_since(now, base),
    }.get(name)
    since = begin if state in USABLE_STATES else None
    return Section(name, state, progress.fetched_at.get(name, now), count, reason, since)
