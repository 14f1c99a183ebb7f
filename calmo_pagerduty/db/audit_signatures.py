"""Signatures of the audit's rows, which nobody can make who only writes to the database.

A signature is an HMAC-SHA256 over a row's number and hash. Each row's hash covers all rows before it, so a
signature vouches for them too. It names its master key, from which its own key is derived.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

#: What the keys are derived for. Another text gives other keys: no signature would be right any more.
PURPOSE = "calmo-pagerduty audit rows v1"
_VERSION = "v1"
#: In place of a signature that was wrong when its master key was replaced: it stays wrong.
_WRONG = "wrong"


@dataclass(frozen=True, slots=True, repr=False)
class AuditKeys:
    """Keys by the names of the master keys that they are derived from. The first signs; any checks."""

    keys: Mapping[str, bytes]

    def sign(self, seq: int, row_hash: str) -> str:
        """Return the signature of the row with this number and hash."""
        name, key = next(iter(self.keys.items()))
        return signature_prefix(name) + _mac(key, seq, row_hash)

    def fault(self, signature: str, seq: int, row_hash: str) -> str | None:
        """Return what is wrong with a row's signature; None if nothing is."""
        name = signer(signature)
        key = self.keys.get(name)
        if key is None:
            return f"it is signed with a key that is not configured here: {name!r}"
        expected = signature_prefix(name) + _mac(key, seq, row_hash)
        # As bytes: a forged signature may hold any character.
        right = hmac.compare_digest(signature.encode(errors="replace"), expected.encode())
        return None if right else "its signature is not one of ours"

    def renew(self, signature: str, seq: int, row_hash: str) -> str:
        """Return the signature with the first key in place of one with another key.

        A wrong one becomes another wrong one, so that a rotation neither mends it nor stops at it.
        """
        if self.fault(signature, seq, row_hash) is None:
            return self.sign(seq, row_hash)
        return signature_prefix(next(iter(self.keys))) + _WRONG


def signer(signature: str) -> str:
    """Return the name of the master key that a signature names."""
    return signature.removeprefix(f"{_VERSION}:").rpartition(":")[0]


def signature_prefix(kid: str) -> str:
    """Return how all signatures with a master key begin."""
    return f"{_VERSION}:{kid}:"


def _mac(key: bytes, seq: int, row_hash: str) -> str:
    return hmac.digest(key, f"{seq}\n{row_hash}".encode(), "sha256").hex()
