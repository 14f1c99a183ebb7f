"""Check that our public address answers, and that its TLS meets PagerDuty's requirements.

PagerDuty uses TLS 1.2, trusts Mozilla's root certificates, and requires a chain in order: each certificate
is followed by its issuer's. Otherwise it drops the delivery. Source: PagerDuty's webhook documentation.
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
    """PagerDuty could not deliver to this address. `advice` says what to do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class HostPort:
    host: str
    port: int


async def check_reachable(target: HostPort) -> str:
    """Connect, and return a text that says so. Raises NotDeliverable."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(target.host, target.port)
    except TimeoutError:
        raise NotDeliverable("nothing answers in time", _REACH_ADVICE) from None
    except OSError as error:
        message = "the name is not known" if _is_unknown_name(error) else "the connection is refused"
        raise NotDeliverable(f"{message} ({target.host}, port {target.port})", _REACH_ADVICE) from None
    writer.close()
    return f"{target.host}, port {target.port}, answers"


_REACH_ADVICE = "check CALMO_PUBLIC_URL, its DNS record, the firewall, and the proxy in front of the ingress"


def _is_unknown_name(error: OSError) -> bool:
    return type(error).__name__ == "gaierror"


async def check_tls(target: HostPort, trust: Callable[[], ssl.SSLContext]) -> str:
    """Do a handshake like PagerDuty's and check the chain that the server sends. Raises NotDeliverable.

    `trust` makes a context with the trusted root certificates.
    """
    try:
        check_chain_order(await _handshake(target, trust(), ssl.TLSVersion.TLSv1_2))
    except ssl.SSLCertVerificationError as error:
        raise NotDeliverable(
            f"the certificate doesn't verify: {error.verify_message}",
            "use a certificate of a public authority for this name, with its intermediate certificates",
        ) from None
    except (TimeoutError, OSError) as error:
        raise await _handshake_error(target, trust(), error) from None
    return "TLS 1.2 works, the certificate verifies, and the chain is in order"


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
    """Return the error: the server speaks only newer TLS versions, or the handshake always fails."""
    try:
        await _handshake(target, context, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    except (TimeoutError, OSError):
        return NotDeliverable(f"the TLS handshake breaks off ({type(error).__name__})", _REACH_ADVICE)
    return NotDeliverable(
        "the server refuses TLS 1.2 and speaks only newer versions",
        "enable TLS 1.2 where TLS is terminated: PagerDuty speaks no other version",
    )


def check_chain_order(chain: Sequence[x509.Certificate]) -> None:
    """Raises NotDeliverable unless each certificate is followed by its issuer's."""
    for certificate, issuer in pairwise(chain):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            raise NotDeliverable(
                "the certificate chain is not in order",
                "send the server's certificate first, and after each certificate its issuer's",
            ) from None


def _certificate_chain(tls: Any) -> list[x509.Certificate]:
    """Return the chain as the server sent it. Python has a public method for it since 3.13."""
    get_chain = getattr(tls, "get_unverified_chain", None)
    if get_chain is not None:
        return [x509.load_der_x509_certificate(der) for der in get_chain()]
    inner = tls._sslobj.get_unverified_chain() or ()
    return [x509.load_pem_x509_certificate(certificate.public_bytes().encode()) for certificate in inner]
