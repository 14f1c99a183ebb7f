"""What happens when a provider says that somebody has signed out there: their sessions end, once a token."""

import hashlib
from datetime import datetime

import sqlalchemy as sa

from calmo_pagerduty.access import people_store, store as api_keys
from calmo_pagerduty.access.logout_tokens import Logout
from calmo_pagerduty.access.session_store import hash_of
from calmo_pagerduty.access.sign_in_audit_store import audit_session
from calmo_pagerduty.db.people_tables import logout_tokens as used_tokens
from calmo_pagerduty.db.session_tables import dashboard_sessions as sessions
from calmo_pagerduty.db.statements import insert_or_ignore
from calmo_pagerduty.db.transactions import Transaction


def end_sessions(tx: Transaction, issuer: str, logout: Logout, way: str, now: datetime) -> int | None:
    """End the sessions that the token names, of those that began by this way; return how many.

    Returns None if the token was used before. A person's session of which the provider never told the name
    ends with any of theirs.
    """
    row = {"token_sha256": _hash(f"{issuer} {logout.token_id}"), "expires_at": logout.expires_at}
    if tx.execute(insert_or_ignore(tx, used_tokens), row).rowcount == 0:
        return None
    is_named = [sessions.c.way == way]
    if logout.subject is not None:
        person = people_store.get_person(tx, issuer, logout.subject)
        if person is None or person.key_id is None:
            return 0
        is_named.append(sessions.c.key_id == person.key_id)
    if logout.session_id is not None:
        is_it = sessions.c.provider_session_sha256 == hash_of(logout.session_id)
        is_nameless = sessions.c.provider_session_sha256.is_(None)
        is_named.append(is_it if logout.subject is None else sa.or_(is_it, is_nameless))
    ended = tx.execute(sa.delete(sessions).where(*is_named).returning(sessions.c.key_id)).scalars().all()
    for key_id in ended:
        principal = api_keys.get_principal(tx, key_id, now)
        if principal is not None:
            audit_session(tx, principal, "signed out at the provider", way, now)
    return len(ended)


def delete_expired_tokens(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete some tokens that are too old to be used again; return how many."""
    old = sa.select(used_tokens.c.token_sha256).where(used_tokens.c.expires_at <= now).limit(limit)
    return tx.execute(sa.delete(used_tokens).where(used_tokens.c.token_sha256.in_(old))).rowcount


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
