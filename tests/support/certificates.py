"""A certificate chain of our own, and a TLS server that sends it as it is told to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Chain:
    """The server's certificate, two that stand between, and the root that is trusted."""

    key: Key
    server: x509.Certificate
    between: tuple[x509.Certificate, ...]
    root: x509.Certificate

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=_pem(self.root))

    def serving(self, folder: Path, sent: Sequence[x509.Certificate]) -> ssl.SSLContext:
        """Return a server's context that sends these certificates in this order."""
        file = folder / "chain.pem"
        secret = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_text(secret.decode() + "".join(_pem(certificate) for certificate in sent))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def make_chain() -> Chain:
    """Make a chain for 127.0.0.1."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
    root = _certificate("root", keys[0], None, keys[0], authority=True)
    first = _certificate("first", keys[1], root, keys[0], authority=True)
    second = _certificate("second", keys[2], first, keys[1], authority=True)
    server = _certificate("server", keys[3], second, keys[2], authority=False)
    return Chain(keys[3], server, (second, first), root)


@contextlib.asynccontextmanager
async def tls_front(context: ssl.SSLContext, behind: int | None = None) -> AsyncIterator[int]:
    """A TLS server on a port of this machine, in front of a plain one (`behind`), if there is one."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if behind is not None:
                plain_reader, plain_writer = await asyncio.open_connection("127.0.0.1", behind)
                await asyncio.wait(
                    {
                        asyncio.create_task(_copy(reader, plain_writer)),
                        asyncio.create_task(_copy(plain_reader, writer)),
                    },
                    return_when=asyncio.FIRST_COMPLETED,
                )
                plain_writer.transport.abort()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def _certificate(
    name: str, key: Key, issuer: x509.Certificate | None, signed_with: Key, authority: bool
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"calmo test {name}")])
    now = datetime.now(UTC)
    public = signed_with.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signed_with, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
