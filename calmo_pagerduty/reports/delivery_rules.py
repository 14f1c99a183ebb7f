"""How a report is delivered to an address: which addresses, the signature, and when to try again. Pure.

Source: RFC 2104 (HMAC), RFC 6890 (special-purpose addresses); the form of the signature is that of
PagerDuty's v3 webhooks, with the time in what is signed.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

#: How long to wait after each failed attempt. After the last there is none.
RETRY_DELAYS = (
    timedelta(seconds=1),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
MAX_URL_LENGTH = 2048


class AddressRefused(ValueError):
    """Reports may not be sent to this address."""


class Outcome(StrEnum):
    """RETRY: the receiver may take it later. FAILED: it will not, or the last attempt is spent."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"


def checked_address(url: str, to_this_machine: bool) -> str:
    """Return the address. Raises AddressRefused unless it is https, or this machine and that is allowed."""
    if not (url.isascii() and url.isprintable()) or len(url) > MAX_URL_LENGTH or " " in url:
        raise AddressRefused("url: an address holds printable ASCII only, at most 2048 characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("url: this is no address") from None
    if not host or parts.username is not None or parts.fragment:
        raise AddressRefused("url: a scheme, a host, a path and perhaps a query; no name and password")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise AddressRefused("url: reports are sent by https only")
    if _is_loopback(host) and not to_this_machine:
        raise AddressRefused("url: reports are sent to this machine only while PagerDuty is simulated")
    if _is_literal(host) and not may_connect(host, host, to_this_machine):
        raise AddressRefused("url: it is an address of a private network")
    return url


def may_connect(host: str, resolved: str, to_this_machine: bool) -> bool:
    """Tell whether a request for `host` may go to the resolved address: to the Internet, or to this machine
    if the host is this machine's and that is allowed. A name of the Internet that leads into a private
    network is refused. On a server, this machine has services that trust it.
    """
    address = ip_address(resolved)
    if _is_loopback(host):
        return to_this_machine and address.is_loopback
    return address.is_global and not address.is_multicast


def signed_headers(secret: str, delivery_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """Return the headers of a delivery. Signed is `TIMESTAMP.ID.BODY`, by HMAC-SHA256; `at` is in epoch
    seconds. A receiver refuses old timestamps, and takes an id once.
    """
    signed = b".".join((str(at).encode(), delivery_id.encode(), body))
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "Calmo-Delivery-Id": delivery_id,
        "Calmo-Timestamp": str(at),
        "Calmo-Signature": f"v1={signature}",
    }


def outcome_of(status: int | None, attempt: int) -> Outcome:
    """Return what an answer means. None: there was none. Redirects are not followed: they fail."""
    if status is not None and 200 <= status < 300:
        return Outcome.DELIVERED
    may_change = status is None or status >= 500 or status in {408, 425, 429}
    return Outcome.RETRY if may_change and attempt <= len(RETRY_DELAYS) else Outcome.FAILED


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_literal(host) and ip_address(host).is_loopback)
