"""The account that a client calls PagerDuty for: base URL by region, token, From address."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.token_kinds import Region, TokenKind

#: Source: PagerDuty's documentation, "Service Regions".
BASE_URLS: Final = {
    Region.US: "https://api.pagerduty.com",
    Region.EU: "https://api.eu.pagerduty.com",
}


_SCHEMES: Final = {TokenKind.API_TOKEN: "Token token=", TokenKind.OAUTH: "Bearer "}


def base_url(region: Region, override: str | None = None) -> str:
    """Return the base URL of a region's API. `override` serves tests and simulators.

    Raises ValueError unless `override` is https, or http to this machine; InvalidRequest if the region is
    the simulator and there is none.
    """
    if override is not None:
        return checked_base_url(override)
    if region not in BASE_URLS:
        raise InvalidRequest("this instance has no simulator", advice="use a connection to PagerDuty itself")
    return BASE_URLS[region]


def checked_base_url(url: str) -> str:
    """Return the URL without a trailing slash. Raises ValueError if a token may not be sent there."""
    if not (url.isascii() and url.isprintable()):
        raise ValueError("a base URL holds printable ASCII only")
    parts = urlsplit(url)
    host = parts.hostname
    if not host or parts.username is not None or parts.query or parts.fragment or set(url) & set(" \\@?#"):
        raise ValueError("a base URL is a scheme, a host, perhaps a port and a path, and nothing else")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("a token is sent by https only, or to this machine")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Account:
    """One connection's PagerDuty account. Its repr holds neither the token nor the From address.

    Raises ValueError if a value can't be sent as a header.
    """

    base_url: str
    token: SecretStr
    token_kind: TokenKind = TokenKind.API_TOKEN
    #: E-mail address of the PagerDuty user in whose name an account-level token writes.
    from_address: str | None = field(default=None, repr=False)
    connection_id: str = ""

    def __post_init__(self) -> None:
        checked_base_url(self.base_url)
        if not _fits_a_header(self.token.get_secret_value()):
            raise ValueError("the token is empty or has characters that are not allowed in a token")
        if self.from_address is not None and not _fits_a_header(self.from_address):
            raise ValueError("the From address is empty or has characters that are not allowed in an address")

    @property
    def authorization(self) -> str:
        """The value of the Authorization header. It is a secret."""
        return _SCHEMES[self.token_kind] + self.token.get_secret_value()


def _fits_a_header(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable() and " " not in text
