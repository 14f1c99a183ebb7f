"""Read findings, their history, and results of analyses, within a reader's visibility. Times are UTC."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from calmo_pagerduty.access.persons import PersonVisibility
from calmo_pagerduty.db.finding_tables import analysis_results, finding_events, findings
from calmo_pagerduty.db.tables import connections
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.findings.codec import result_from_document
from calmo_pagerduty.findings.lifecycle import OPEN_STATES, FindingEvent, StoredFinding
from calmo_pagerduty.findings.model import AnalysisResult
from calmo_pagerduty.findings.rows import PERSON_MARK, event_from_row, finding_from_row
from calmo_pagerduty.kernel.scopes import Visibility

_ENTITY_ID = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """A filter: a finding matches each non-empty field, by any of the field's values."""

    states: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    #: Ids of PagerDuty's objects.
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingPosition:
    """The place of a finding in the order of lists: severity, expected dropped incidents, number."""

    severity_rank: int
    expected_dropped: float
    id: int


@dataclass(frozen=True, slots=True)
class FindingPage:
    findings: tuple[StoredFinding, ...]
    #: Where the next page begins; None on the last page.
    next: FindingPosition | None


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A stored result. `at` is the `now` of the analysis."""

    id: int
    connection_id: str
    at: datetime
    recorded_at: datetime
    digest: str
    result: AnalysisResult


def list_findings(
    tx: Transaction,
    visibility: Visibility,
    persons: PersonVisibility,
    finding_filter: FindingFilter,
    limit: int,
    after: FindingPosition | None = None,
) -> FindingPage:
    """Return findings: the worst severity first, then by expected dropped incidents, then the oldest.

    They are whole: show them by `persons.finding_for`. The filter by entity finds nobody whom the reader may
    not see.
    """
    query = _visible(sa.select(findings), visibility).where(*_conditions(finding_filter, persons))
    if after is not None:
        query = query.where(_is_after(after))
    order = (findings.c.severity_rank, findings.c.expected_dropped.desc(), findings.c.id)
    rows = tx.execute(query.order_by(*order).limit(limit + 1)).all()
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    position = None if last is None else FindingPosition(last.severity_rank, last.expected_dropped, last.id)
    return FindingPage(tuple(finding_from_row(row) for row in page), position)


def get_finding(tx: Transaction, visibility: Visibility, finding_id: int) -> StoredFinding | None:
    """Return a finding; None if there is none or the caller may not see it."""
    query = _visible(sa.select(findings), visibility).where(findings.c.id == finding_id)
    row = tx.execute(query).one_or_none()
    return None if row is None else finding_from_row(row)


def list_events(tx: Transaction, finding_ids: Sequence[int]) -> Mapping[int, tuple[FindingEvent, ...]]:
    """Return the history of findings that the caller has read within its visibility, oldest first."""
    query = sa.select(finding_events).where(finding_events.c.finding_id.in_(list(finding_ids)))
    events: dict[int, list[FindingEvent]] = {finding_id: [] for finding_id in finding_ids}
    for row in tx.execute(query.order_by(finding_events.c.id)):
        events[row.finding_id].append(event_from_row(row))
    return {finding_id: tuple(history) for finding_id, history in events.items()}


def list_open_or_changed(
    tx: Transaction, visibility: Visibility, connection_id: str, since: datetime, until: datetime
) -> tuple[StoredFinding, ...]:
    """Return a connection's findings that are open or have an event in [since, until), oldest first."""
    changed = sa.select(finding_events.c.finding_id).where(
        finding_events.c.at >= since, finding_events.c.at < until
    )
    query = _visible(sa.select(findings), visibility).where(
        findings.c.connection_id == connection_id,
        sa.or_(findings.c.state.in_(OPEN_STATES), findings.c.id.in_(changed)),
    )
    return tuple(finding_from_row(row) for row in tx.execute(query.order_by(findings.c.id)))


def count_findings(tx: Transaction) -> Mapping[tuple[str, str, str], int]:
    """Return analysis, state and severity → number of findings, of all connections: for metrics."""
    group = (findings.c.analysis, findings.c.state, findings.c.severity)
    query = sa.select(*group, sa.func.count()).group_by(*group)
    return {(row[0], row[1], row[2]): row[3] for row in tx.execute(query)}


def count_visible_findings(tx: Transaction, visibility: Visibility) -> Mapping[tuple[str, str, str], int]:
    """Return analysis, state and severity → number of findings, of those that the caller may see."""
    group = (findings.c.analysis, findings.c.state, findings.c.severity)
    query = _visible(sa.select(*group, sa.func.count()).select_from(findings), visibility).group_by(*group)
    return {(row[0], row[1], row[2]): row[3] for row in tx.execute(query)}


def list_newest_results(
    tx: Transaction, visibility: Visibility, connection_id: str, until: datetime | None = None
) -> tuple[StoredResult, ...]:
    """Return the newest result of each analysis, not after `until`, in the order of analyses' names."""
    at_most = [] if until is None else [analysis_results.c.at <= until]
    of_connection = [analysis_results.c.connection_id == connection_id, *at_most]
    newest = (
        sa.select(analysis_results.c.analysis, sa.func.max(analysis_results.c.at).label("at"))
        .where(*of_connection)
        .group_by(analysis_results.c.analysis)
        .subquery()
    )
    query = (
        sa.select(analysis_results)
        .join(connections, connections.c.id == analysis_results.c.connection_id)
        .join(
            newest,
            sa.and_(newest.c.analysis == analysis_results.c.analysis, newest.c.at == analysis_results.c.at),
        )
        .where(visible_to(connections.c.scope, visibility), *of_connection)
        .order_by(analysis_results.c.analysis, analysis_results.c.id)
    )
    # Of several results at the same moment, the last recorded.
    by_analysis = {row.analysis: row for row in tx.execute(query)}
    return tuple(_result_from_row(row) for row in by_analysis.values())


def get_newest_result(
    tx: Transaction, visibility: Visibility, connection_id: str, analysis: str
) -> AnalysisResult | None:
    """Return the newest result of an analysis; None if there is none or the caller may not see it."""
    query = (
        sa.select(analysis_results.c.document)
        .join(connections, connections.c.id == analysis_results.c.connection_id)
        .where(
            visible_to(connections.c.scope, visibility),
            connections.c.removed_at.is_(None),
            analysis_results.c.connection_id == connection_id,
            analysis_results.c.analysis == analysis,
        )
        .order_by(analysis_results.c.at.desc(), analysis_results.c.id.desc())
    )
    document = tx.execute(query.limit(1)).scalar()
    return None if document is None else result_from_document(json.loads(document))


@dataclass(frozen=True, slots=True)
class AnalysedConnection:
    """A connection with results of analyses. `time_zone` is the account's (IANA)."""

    connection_id: str
    scope: str
    time_zone: str


def list_analysed_connections(tx: Transaction) -> tuple[AnalysedConnection, ...]:
    """Return the live connections whose account was analysed, for schedules."""
    newest = sa.select(sa.func.max(analysis_results.c.id)).group_by(analysis_results.c.connection_id)
    query = (
        sa.select(connections.c.id, connections.c.scope, analysis_results.c.document)
        .join(analysis_results, analysis_results.c.connection_id == connections.c.id)
        .where(analysis_results.c.id.in_(newest), connections.c.removed_at.is_(None))
        .order_by(connections.c.id)
    )
    return tuple(
        AnalysedConnection(row.id, row.scope, json.loads(row.document)["time_zone"])
        for row in tx.execute(query)
    )


def _visible(query: Select[Any], visibility: Visibility) -> Select[Any]:
    owned = query.join(connections, connections.c.id == findings.c.connection_id)
    return owned.where(visible_to(connections.c.scope, visibility), connections.c.removed_at.is_(None))


def _conditions(finding_filter: FindingFilter, persons: PersonVisibility) -> list[ColumnElement[bool]]:
    fields: Sequence[tuple[ColumnElement[Any], tuple[str, ...]]] = (
        (findings.c.state, finding_filter.states),
        (findings.c.severity, finding_filter.severities),
        (findings.c.code, finding_filter.codes),
        (findings.c.analysis, finding_filter.analyses),
        (findings.c.connection_id, finding_filter.connections),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in fields if values]
    if finding_filter.entities:
        # Nothing else can be an id, and a separator or a mark in it would find what is hidden.
        entities = [entity for entity in finding_filter.entities if _ENTITY_ID.fullmatch(entity)]
        marks = [*entities, *(f"{PERSON_MARK}{entity}" for entity in entities if persons.admits((entity,)))]
        named = [findings.c.entity_ids.contains(f"|{mark}|", autoescape=True) for mark in marks]
        conditions.append(sa.or_(sa.false(), *named))
    return conditions


def _is_after(position: FindingPosition) -> ColumnElement[bool]:
    rank, dropped, number = findings.c.severity_rank, findings.c.expected_dropped, findings.c.id
    return sa.or_(
        rank > position.severity_rank,
        sa.and_(rank == position.severity_rank, dropped < position.expected_dropped),
        sa.and_(rank == position.severity_rank, dropped == position.expected_dropped, number > position.id),
    )


def _result_from_row(row: Any) -> StoredResult:
    return StoredResult(
        id=row.id,
        connection_id=row.connection_id,
        at=row.at,
        recorded_at=row.recorded_at,
        digest=row.digest,
        result=result_from_document(json.loads(row.document)),
    )
