"""Read issues, timelines and changes, within a principal's visibility."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from calmo_pagerduty.db.tables import issue_changes, issues, timeline
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.db.visibility import visible_to
from calmo_pagerduty.incidents.model import Issue
from calmo_pagerduty.incidents.rows import entry_from_row, issue_from_row
from calmo_pagerduty.incidents.timeline import TimelineEntry
from calmo_pagerduty.kernel.id_patterns import ISSUE_ID
from calmo_pagerduty.kernel.scopes import Scope, Visibility
from calmo_pagerduty.pagerduty.event_types import IncidentStatus


class InvalidCursor(ValueError):
    """The page cursor is not from an earlier page."""


_INVALID_CURSOR_MESSAGE = "cursor: this is not one that we gave"


@dataclass(frozen=True, slots=True)
class IssueFilter:
    """A filter: an issue matches each non-empty field, by any of the field's values."""

    statuses: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    scopes: tuple[Scope, ...] = ()
    origins: tuple[str, ...] = ()
    #: Part of the title in any case, or the incident's number or id.
    text: str = ""


class IssueOrder(StrEnum):
    """The order of a list of issues."""

    #: The newest incident first.
    NEWEST = "newest"
    #: The most expected dropped incidents first; issues without such a figure follow, the newest first.
    EXPECTED_DROPPED = "expected_dropped"


@dataclass(frozen=True, slots=True)
class IssuePage:
    issues: tuple[Issue, ...]
    #: The cursor of the next page; None on the last page.
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class IssueNeighbour:
    """The issue before or after another one."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class IssueChange:
    """One saved change. `id` grows in the order of commits. `issue` is the current issue. Times are UTC."""

    id: int
    at: datetime
    event_types: tuple[str, ...]
    status: str
    issue: Issue


def list_issues(
    tx: Transaction,
    visibility: Visibility,
    issue_filter: IssueFilter,
    limit: int,
    cursor: str | None = None,
    order: IssueOrder = IssueOrder.NEWEST,
) -> IssuePage:
    """Return issues in this order. A cursor belongs to its order. Raises InvalidCursor."""
    conditions = _filter_conditions(issue_filter)
    query = sa.select(issues).where(visible_to(issues.c.scope, visibility), *conditions)
    columns: list[ColumnElement[Any]] = [issues.c.created_at, issues.c.id]
    if order is IssueOrder.EXPECTED_DROPPED:
        columns.insert(0, sa.func.coalesce(issues.c.expected_dropped, _UNKNOWN_DROPPED))
    if cursor is not None:
        created_at, issue_id, *dropped = _decode_cursor(cursor, order)
        position = [*dropped, sa.literal(created_at, issues.c.created_at.type), sa.literal(issue_id)]
        query = query.where(sa.tuple_(*columns) < sa.tuple_(*position))
    query = query.order_by(*(column.desc() for column in columns)).limit(limit + 1)
    rows = [issue_from_row(row) for row in tx.execute(query)]
    page = tuple(rows[:limit])
    return IssuePage(page, _encode_cursor(page[-1], order) if len(rows) > limit else None)


def get_issue(tx: Transaction, visibility: Visibility, issue_id: str) -> Issue | None:
    """Return an issue by its id; None if it doesn't exist or the caller may not see it."""
    query = sa.select(issues).where(issues.c.id == issue_id, visible_to(issues.c.scope, visibility))
    row = tx.execute(query).one_or_none()
    return issue_from_row(row) if row else None


def get_neighbours(
    tx: Transaction, visibility: Visibility, issue: Issue
) -> tuple[IssueNeighbour | None, IssueNeighbour | None]:
    """Return the issues that began just after and just before this one, among those the caller sees."""
    columns = (issues.c.created_at, issues.c.id)
    position = sa.tuple_(sa.literal(issue.created_at, issues.c.created_at.type), issue.ref.issue_id)
    query = sa.select(issues.c.id, issues.c.title).where(visible_to(issues.c.scope, visibility)).limit(1)
    newer = query.where(sa.tuple_(*columns) > position).order_by(*columns)
    older = query.where(sa.tuple_(*columns) < position).order_by(*(column.desc() for column in columns))
    first, second = tx.execute(newer).one_or_none(), tx.execute(older).one_or_none()
    return (
        IssueNeighbour(first.id, first.title) if first else None,
        IssueNeighbour(second.id, second.title) if second else None,
    )


def list_timeline(tx: Transaction, issue: Issue) -> tuple[TimelineEntry, ...]:
    """Return the timeline without own events' entries, in the order of `occurred_at`, then of arrival."""
    query = sa.select(timeline).where(timeline.c.issue_id == issue.ref.issue_id, ~timeline.c.is_echo)
    rows = tx.execute(query.order_by(timeline.c.occurred_at, timeline.c.seq))
    return tuple(entry_from_row(row) for row in rows)


def list_changes_after(
    tx: Transaction, visibility: Visibility, after: int, limit: int
) -> tuple[IssueChange, ...]:
    """Return the changes committed after change number `after`, oldest first."""
    query = (
        sa.select(
            issue_changes.c.id.label("change_id"),
            issue_changes.c.at.label("change_at"),
            issue_changes.c.event_types.label("change_types"),
            issue_changes.c.status.label("change_status"),
            issues,
        )
        .join(issues, issues.c.id == issue_changes.c.issue_id)
        .where(issue_changes.c.id > after, visible_to(issues.c.scope, visibility))
        .order_by(issue_changes.c.id)
        .limit(limit)
    )
    return tuple(
        IssueChange(
            row.change_id, row.change_at, tuple(row.change_types), row.change_status, issue_from_row(row)
        )
        for row in tx.execute(query)
    )


def list_changed_issues(
    tx: Transaction, visibility: Visibility, after: int, limit: int
) -> tuple[tuple[int, str], ...]:
    """Return the number and the issue's id of each change committed after number `after`, oldest first."""
    query = (
        sa.select(issue_changes.c.id, issue_changes.c.issue_id)
        .join(issues, issues.c.id == issue_changes.c.issue_id)
        .where(issue_changes.c.id > after, visible_to(issues.c.scope, visibility))
        .order_by(issue_changes.c.id)
        .limit(limit)
    )
    return tuple((row.id, row.issue_id) for row in tx.execute(query))


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many issues are open, and how many of them a person is assigned to."""

    open: int
    assigned: int


def count_open_issues(tx: Transaction, visibility: Visibility, user_id: str | None) -> OpenCount:
    """Count issues that are not resolved; `user_id` is a person's id at PagerDuty."""
    query = sa.select(issues.c.assignees).where(
        issues.c.status != IncidentStatus.RESOLVED, visible_to(issues.c.scope, visibility)
    )
    assigned = [{assignee.get("id") for assignee in row.assignees} for row in tx.execute(query)]
    return OpenCount(len(assigned), sum(user_id in ids for ids in assigned if user_id is not None))


def count_issues_by(tx: Transaction, visibility: Visibility) -> Mapping[str, Sequence[tuple[str, int]]]:
    """Count issues by `status`, `severity`, `origin` and `service` (its name, else its id), most first."""
    service = sa.func.coalesce(issues.c.service["name"].as_string(), issues.c.service_id)
    fields = {
        "status": issues.c.status,
        "severity": issues.c.severity,
        "origin": issues.c.origin,
        "service": service,
    }
    counts: dict[str, Sequence[tuple[str, int]]] = {}
    for name, column in fields.items():
        value = column.label("value")
        number = sa.func.count().label("number")
        query = sa.select(value, number).where(visible_to(issues.c.scope, visibility)).group_by(value)
        rows = tx.execute(query.order_by(number.desc(), value))
        counts[name] = tuple((row.value, row.number) for row in rows if row.value is not None)
    return counts


def get_latest_change_id(tx: Transaction) -> int:
    """Return the number of the latest change, 0 if there is none."""
    return tx.execute(sa.select(sa.func.max(issue_changes.c.id))).scalar() or 0


def _filter_conditions(issue_filter: IssueFilter) -> list[ColumnElement[bool]]:
    service_names = issues.c.service["name"].as_string()
    fields: Sequence[tuple[ColumnElement[Any], tuple[str, ...]]] = (
        (issues.c.status, issue_filter.statuses),
        (issues.c.severity, issue_filter.severities),
        (issues.c.incident_id, issue_filter.incidents),
        (issues.c.origin, issue_filter.origins),
        (issues.c.scope, tuple(str(scope) for scope in issue_filter.scopes)),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in fields if values]
    if services := issue_filter.services:
        # People know services by name, programs by id.
        conditions.append(sa.or_(issues.c.service_id.in_(services), service_names.in_(services)))
    if text := issue_filter.text:
        matches = [issues.c.title.icontains(text, autoescape=True), issues.c.incident_id == text]
        number = text.removeprefix("#")
        if number.isascii() and number.isdigit() and len(number) <= MAX_NUMBER_DIGITS:
            matches.append(issues.c.number == int(number))
        conditions.append(sa.or_(*matches))
    return conditions


#: PostgreSQL's integer has no more.
MAX_NUMBER_DIGITS = 9


#: Orders issues without a figure behind all others.
_UNKNOWN_DROPPED = -1.0


def _encode_cursor(last: Issue, order: IssueOrder) -> str:
    position: list[str | float] = [last.created_at.isoformat(), last.ref.issue_id]
    if order is IssueOrder.EXPECTED_DROPPED:
        position.append(_UNKNOWN_DROPPED if last.expected_dropped is None else last.expected_dropped)
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _decode_cursor(cursor: str, order: IssueOrder) -> tuple[Any, ...]:
    """Return the creation (UTC), the id and, in its order, the expected dropped incidents of an issue."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created_at, issue_id, *dropped = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo is None or not ISSUE_ID.fullmatch(issue_id):
            raise InvalidCursor(_INVALID_CURSOR_MESSAGE)
        if len(dropped) != (order is IssueOrder.EXPECTED_DROPPED):
            raise InvalidCursor(_INVALID_CURSOR_MESSAGE)
        return moment.astimezone(UTC), issue_id, *(float(number) for number in dropped)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidCursor(_INVALID_CURSOR_MESSAGE) from error
