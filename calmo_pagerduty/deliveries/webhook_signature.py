"""Signs and verifies deliveries (header X-PagerDuty-Signature).

The signature is HMAC-SHA256 over the raw body, keyed with the secret's text, in lower-case hex. The
header has one `v1=` value per live secret of the subscription.
Source: PagerDuty's webhook documentation, "Verifying Signatures".
"""

import hashlib
import hmac
from collections.abc import Sequence

from calmo_pagerduty.deliveries.model import SignatureVerdict

#: PagerDuty never sends so many values. Further ones are ignored.
MAX_SIGNATURES = 8


def sign(body: bytes, secret: bytes) -> bytes:
    """Return the `v1=` value for a body, as PagerDuty would send it."""
    return b"v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode("ascii")


def verify(
    body: bytes, header: bytes | None, secrets: Sequence[tuple[int, bytes]]
) -> tuple[SignatureVerdict, int | None]:
    """Compare every signature with every live secret, in constant time.

    `secrets` holds (version, secret). Returns the verdict, and the matching secret's version or None.
    """
    values = [value.strip() for value in (header or b"").split(b",")]
    values = [value for value in values if value]
    if not values:
        return SignatureVerdict.MISSING, None
    signatures = [value for value in values if value.startswith(b"v1=")][:MAX_SIGNATURES]
    if not signatures:
        return SignatureVerdict.UNSUPPORTED_SCHEME, None
    matched: int | None = None
    for version, secret in secrets:
        expected = sign(body, secret)
        for signature in signatures:
            if hmac.compare_digest(signature, expected):
                matched = version
    if matched is None:
        return SignatureVerdict.MISMATCH, None
    return SignatureVerdict.MATCH, matched
