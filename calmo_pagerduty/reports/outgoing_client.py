"""Send a signed delivery. The resolved address is checked and then used, so that no name changes between."""

import asyncio
import socket
from collections.abc import Mapping

from calmo_pagerduty.http_client import URL, AsyncClient, HTTPError, tls_context
from calmo_pagerduty.reports.delivery_rules import may_connect

SECONDS = 15.0
NOT_ALLOWED = "the name leads into a private network"
NO_ANSWER = "no answer"


async def send_delivery(
    url: str, headers: Mapping[str, str], body: bytes, to_this_machine: bool
) -> tuple[int | None, str]:
    """Return the HTTP status, or None and why there is none. The answer's body is not read."""
    target = URL(url)
    try:
        address = await _resolve(target, to_this_machine)
    except OSError:
        return None, "the name is not known"
    if address is None:
        return None, NOT_ALLOWED
    port = "" if target.port is None else f":{target.port}"
    host = f"[{target.host}]{port}" if ":" in target.host else f"{target.host}{port}"
    try:
        async with (
            AsyncClient(
                verify=tls_context(), trust_env=False, follow_redirects=False, timeout=SECONDS
            ) as http,
            http.stream(
                "POST",
                target.copy_with(host=address),
                headers={**headers, "Host": host},
                content=body,
                # The certificate must be the name's, though we connect to the address that we checked.
                extensions={"sni_hostname": target.host},
            ) as answer,
        ):
            return answer.status_code, "" if answer.is_success else "the receiver refused it"
    except HTTPError:
        return None, NO_ANSWER


async def _resolve(target: URL, to_this_machine: bool) -> str | None:
    """Return an address of the host that may be connected to. Raises OSError."""
    port = target.port or (443 if target.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    # If any of them leads inside, the name is not to be trusted.
    if not addresses or not all(may_connect(target.host, address, to_this_machine) for address in addresses):
        return None
    return addresses[0]
