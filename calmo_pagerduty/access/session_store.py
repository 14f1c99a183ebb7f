"""Sessions of the dashboard, and one-time sign-in links. We store hashes of their secrets alone.

A session may do exactly what its API key may: the principal is loaded from the key for every request, so a
session ends with its key.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.access import store as api_keys
from calmo_pagerduty.access.store import Principal
from calmo_pagerduty.db.session_tables import dashboard_sessions as sessions, sign_in_links as links
from calmo_pagerduty.db.transactions import Transaction

#: A session ends so long after its last request.
IDLE_LIMIT = timedelta(hours=12)
#: And so long after it began, however often it is used.
ABSOLUTE_LIMIT = timedelta(days=7)
#: How long a one-time link signs in.
LINK_LIFETIME = timedelta(minutes=15)
#: `seen_at` is written at most so often.
SEEN_STEP = timedelta(minutes=1)
#: At most so many messages wait for the next page.
MAX_MESSAGES = 5


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the next page. `kind` is `done`, `note` or `failed`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    """A valid session with its principal. Times are UTC."""

    secret_sha256: str
    principal: Principal
    way: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    messages: tuple[Message, ...] = ()


def insert_session(
    tx: Transaction,
    key_id: str,
    way: str,
    now: datetime,
    lifetime: timedelta = ABSOLUTE_LIMIT,
    provider_session: str | None = None,
) -> str:
    """Begin a session and return its secret, which is not stored.

    `provider_session` names the person's session at the provider, which may end this one.
    """
    secret = secrets.token_urlsafe(32)
    tx.execute(
        sessions.insert().values(
            secret_sha256=hash_of(secret),
            key_id=key_id,
            way=way,
            created_at=now,
            seen_at=now,
            expires_at=now + lifetime,
            messages=[],
            provider_session_sha256=None if provider_session is None else hash_of(provider_session),
        )
    )
    return secret


def get_session(tx: Transaction, secret: str, now: datetime) -> Session | None:
    """Return the session; None if it is unknown or has ended, or if its key is no longer valid."""
    return get_session_by_hash(tx, hash_of(secret), now)


def get_session_by_hash(tx: Transaction, secret_sha256: str, now: datetime) -> Session | None:
    """Like `get_session`, for a session that was found before."""
    query = sa.select(sessions).where(sessions.c.secret_sha256 == secret_sha256, ~_has_ended(now))
    row = tx.execute(query).one_or_none()
    principal = None if row is None else api_keys.get_principal(tx, row.key_id, now)
    if row is None or principal is None:
        return None
    return Session(
        row.secret_sha256,
        principal,
        row.way,
        row.created_at,
        row.seen_at,
        row.expires_at,
        tuple(Message(kind, text) for kind, text in row.messages),
    )


def mark_seen(tx: Transaction, session: Session, now: datetime) -> None:
    """Note that the session was used."""
    tx.execute(sa.update(sessions).where(_is(session)).values(seen_at=now))


def update_messages(tx: Transaction, session: Session, messages: Sequence[Message]) -> None:
    """Replace the messages for the next page by the last few of these."""
    kept = [[message.kind, message.text] for message in messages[-MAX_MESSAGES:]]
    tx.execute(sa.update(sessions).where(_is(session)).values(messages=kept))


def delete_session(tx: Transaction, session: Session) -> None:
    """End a session."""
    tx.execute(sa.delete(sessions).where(_is(session)))


def delete_ended(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete some sessions that have ended and links that have expired; return how many."""
    ended = sa.select(sessions.c.secret_sha256).where(_has_ended(now)).limit(limit)
    rows = tx.execute(sa.delete(sessions).where(sessions.c.secret_sha256.in_(ended))).rowcount
    expired = sa.select(links.c.secret_sha256).where(links.c.expires_at <= now).limit(limit)
    return rows + tx.execute(sa.delete(links).where(links.c.secret_sha256.in_(expired))).rowcount


def insert_link(tx: Transaction, key_id: str, now: datetime) -> str:
    """Make a one-time link of a key and return its secret, which is not stored."""
    secret = secrets.token_urlsafe(32)
    tx.execute(
        links.insert().values(
            secret_sha256=hash_of(secret), key_id=key_id, created_at=now, expires_at=now + LINK_LIFETIME
        )
    )
    return secret


def claim_link(tx: Transaction, secret: str, now: datetime) -> Principal | None:
    """Use a link and return its key's principal; None if it was used or has expired, or its key has."""
    query = (
        sa.update(links)
        .where(links.c.secret_sha256 == hash_of(secret), links.c.used_at.is_(None), links.c.expires_at > now)
        .values(used_at=now)
        .returning(links.c.key_id)
    )
    row = tx.execute(query).one_or_none()
    return None if row is None else api_keys.get_principal(tx, row.key_id, now)


def _is(session: Session) -> sa.ColumnElement[bool]:
    return sessions.c.secret_sha256 == session.secret_sha256


def _has_ended(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(sessions.c.expires_at <= now, sessions.c.seen_at <= now - IDLE_LIMIT)


def hash_of(secret: str) -> str:
    """Return what is stored of a secret."""
    """Return the hash. A random 256-bit secret needs no slow one."""
    return hashlib.sha256(secret.encode()).hexdigest()
