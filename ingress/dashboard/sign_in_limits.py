"""How often somebody may try to sign in. A valid key or link is never refused, however many failed before."""

import ipaddress

from starlette.requests import Request

from ingress.webhook_receiver.rate_limits import TokenBuckets

EVERYBODY = ""


class SignInLimits:
    """Limits of one ingress: of failures, and of sign-ins that begin at the provider."""

    def __init__(self) -> None:
        self._failures = TokenBuckets(rate=0.2, burst=20)
        self._all_failures = TokenBuckets(rate=0.2, burst=100)
        self._begins = TokenBuckets(rate=0.5, burst=60)
        self._all_begins = TokenBuckets(rate=20, burst=400)
        #: What each peer may begin while the others use up what is for all.
        self._own_begins = TokenBuckets(rate=1 / 60, burst=2)

    def admits_failure(self, request: Request) -> bool:
        """Tell whether one more failure is answered and audited, or only refused."""
        return self._failures.try_acquire(peer_of(request)) and self._all_failures.try_acquire(EVERYBODY)

    def admits_begin(self, request: Request) -> bool:
        """Tell whether one more browser is sent to the provider."""
        peer = peer_of(request)
        if not self._begins.try_acquire(peer):
            return False
        return self._all_begins.try_acquire(EVERYBODY) or self._own_begins.try_acquire(peer)


def peer_of(request: Request) -> str:
    """Return who is counted: an IPv4 address, or the /64 network that one IPv6 host has at its disposal."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False))
