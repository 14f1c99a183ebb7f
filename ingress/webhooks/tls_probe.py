"""How our public address looks from outside: is it reached, and does it speak TLS as PagerDuty needs it?

PagerDuty speaks TLS 1.2, knows Mozilla's roots, and wants the chain in order, each certificate followed
by the one that signed it; otherwise it drops the delivery. Source: PagerDuty's webhook documentation.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

TIMEOUT_SECONDS = 5.0


class NotDeliverable(Exception):
    """PagerDuty could not deliver here. `advice` says what to do."""

    def __init__(self, words: str, advice: str) -> None:
        super().__init__(words)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class HostPort:
    host: str
    port: int


async def check_reachable(target: HostPort) -> str:
    """Connect and say so. Raises NotDeliverable."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(target.host, target.port)
    except TimeoutError:
        raise NotDeliverable("nothing answers in time", _REACH_ADVICE) from None
    except OSError as error:
        words = "the name is not known" if _is_unknown_name(error) else "the connection is refused"
        raise NotDeliverable(f"{words} ({target.host}, port {target.port})", _REACH_ADVICE) from None
    writer.close()
    return f"{target.host}, port {target.port}, answers"


_REACH_ADVICE = (
    "check CALMO_PUBLIC_URL, its DNS record, the firewall, and what stands in front of the ingress"
)


def _is_unknown_name(error: OSError) -> bool:
    return type(error).__name__ == "gaierror"


async def check_tls(target: HostPort, trust: Callable[[], ssl.SSLContext]) -> str:
    """Do a handshake as PagerDuty does, and look at the chain as it is sent. Raises NotDeliverable.

    `trust` makes contexts with the roots that count.
    """
    try:
        check_chain_order(await _handshake(target, trust(), ssl.TLSVersion.TLSv1_2))
    except ssl.SSLCertVerificationError as error:
        raise NotDeliverable(
            f"the certificate doesn't verify: {error.verify_message}",
            "serve a public authority's certificate for this very name, with its intermediate certificates",
        ) from None
    except (TimeoutError, OSError) as error:
        raise await _handshake_error(target, trust(), error) from None
    return "TLS 1.2 is agreed on, the certificate verifies, and the chain comes in order"


async def _handshake(
    target: HostPort, context: ssl.SSLContext, at_most: ssl.TLSVersion
) -> list[x509.Certificate]:
    context.maximum_version = at_most
    async with asyncio.timeout(TIMEOUT_SECONDS):
        _, writer = await asyncio.open_connection(target.host, target.port, ssl=context)
    try:
        return _certificate_chain(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


async def _handshake_error(target: HostPort, context: ssl.SSLContext, error: Exception) -> NotDeliverable:
    """Tell a server that speaks newer TLS only from one that speaks none."""
    try:
        await _handshake(target, context, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    except (TimeoutError, OSError):
        return NotDeliverable(f"the TLS handshake breaks off ({type(error).__name__})", _REACH_ADVICE)
    return NotDeliverable(
        "TLS 1.2 can't be agreed on, only newer versions",
        "switch TLS 1.2 on where TLS ends: PagerDuty speaks no other",
    )


def check_chain_order(chain: Sequence[x509.Certificate]) -> None:
    """Raises NotDeliverable unless each certificate is followed by the one that signed it."""
    for certificate, next_one in pairwise(chain):
        try:
            certificate.verify_directly_issued_by(next_one)
        except (ValueError, TypeError, InvalidSignature):
            raise NotDeliverable(
                "the certificate chain doesn't come in order",
                "send the server's certificate first, then each one that signed the one before it",
            ) from None


def _certificate_chain(tls: Any) -> list[x509.Certificate]:
    """Return the chain as the server sent it. Python has a public name for it from 3.13 on."""
    sent = getattr(tls, "get_unverified_chain", None)
    if sent is not None:
        return [x509.load_der_x509_certificate(der) for der in sent()]
    inner = tls._sslobj.get_unverified_chain() or ()
    return [x509.load_pem_x509_certificate(certificate.public_bytes().encode()) for certificate in inner]
