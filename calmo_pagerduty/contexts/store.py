"""Store incidents' contexts by version. A read for a caller takes the caller's visibility."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.sql.selectable import Select

from calmo_pagerduty.contexts.model import SourceReport
from calmo_pagerduty.contexts.runs import COMPLETE_STATES, ContextProgress, ContextState
from calmo_pagerduty.contexts.sources import SOURCES, Source, SourceState
from calmo_pagerduty.db.statements import upsert
from calmo_pagerduty.db.tables import connections, context_parts, contexts
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Visibility

#: The number of versions to keep of an issue's context.
MAX_VERSIONS = 20


@dataclass(frozen=True, slots=True)
class StoredContext:
    """One version. `document` is an `IncidentContext` as JSON; None until it is complete. Times are UTC."""

    issue_id: str
    connection_id: str
    incident_id: str
    version: int
    state: ContextState
    reasons: tuple[str, ...]
    begun_at: datetime
    finished_at: datetime | None
    requests: int
    is_degraded: bool
    document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ContextPart:
    """The stored result of one source: how it went, and its data as JSON."""

    source: Source
    state: SourceState
    reason: str = ""
    count: int = 0
    requests: int = 0
    seconds: float = 0.0
    fetched_at: datetime | None = None
    data: Any = None

    @property
    def report(self) -> SourceReport:
        return SourceReport(
            source=self.source,
            title=SOURCES[self.source].title,
            state=self.state,
            reason=self.reason,
            count=self.count,
            requests=self.requests,
            seconds=self.seconds,
            fetched_at=self.fetched_at,
        )


def insert_version(
    tx: Transaction,
    ref: IncidentRef,
    reasons: Sequence[str],
    now: datetime,
    begun_by: str | None = None,
) -> int:
    """Begin a version and return its number, from 1; the same `begun_by` gets the same unfinished version.

    An incident has one gathering at a time, so an unfinished version of another gathering was interrupted:
    it is marked as failed.
    """
    query = sa.select(contexts.c.version, contexts.c.state, contexts.c.begun_by)
    of_issue = query.where(contexts.c.issue_id == ref.issue_id).order_by(contexts.c.version.desc())
    newest = tx.execute(of_issue.limit(1)).one_or_none()
    if newest is not None and newest.state == ContextState.GATHERING:
        if newest.begun_by == begun_by:
            return int(newest.version)
        mark_version_finished(tx, ref, newest.version, ContextState.FAILED, now, is_degraded=True)
    version: int = newest.version + 1 if newest else 1
    row = {
        "issue_id": ref.issue_id,
        "version": version,
        "connection_id": ref.connection_id,
        "incident_id": ref.incident_id,
        "state": ContextState.GATHERING,
        "reasons": list(reasons),
        "begun_at": now,
        "begun_by": begun_by,
    }
    tx.execute(contexts.insert().values(**row))
    return version


def upsert_part(tx: Transaction, ref: IncidentRef, version: int, part: ContextPart) -> None:
    """Write the part of a source, replacing its earlier part."""
    row = {
        "issue_id": ref.issue_id,
        "version": version,
        "source": part.source,
        "state": part.state,
        "reason": part.reason,
        "count": part.count,
        "requests": part.requests,
        "seconds": part.seconds,
        "fetched_at": part.fetched_at,
        "data": part.data,
    }
    tx.execute(upsert(tx, context_parts), [row])


def get_parts(tx: Transaction, ref: IncidentRef, version: int) -> dict[Source, ContextPart]:
    """Return the stored parts of a version, by source."""
    return {part.source: part for part in _list_parts(tx, ref.issue_id, version)}


def mark_version_finished(
    tx: Transaction,
    ref: IncidentRef,
    version: int,
    state: ContextState,
    now: datetime,
    *,
    requests: int = 0,
    is_degraded: bool = False,
    document: Mapping[str, Any] | None = None,
) -> None:
    """End a version that is still gathering; a version that has ended stays as it is.

    Also delete the data of its parts, which its document now has, the parts of earlier versions, and versions
    beyond MAX_VERSIONS.
    """
    is_gathering = contexts.c.state == ContextState.GATHERING
    update = sa.update(contexts).where(*_is(contexts, ref.issue_id, version), is_gathering)
    tx.execute(
        update.values(
            state=state, finished_at=now, requests=requests, is_degraded=is_degraded, document=document
        )
    )
    of_issue = context_parts.c.issue_id == ref.issue_id
    of_version = of_issue & (context_parts.c.version == version)
    tx.execute(sa.update(context_parts).where(of_version).values(data=sa.null()))
    tx.execute(sa.delete(context_parts).where(of_issue, context_parts.c.version < version))
    old = contexts.c.version <= version - MAX_VERSIONS
    tx.execute(sa.delete(contexts).where(contexts.c.issue_id == ref.issue_id, old))


def get_started_version(tx: Transaction, ref: IncidentRef, version: int) -> StoredContext | None:
    """Return a version for its own gathering, whatever its scope."""
    row = tx.execute(sa.select(contexts).where(*_is(contexts, ref.issue_id, version))).one_or_none()
    return _stored(row) if row else None


def get_version(
    tx: Transaction, seen_by: Visibility, issue_id: str, version: int | None = None
) -> StoredContext | None:
    """Return a version of an issue's context; without a number, the newest complete version, or the newest
    if none is complete.
    """
    query = _visible(sa.select(contexts), seen_by).where(contexts.c.issue_id == issue_id)
    if version is not None:
        query = query.where(contexts.c.version == version)
    is_complete = sa.case((contexts.c.state == ContextState.COMPLETE, 1), else_=0)
    query = query.order_by(is_complete.desc(), contexts.c.version.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return _stored(row) if row else None


def list_versions(tx: Transaction, seen_by: Visibility, issue_id: str) -> tuple[StoredContext, ...]:
    """Return the stored versions, newest first, without their documents."""
    columns = [column for column in contexts.c if column.name != "document"]
    query = _visible(sa.select(*columns), seen_by).where(contexts.c.issue_id == issue_id)
    rows = tx.execute(query.order_by(contexts.c.version.desc()))
    return tuple(_stored(row) for row in rows)


def get_progress(tx: Transaction, seen_by: Visibility, issue_id: str) -> ContextProgress | None:
    """Return the progress of the newest version and its sources; None without any version.

    Sources come in the order of `Source`. A source without a part is `gathering`, or, if the version has
    ended, `unavailable`.
    """
    newest = list_versions(tx, seen_by, issue_id)[:1]
    if not newest:
        return None
    (context,) = newest
    reports = {
        part.source: part.report for part in _list_parts(tx, issue_id, context.version, with_data=False)
    }
    gathering = context.state is ContextState.GATHERING
    missing = SourceState.GATHERING if gathering else SourceState.UNAVAILABLE
    return ContextProgress(
        version=context.version,
        state=context.state,
        reasons=context.reasons,
        begun_at=context.begun_at,
        finished_at=context.finished_at,
        is_degraded=context.is_degraded,
        requests=context.requests or sum(report.requests for report in reports.values()),
        sources=tuple(reports.get(source, ContextPart(source, missing).report) for source in Source),
    )


def _list_parts(
    tx: Transaction, issue_id: str, version: int, with_data: bool = True
) -> tuple[ContextPart, ...]:
    names = [field.name for field in fields(ContextPart) if with_data or field.name != "data"]
    query = sa.select(*(context_parts.c[name] for name in names))
    rows = tx.execute(query.where(*_is(context_parts, issue_id, version))).mappings()
    return tuple(
        ContextPart(**{**row, "source": Source(row["source"]), "state": SourceState(row["state"])})
        for row in rows
        # A newer worker may have stored a source that this version lacks.
        if row["source"] in tuple(Source)
    )


def _is(table: sa.Table, issue_id: str, version: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return table.c.issue_id == issue_id, table.c.version == version


def _visible(query: Select[Any], seen_by: Visibility) -> Select[Any]:
    if seen_by.everything:
        return query
    joined = query.join(connections, connections.c.id == contexts.c.connection_id)
    return joined.where(visible_to(connections.c.scope, seen_by))


def _stored(row: Any) -> StoredContext:
    return StoredContext(
        issue_id=row.issue_id,
        connection_id=row.connection_id,
        incident_id=row.incident_id,
        version=row.version,
        state=ContextState(row.state),
        reasons=tuple(row.reasons),
        begun_at=row.begun_at,
        finished_at=row.finished_at,
        requests=row.requests,
        is_degraded=row.is_degraded,
        document=getattr(row, "document", None),
    )


@dataclass(frozen=True, slots=True)
class FinishedVersion:
    """A version that ended, in figures for operators. `seconds` is its duration."""

    key: tuple[str, int]
    at: datetime
    state: ContextState
    is_degraded: bool
    seconds: float
    requests: int
    #: The sources that are not complete, with their states.
    lacking: tuple[tuple[Source, SourceState], ...] = ()


def list_finished_since(tx: Transaction, since: datetime) -> tuple[FinishedVersion, ...]:
    """Return the versions of all connections that ended at `since` or later, oldest first."""
    names = ("issue_id", "version", "state", "is_degraded", "begun_at", "finished_at", "requests")
    query = sa.select(*(contexts.c[name] for name in names)).where(contexts.c.finished_at >= since)
    return tuple(
        FinishedVersion(
            key=(row.issue_id, row.version),
            at=row.finished_at,
            state=ContextState(row.state),
            is_degraded=row.is_degraded,
            seconds=(row.finished_at - row.begun_at).total_seconds(),
            requests=row.requests,
            lacking=tuple(
                (part.source, part.state)
                for part in _list_parts(tx, row.issue_id, row.version, with_data=False)
                if part.state not in COMPLETE_STATES
            ),
        )
        for row in tx.execute(query.order_by(contexts.c.finished_at))
    )
