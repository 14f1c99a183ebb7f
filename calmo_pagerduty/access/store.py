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

from calmo_pagerduty.access.persons import PersonVisibility, person_visibility
from calmo_pagerduty.db.tables import api_keys
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
) -> str:
    """Insert a key and return its text, which is not stored. `scopes` None makes an operator's key."""
    key_id = base64.b32encode(os.urandom(10)).decode().lower()
    secret = base64.b32encode(os.urandom(32)).decode().lower().rstrip("=")
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
    if row is None or not hmac.compare_digest(row.secret_sha256, _hash(match[2])):
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


def mark_revoked(tx: Transaction, key_id: str, now: datetime) -> None:
    """Revoke a key, at once and permanently."""
    live = sa.and_(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    tx.execute(sa.update(api_keys).where(live).values(revoked_at=now))


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
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(key_id: str, secret: str) -> str:
    """Return the checksum, which detects mistyped keys without a database query."""
    return f"{zlib.crc32(f'{key_id}_{secret}'.encode()):08x}"
