"""Judges by its form whether PagerDuty can reach an address."""

from ipaddress import ip_address
from urllib.parse import urlsplit

#: Names that exist in one network only. Source: RFC 6761, RFC 6762, RFC 8375.
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".home.arpa", ".lan", ".test", ".invalid")


def unreachable_reason(address: str) -> str | None:
    """Return why PagerDuty can't or won't deliver to this address; None if its form allows it."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "CALMO_PUBLIC_URL is not an address"
    if parts.scheme not in {"http", "https"} or not host:
        return "CALMO_PUBLIC_URL must begin with https:// and name a host"
    if _is_local(host):
        return (
            f"PagerDuty can't reach {host}: it is an address of this machine or network;"
            " set CALMO_PUBLIC_URL to one that the Internet knows"
        )
    if parts.scheme == "http":
        return "PagerDuty delivers over https only: set CALMO_PUBLIC_URL to an address with a certificate"
    return None


def _is_local(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
        return "." not in name or name.endswith(_LOCAL_NAMES)
