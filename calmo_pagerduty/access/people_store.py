"""People who sign in through an OpenID provider. The caller audits.

Each person has an API key whose secret nobody has. Their sessions belong to it, so a person is the same kind
of caller as a key, and a change of the person takes effect with the next request.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.roles import Grant, Role
from calmo_pagerduty.access.store import KeyRow, Principal
from calmo_pagerduty.db.tables import api_keys as key_table, people
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope

#: The name of the keys of people in lists of keys.
KEY_NAME = "sign-in of a person"


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a provider. `is_set` tells that somebody here said the grant, not the groups.

    `changed_by` made the last change, at `changed_at`. Times are UTC.
    """

    issuer: str
    subject: str
    grant: Grant
    person: str
    is_set: bool
    is_kept_out: bool = False
    key_id: str | None = None
    signed_in_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None


def list_people(tx: Transaction) -> tuple[Person, ...]:
    """Return all people, by issuer and subject."""
    query = sa.select(people).order_by(people.c.issuer, people.c.subject)
    return tuple(_person(row) for row in tx.execute(query))


def get_person(tx: Transaction, issuer: str, subject: str) -> Person | None:
    """Return a person; None if nobody of this subject is known."""
    row = tx.execute(sa.select(people).where(_is(issuer, subject))).one_or_none()
    return None if row is None else _person(row)


def update_person(tx: Transaction, person: Person, now: datetime) -> tuple[KeyRow, ...]:
    """Insert or replace a person; sessions that run get the new rights with the next request.

    Returns the keys that are revoked by it: with narrower rights, those which the person made that could do
    more.
    """
    known = get_person(tx, person.issuer, person.subject)
    columns = {
        "role": person.grant.role,
        "scopes": _scopes(person.grant),
        "person": person.person,
        "is_set": person.is_set,
        "is_kept_out": person.is_kept_out,
        "changed_at": now,
        "changed_by": person.changed_by,
    }
    if known is None:
        tx.execute(people.insert().values(issuer=person.issuer, subject=person.subject, **columns))
        return ()
    tx.execute(sa.update(people).where(_is(person.issuer, person.subject)).values(columns))
    if known.key_id is None:
        return ()
    if person.is_kept_out or person.person != known.person:
        # A key's owner never changes: the next sign-in makes a new one.
        return _keys(tx, api_keys.mark_revoked(tx, known.key_id, now))
    key = sa.update(key_table).where(key_table.c.id == known.key_id)
    tx.execute(key.values(permissions=sorted(person.grant.permissions), scopes=_scopes(person.grant)))
    return _revoke_wider(tx, known.key_id, person.grant, now)


def delete_person(tx: Transaction, person: Person, now: datetime) -> tuple[KeyRow, ...]:
    """Forget a person, and end their sessions and the keys that they made. Returns the revoked keys."""
    tx.execute(sa.delete(people).where(_is(person.issuer, person.subject)))
    return () if person.key_id is None else _keys(tx, api_keys.mark_revoked(tx, person.key_id, now))


def mark_signed_in(tx: Transaction, person: Person, now: datetime) -> Principal:
    """Note a sign-in of a saved person and return their principal. A key that was revoked is replaced."""
    principal = None if person.key_id is None else api_keys.get_principal(tx, person.key_id, now)
    key_id = person.key_id
    if principal is None:
        text = api_keys.insert_key(
            tx, KEY_NAME, sorted(person.grant.permissions), person.grant.scopes, now, person.person
        )
        key_id = api_keys.parse_key_id(text)
        principal = api_keys.get_principal(tx, key_id, now)
    tx.execute(
        sa.update(people).where(_is(person.issuer, person.subject)).values(key_id=key_id, signed_in_at=now)
    )
    assert principal is not None
    return principal


def _revoke_wider(tx: Transaction, key_id: str, grant: Grant, now: datetime) -> tuple[KeyRow, ...]:
    made = tx.execute(sa.select(key_table.c.id).where(key_table.c.created_by == key_id)).scalars().all()
    revoked: list[str] = []
    for key in _keys(tx, made):
        is_within = grant.scopes is None or (key.scopes is not None and set(key.scopes) <= set(grant.scopes))
        if not is_within or not set(key.permissions) <= grant.permissions:
            revoked += api_keys.mark_revoked(tx, key.id, now)
    return _keys(tx, revoked)


def _keys(tx: Transaction, key_ids: Collection[str]) -> tuple[KeyRow, ...]:
    """Return the keys of these ids."""
    keys = (api_keys.get_key(tx, EVERYTHING, key_id) for key_id in key_ids)
    return tuple(key for key in keys if key is not None)


def _person(row: Any) -> Person:
    scopes = None if row.scopes is None else tuple(Scope.parse(scope) for scope in row.scopes)
    return Person(
        row.issuer,
        row.subject,
        Grant(Role(row.role), scopes),
        row.person,
        row.is_set,
        row.is_kept_out,
        row.key_id,
        row.signed_in_at,
        row.changed_at,
        row.changed_by,
    )


def _scopes(grant: Grant) -> Any:
    return sa.null() if grant.scopes is None else [str(scope) for scope in grant.scopes]


def _is(issuer: str, subject: str) -> sa.ColumnElement[bool]:
    return sa.and_(people.c.issuer == issuer, people.c.subject == subject)
