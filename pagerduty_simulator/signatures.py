"""PagerDuty's signature: HMAC-SHA256 over the raw body, keyed by the secret's text."""

import hmac
from collections.abc import Iterable


def signature_header(secrets: Iterable[str], body: bytes) -> str:
    """Return the value of X-PagerDuty-Signature: one `v1=` per live secret, comma separated."""
    return ",".join("v1=" + hmac.digest(secret.encode(), body, "sha256").hex() for secret in secrets)
