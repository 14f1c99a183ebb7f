"""PagerDuty's webhook signature: HMAC-SHA256 over the raw body, with the secret's text as key.

Source: PagerDuty's Webhooks V3 documentation, "Verifying signatures".
"""

import hmac
from collections.abc import Iterable


def signature_header(secrets: Iterable[str], body: bytes) -> str:
    """Return the value of X-PagerDuty-Signature: `v1=` and hex digits per live secret, comma-separated."""
    return ",".join("v1=" + hmac.digest(secret.encode(), body, "sha256").hex() for secret in secrets)
