"""Sign-ins that are on their way through a provider: each ends once, within ten minutes.

The browser's cookie holds a secret, and state, nonce and the PKCE verifier are computed from it. So we store
a hash alone, and only the browser that began can end.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from calmo_pagerduty.db.tables import sign_in_flows as flows
from calmo_pagerduty.db.transactions import Transaction

FLOW_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in on its way. `secret` is the browser's."""

    secret: str

    @property
    def state(self) -> str:
        return self._derive("state")

    @property
    def nonce(self) -> str:
        return self._derive("nonce")

    @property
    def verifier(self) -> str:
        """The PKCE verifier, of 43 characters (RFC 7636, section 4.1)."""
        return self._derive("verifier")

    def _derive(self, what: str) -> str:
        digest = hmac.new(self.secret.encode(), what.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def insert_flow(tx: Transaction, next_path: str, now: datetime) -> Flow:
    """Begin a sign-in that goes on to this path."""
    flow = Flow(secrets.token_urlsafe(32))
    tx.execute(
        flows.insert().values(
            secret_sha256=_hash(flow), next=next_path[:2000], expires_at=now + FLOW_LIFETIME
        )
    )
    return flow


def claim_flow(tx: Transaction, flow: Flow, now: datetime) -> str | None:
    """End a sign-in and return the path to go on to; None if it ended before, is too old, or is unknown."""
    is_it = sa.and_(flows.c.secret_sha256 == _hash(flow), flows.c.expires_at > now)
    return tx.execute(sa.delete(flows).where(is_it).returning(flows.c.next)).scalar_one_or_none()


def delete_expired_flows(tx: Transaction, now: datetime, limit: int) -> int:
    """Delete some that nobody ended; return how many."""
    old = sa.select(flows.c.secret_sha256).where(flows.c.expires_at <= now).limit(limit)
    return tx.execute(sa.delete(flows).where(flows.c.secret_sha256.in_(old))).rowcount


def _hash(flow: Flow) -> str:
    return hashlib.sha256(flow.secret.encode()).hexdigest()
