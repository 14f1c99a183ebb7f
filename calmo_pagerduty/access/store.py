"""API keys: `calmo_<id>_<secret>_<checksum>`. We show a key once and store only its hash."""

import base64
import hashlib
import hmac
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from calmo_pagerduty.access.persons import (
    PersonVisibility,
    is_same_person,
    key_owner,
    normalize_person,
    person_visibility,
)
from calmo_pagerduty.db.schema import Utc
from calmo_pagerduty.db.tables import api_keys, dashboard_sessions, people, sign_in_links
from calmo_pagerduty.db.transactions import Transaction
from calmo_pagerduty.kernel.scopes import EVERYTHING, Scope, Visibility

_KEY_PATTERN = re.compile(r"calmo_([a-z2-7]{16})_([a-z2-7]{52})_([0-9a-f]{8})")
_FIND = sa.select(api_keys).where(api_keys.c.id == bindparam("key_id"))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: the API key, its permissions and its visibility."""

    key_id: str
    permissions: frozenset[str]
    visibility: Visibility
    #: The person who owns the key, else the key's name.
    who: str = ""
    #: The teams that the key works for, by PagerDuty's ids.
    teams: tuple[str, ...] = ()
    expires_at: datetime | None = None
    #: The person who owns the key; None if nobody is named.
    person: str | None = None
    #: Whose calls these are, whichever of the owner's keys they come with.
    owner: str = ""
    #: True for the service's own keys, which nobody outside may name.
    is_service: bool = False
    last_used_at: datetime | None = None
    #: When an agent last read texts from outside with this key.
    untrusted_read_at: datetime | None = None

    def is_person(self, name: str | None) -> bool:
        """Tell whether this name means the person who owns the key."""
        return is_same_person(self.person, name)

    @property
    def persons(self) -> PersonVisibility:
        """The persons whose hours, pages and names this key may see."""
        return person_visibility(self.permissions, self.person)


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key without its secret. `scopes` is None for an operator's key. Times are UTC."""

    id: str
    name: str
    permissions: tuple[str, ...]
    scopes: tuple[Scope, ...] | None
    person: str | None
    teams: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    created_by: str | None
    last_used_at: datetime | None
    untrusted_read_at: datetime | None
    is_service: bool
    owner: str

    def is_within(self, visibility: Visibility) -> bool:
        """Tell whether this visibility includes everything that the key sees."""
        if self.scopes is None:
            return visibility.everything
        return visibility.everything or (bool(self.scopes) and set(self.scopes) <= set(visibility.scopes))


def insert_key(
    tx: Transaction,
    name: str,
    permissions: Sequence[str],
    scopes: Sequence[Scope] | None,
    now: datetime,
    person: str | None = None,
    teams: Sequence[str] = (),
    expires_at: datetime | None = None,
    created_by: str | None = None,
    owner: str | None = None,
) -> str:
    """Insert a key and return its text, which is not stored. `scopes` None makes an operator's key.

    `created_by` is the id of the key that makes it, and `owner` that of a key which it replaces.
    """
    key_id = base64.b32encode(os.urandom(10)).decode().lower()
    secret = base64.b32encode(os.urandom(32)).decode().lower().rstrip("=")
    person = normalize_person(person or "") or None
    tx.execute(
        api_keys.insert().values(
            id=key_id,
            name=name,
            secret_sha256=_hash(secret),
            permissions=sorted(permissions),
            scopes=None if scopes is None else [str(scope) for scope in scopes],
            person=person,
            teams=list(teams),
            created_at=now,
            expires_at=expires_at,
            created_by=created_by,
            owner=owner or key_owner(key_id, person),
        )
    )
    return f"calmo_{key_id}_{secret}_{_checksum(key_id, secret)}"


def get_principal_by_key(tx: Transaction, text: str, now: datetime) -> Principal | None:
    """Return the key's principal; None if the key is malformed, unknown, expired or revoked."""
    match = _KEY_PATTERN.fullmatch(text)
    if match is None or match[3] != _checksum(match[1], match[2]):
        return None
    row = tx.execute(_FIND, {"key_id": match[1]}).one_or_none()
    # A random 256-bit secret needs no slow hash.
    if row is None or row.is_service or not hmac.compare_digest(row.secret_sha256, _hash(match[2])):
        return None
    return _principal(row, now)


def get_principal(tx: Transaction, key_id: str, now: datetime) -> Principal | None:
    """Return the principal of a key that was checked before; None if the key is no longer valid."""
    row = tx.execute(_FIND, {"key_id": key_id}).one_or_none()
    return None if row is None else _principal(row, now)


def update_permissions(tx: Transaction, text: str, permissions: Sequence[str]) -> None:
    """Replace the permissions of a key, such as after a version that adds some."""
    match = _KEY_PATTERN.fullmatch(text)
    if match is not None:
        tx.execute(
            sa.update(api_keys).where(api_keys.c.id == match[1]).values(permissions=sorted(permissions))
        )


def parse_key_id(text: str) -> str:
    """Return the id of a well-formed key."""
    return text.split("_")[1]


def list_keys(tx: Transaction, visibility: Visibility) -> tuple[KeyRow, ...]:
    """Return the keys that see no more than this visibility, newest first."""
    query = sa.select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
    return tuple(key for key in map(_key_row, tx.execute(query)) if key.is_within(visibility))


def get_key(tx: Transaction, visibility: Visibility, key_id: str) -> KeyRow | None:
    """Return a key; None if there is none, or if it sees more than this visibility."""
    row = tx.execute(_FIND, {"key_id": key_id}).one_or_none()
    key = None if row is None else _key_row(row)
    return key if key is not None and key.is_within(visibility) else None


def mark_revoked(tx: Transaction, key_id: str, now: datetime) -> tuple[str, ...]:
    """Revoke a key and all keys that were made with it, at once and permanently.

    Returns the ids of those that were valid until now.
    """
    revoked = []
    for each in (key_id, *_list_made_by(tx, key_id)):
        live = sa.and_(api_keys.c.id == each, api_keys.c.revoked_at.is_(None))
        if tx.execute(sa.update(api_keys).where(live).values(revoked_at=now)).rowcount == 1:
            revoked.append(each)
    return tuple(revoked)


def delete_revoked(tx: Transaction, older_than: datetime, limit: int) -> int:
    """Delete keys that were revoked before a time (UTC) and to which no row refers. Return how many.

    The service's own keys stay: it would make them again, and they would be valid.
    """
    other = api_keys.alias()
    referring = (other.c.created_by, people.c.key_id, dashboard_sessions.c.key_id, sign_in_links.c.key_id)
    is_idle = sa.and_(*(~sa.exists().where(column == api_keys.c.id) for column in referring))
    due = sa.select(api_keys.c.id).where(api_keys.c.revoked_at < older_than, ~api_keys.c.is_service, is_idle)
    ids = list(tx.execute(due.limit(limit)).scalars())
    return tx.execute(sa.delete(api_keys).where(api_keys.c.id.in_(ids))).rowcount


def mark_expiring(tx: Transaction, key_id: str, expires_at: datetime) -> None:
    """Let a key end at this time, unless it ends earlier."""
    later = sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > sa.literal(expires_at, Utc()))
    tx.execute(sa.update(api_keys).where(api_keys.c.id == key_id, later).values(expires_at=expires_at))


def mark_used(tx: Transaction, key_id: str, now: datetime) -> None:
    """Save when a key was last used."""
    tx.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now))


def mark_untrusted_read(tx: Transaction, key_id: str, now: datetime | None) -> None:
    """Save when an agent last read foreign texts with a key; None clears the mark."""
    tx.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(untrusted_read_at=now))


def list_key_ids_of_owner(tx: Transaction, owner: str) -> tuple[str, ...]:
    """Return the ids of all keys of one owner, also of those that are no longer valid."""
    return tuple(tx.execute(sa.select(api_keys.c.id).where(api_keys.c.owner == owner)).scalars())


def get_responsible_person(tx: Transaction, key_id: str) -> str | None:
    """Return the key's person, else the person of the key that it was made with; None if there is none."""
    seen: set[str] = set()
    while key_id not in seen:
        seen.add(key_id)
        row = tx.execute(_FIND, {"key_id": key_id}).one_or_none()
        if row is None or row.person is not None or row.created_by is None:
            return None if row is None else row.person
        key_id = row.created_by
    return None


def _list_made_by(tx: Transaction, key_id: str) -> list[str]:
    """Return the ids of the keys that were made with this one, or with one of those."""
    found: list[str] = []
    makers = [key_id]
    while makers:
        made = tx.execute(sa.select(api_keys.c.id).where(api_keys.c.created_by.in_(makers))).scalars().all()
        makers = [each for each in made if each not in {key_id, *found}]
        found += makers
    return found


def _key_row(row: Any) -> KeyRow:
    return KeyRow(
        id=row.id,
        name=row.name,
        permissions=tuple(row.permissions),
        scopes=None if row.scopes is None else tuple(Scope.parse(scope) for scope in row.scopes),
        person=row.person,
        teams=tuple(row.teams),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        created_by=row.created_by,
        last_used_at=row.last_used_at,
        untrusted_read_at=row.untrusted_read_at,
        is_service=row.is_service,
        owner=row.owner,
    )


def _principal(row: Any, now: datetime) -> Principal | None:
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    visible = (
        EVERYTHING if row.scopes is None else Visibility(tuple(Scope.parse(scope) for scope in row.scopes))
    )
    return Principal(
        row.id,
        frozenset(row.permissions),
        visible,
        row.person or row.name,
        tuple(row.teams),
        row.expires_at,
        row.person,
        row.owner,
        row.is_service,
        row.last_used_at,
        row.untrusted_read_at,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(key_id: str, secret: str) -> str:
    """Return the checksum, which detects mistyped keys without a database query."""
    return f"{zlib.crc32(f'{key_id}_{secret}'.encode()):08x}"
