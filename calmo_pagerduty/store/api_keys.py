"""API keys: `calmo_<id>_<secret>_<checksum>`, kept as a hash, shown once."""

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
from sqlalchemy import Connection, bindparam

from calmo_pagerduty.domain.scopes import EVERYTHING, Scope, Visibility
from calmo_pagerduty.store.tables import api_keys

_KEY = re.compile(r"calmo_([a-z2-7]{16})_([a-z2-7]{52})_([0-9a-f]{8})")
_FIND = sa.select(api_keys).where(api_keys.c.id == bindparam("key_id"))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: which key, what it may do, and whose things it sees."""

    key_id: str
    permissions: frozenset[str]
    visibility: Visibility
    #: The person whose key it is, else the key's name.
    who: str = ""
    #: The teams that the key works for, by PagerDuty's ids.
    teams: tuple[str, ...] = ()


def create(
    connection: Connection,
    name: str,
    permissions: Sequence[str],
    scopes: Sequence[Scope] | None,
    now: datetime,
    person: str | None = None,
    teams: Sequence[str] = (),
) -> str:
    """Make a key and return its text, which is kept nowhere. No `scopes` is an operator's key."""
    key_id = base64.b32encode(os.urandom(10)).decode().lower()
    secret = base64.b32encode(os.urandom(32)).decode().lower().rstrip("=")
    connection.execute(
        api_keys.insert().values(
            id=key_id,
            name=name,
            secret_sha256=_hash(secret),
            permissions=sorted(permissions),
            scopes=None if scopes is None else [str(scope) for scope in scopes],
            person=person,
            teams=list(teams),
            created_at=now,
        )
    )
    return f"calmo_{key_id}_{secret}_{_checksum(key_id, secret)}"


def find_caller(connection: Connection, text: str, now: datetime) -> Caller | None:
    """Return who a key belongs to; None if it is malformed, unknown, expired or revoked."""
    match = _KEY.fullmatch(text)
    if match is None or match[3] != _checksum(match[1], match[2]):
        return None
    row = connection.execute(_FIND, {"key_id": match[1]}).one_or_none()
    # A random secret of 256 bits needs no slow hash.
    if row is None or not hmac.compare_digest(row.secret_sha256, _hash(match[2])):
        return None
    return _caller(row, now)


def caller_of(connection: Connection, key_id: str, now: datetime) -> Caller | None:
    """Return who a key belongs to that was recognised before; None if it is not valid any more."""
    row = connection.execute(_FIND, {"key_id": key_id}).one_or_none()
    return None if row is None else _caller(row, now)


def grant(connection: Connection, text: str, permissions: Sequence[str]) -> None:
    """Let a key do what a later version has more of."""
    match = _KEY.fullmatch(text)
    if match is not None:
        connection.execute(
            sa.update(api_keys).where(api_keys.c.id == match[1]).values(permissions=sorted(permissions))
        )


def _caller(row: Any, now: datetime) -> Caller | None:
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    visible = (
        EVERYTHING if row.scopes is None else Visibility(tuple(Scope.parse(scope) for scope in row.scopes))
    )
    return Caller(row.id, frozenset(row.permissions), visible, row.person or row.name, tuple(row.teams))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(key_id: str, secret: str) -> str:
    """Tells a mistyped key from an unknown one without asking the database."""
    return f"{zlib.crc32(f'{key_id}_{secret}'.encode()):08x}"
