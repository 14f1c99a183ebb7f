"""Whose rows are whose: the targets of an erasure, in an order in which each can be deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from calmo_pagerduty.access.persons import is_same_person
from calmo_pagerduty.db import tables
from calmo_pagerduty.db.schema import Text, metadata
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from calmo_pagerduty.kernel.scopes import Scope
from calmo_pagerduty.retention.erasure_store import Target

#: Tool calls keep who called what and how it ended; arguments and results go.
CONTENTS: tuple[tuple[str, Any], ...] = (("arguments", {}), ("result", sa.null()), ("error", sa.null()))
#: A title that is shorter may be a common word.
MIN_TITLE_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Erasure:
    """What to erase: rows, and the texts that mean it in other rows. `kind` is no more than its kind."""

    kind: str
    targets: tuple[Target, ...]
    texts: tuple[str, ...] = ()
    #: The connections in whose rows the texts are replaced; None: everywhere.
    connection_ids: tuple[str, ...] | None = None

    def holds(self, table: sa.Table) -> ColumnElement[bool]:
        """Return the condition that the texts are replaced in a row of this table."""
        if self.connection_ids is None:
            return sa.true()
        return of_connections(table, self.connection_ids)

    def holds_besides(self, table: sa.Table) -> ColumnElement[bool]:
        """Return the same condition, without the rows that are targets themselves."""
        own = [target.condition for target in self.targets if target.table is table]
        return self.holds(table) & ~sa.func.coalesce(sa.or_(sa.false(), *own), sa.false())


@dataclass(frozen=True, slots=True)
class FoundIssue:
    """An issue to erase, and what other rows may say of it."""

    ref: IncidentRef
    texts: tuple[str, ...]


def find_issues(tx: Transaction, name: str) -> tuple[FoundIssue, ...]:
    """Return the issues with this id, or of this incident: each connection to an account has its own."""
    issues = tables.issues
    query = sa.select(issues).where(sa.or_(issues.c.id == name, issues.c.incident_id == name))
    return tuple(
        FoundIssue(
            IncidentRef(connection_id=row.connection_id, incident_id=row.incident_id),
            (row.incident_id, row.id, *([row.title] if len(row.title) >= MIN_TITLE_LENGTH else ())),
        )
        for row in tx.execute(query)
    )


def issue_targets(found: FoundIssue) -> tuple[Target, ...]:
    """Return the rows of an issue and of its incident."""
    ref = found.ref
    of_issue = (
        tables.timeline,
        tables.issue_changes,
        tables.operations,
        tables.context_parts,
        tables.contexts,
        tables.post_incident_additions,
    )
    deliveries, calls = tables.deliveries, tables.tool_calls
    of_incident = sa.and_(
        deliveries.c.connection_id == ref.connection_id, deliveries.c.incident_id == ref.incident_id
    )
    mentions = sa.or_(
        *(
            sa.cast(column, Text).contains(ref.incident_id, autoescape=True)
            for column in (calls.c.arguments, calls.c.result, calls.c.error)
        )
    )
    cached, drills, letters = tables.account_incidents, tables.escalation_drills, tables.dead_letters
    return (
        *(Target(table, table.c.issue_id == ref.issue_id) for table in of_issue),
        Target(tables.issues, tables.issues.c.id == ref.issue_id),
        Target(
            tables.delivery_bodies,
            tables.delivery_bodies.c.seq.in_(sa.select(deliveries.c.seq).where(of_incident)),
        ),
        Target(deliveries, of_incident),
        Target(cached, (cached.c.connection_id == ref.connection_id) & (cached.c.id == ref.incident_id)),
        Target(
            drills,
            (drills.c.connection_id == ref.connection_id) & (drills.c.incident_id == ref.incident_id),
        ),
        Target(letters, letters.c.subject == ref.workflow_id),
        Target(calls, (calls.c.connection_id == ref.connection_id) & mentions, CONTENTS),
    )


def person_targets(tx: Transaction, person: str) -> tuple[Target, ...]:
    """Return the rows of a person: PagerDuty's id of the user, or who keys and sign-ins say it is."""
    keys, people = tables.api_keys, tables.people
    key_ids = [
        row.id
        for row in tx.execute(sa.select(keys.c.id, keys.c.person).where(keys.c.person.is_not(None)))
        if is_same_person(row.person, person)
    ]
    subjects = [
        (row.issuer, row.subject)
        for row in tx.execute(sa.select(people.c.issuer, people.c.subject, people.c.person))
        if is_same_person(row.person, person) or row.subject == person
    ]
    cached = tables.account_objects
    return (
        Target(tables.absence_calendars, tables.absence_calendars.c.user_id == person),
        Target(cached, cached.c.id == person),
        Target(people, sa.tuple_(people.c.issuer, people.c.subject).in_(subjects)),
        *_of_keys(key_ids),
        Target(keys, keys.c.id.in_(key_ids) & keys.c.revoked_at.is_(None), (("revoked_at", sa.func.now()),)),
    )


def _of_keys(key_ids: Sequence[str]) -> tuple[Target, ...]:
    owners = sa.select(tables.api_keys.c.owner).where(tables.api_keys.c.id.in_(key_ids))
    return (
        Target(tables.saved_views, tables.saved_views.c.owner.in_(owners)),
        *(
            Target(table, table.c.key_id.in_(key_ids))
            for table in (tables.dashboard_sessions, tables.sign_in_links)
        ),
    )


def list_names(tx: Transaction, person: str) -> tuple[str, ...]:
    """Return the names and addresses by which the account caches know PagerDuty's user."""
    cached = tables.account_objects
    found: list[str] = []
    for data in tx.execute(sa.select(cached.c.data).where(cached.c.id == person)).scalars():
        if isinstance(data, dict):
            found += [data[name] for name in ("name", "summary", "email") if isinstance(data.get(name), str)]
    return tuple(dict.fromkeys(found))


def list_connections(tx: Transaction, scope: Scope) -> tuple[str, ...]:
    """Return the ids of a scope's connections, removed ones too."""
    query = sa.select(tables.connections.c.id).where(tables.connections.c.scope == str(scope))
    return tuple(tx.execute(query).scalars())


def list_calls(tx: Transaction, connection_ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return connection and id of all tool calls of connections."""
    calls = tables.tool_calls
    query = sa.select(calls.c.connection_id, calls.c.id).where(calls.c.connection_id.in_(connection_ids))
    return tuple((row.connection_id, row.id) for row in tx.execute(query))


def organization_targets(tx: Transaction, scope: Scope) -> tuple[Target, ...]:
    """Return all rows of a scope but its audit, which is cut in time, and keys that see more."""
    connection_ids = list_connections(tx, scope)
    webhooks = tables.webhooks
    webhook_ids = sa.select(webhooks.c.id).where(webhooks.c.connection_id.in_(connection_ids))
    # Refusals refer to a webhook by its id alone, so the database does not order them.
    of_webhooks = tables.refusals.c.webhook_id.in_(list(tx.execute(webhook_ids).scalars()))
    keys, people = tables.api_keys, tables.people
    key_ids = [row.id for row in tx.execute(sa.select(keys)) if row.scopes == [str(scope)]]
    made_by = Target(keys, keys.c.created_by.in_(key_ids), (("created_by", sa.null()),))
    return (
        Target(tables.refusals, of_webhooks),
        *(Target(table, of_connections(table, connection_ids)) for table in reversed(metadata.sorted_tables)),
        Target(people, people.c.key_id.in_(key_ids)),
        *_of_keys(key_ids),
        made_by,
        Target(keys, keys.c.id.in_(key_ids)),
    )


def of_connections(table: sa.Table, ids: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a row belongs to one of the connections, directly or through another row.

    Rows of tables that belong to no tenant, such as leases, meet it never.
    """
    if table is tables.dead_letters:
        return sa.or_(sa.false(), *(table.c.subject.endswith(f":{id_}", autoescape=True) for id_ in ids))
    if table is tables.connections:
        return table.c.id.in_(ids)
    if "connection_id" in table.c:
        return table.c.connection_id.in_(ids)
    for column, owner in _owners(table):
        if column in table.c:
            return table.c[column].in_(_ids_of(owner, ids))
    return sa.false()


def _owners(table: sa.Table) -> Iterator[tuple[str, sa.Table]]:
    """Yield columns by which rows may belong to rows of another table, which belong to connections."""
    if table is tables.operations:
        yield "id", tables.tool_calls
    if table is tables.delivery_bodies:
        yield "seq", tables.deliveries
    yield "webhook_id", tables.webhooks
    yield "issue_id", tables.contexts if table is tables.context_parts else tables.issues
    yield "finding_id", tables.findings


def _ids_of(owner: sa.Table, ids: Sequence[str]) -> Select[tuple[str]]:
    return sa.select(next(iter(owner.primary_key.columns))).where(owner.c.connection_id.in_(ids))
