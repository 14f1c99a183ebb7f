"""Proofs that our API made exactly this request, for what comes back to us through Temporal.

Whoever reaches Temporal may send anything there. A proof is an HMAC-SHA256 over all that a request says,
with a key that is derived from the master key, so only our own processes can make one.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: What the key is derived for. Another text gives other keys: every proof would be void.
PURPOSE = "calmo-pagerduty proofs v1"
_VERSION = "v1"


class InvalidProof(Exception):
    """The proof is missing, malformed, expired, or for something else. The message says which."""


@dataclass(frozen=True, slots=True, repr=False)
class ProofKeys:
    """Keys by name, derived from the master keys. The first signs; any checks."""

    keys: Mapping[str, bytes]

    def sign(self, claims: Sequence[str], expires_at: datetime) -> str:
        """Return the proof of these claims, which is valid until `expires_at` (to the second)."""
        name, key = next(iter(self.keys.items()))
        expiry = str(int(expires_at.timestamp()))
        return ":".join((_VERSION, name, expiry, _mac(key, claims, expiry)))

    def check(self, proof: str | None, claims: Sequence[str], now: datetime) -> None:
        """Raises InvalidProof unless the proof is of these claims and still valid."""
        if self.expiry(proof, claims) <= now:
            raise InvalidProof("its proof has expired: ask our API for a new one")

    def expiry(self, proof: str | None, claims: Sequence[str]) -> datetime:
        """Return the time until which the proof of these claims is valid, which may be past.

        Raises InvalidProof.
        """
        if not proof:
            raise InvalidProof("it has no proof: what comes through Temporal must come from our API first")
        version, _, rest = proof.partition(":")
        name, _, rest = rest.partition(":")
        expiry, _, mac = rest.partition(":")
        key = self.keys.get(name)
        if version != _VERSION or key is None or not (expiry.isascii() and expiry.isdigit()):
            raise InvalidProof("its proof is not one of ours")
        if not hmac.compare_digest(mac.encode(), _mac(key, claims, expiry).encode()):
            raise InvalidProof("its proof is for something else")
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(expiry))


def _mac(key: bytes, claims: Sequence[str], expiry: str) -> str:
    return hmac.new(key, json.dumps([expiry, *claims]).encode(), hashlib.sha256).hexdigest()
