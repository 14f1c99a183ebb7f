"""How answers and missing answers are judged."""

import ast
import asyncio
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pagerduty_simulator.delivery_contract import (
    AttemptOutcome,
    DeliveryContract,
    outcome_of_error,
    outcome_of_status,
)
from pagerduty_simulator.storms import random_storm
from pagerduty_simulator.subscriptions import SubscriptionFilter
from tests.support.webhook_receiver import NewSender

PACKAGE = Path(__file__).parents[2] / "pagerduty_simulator"


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_documented_verdict(status: int) -> None:
    if 200 <= status <= 299:
        assert outcome_of_status(status) is AttemptOutcome.DELIVERED
    elif status == 429 or status >= 500:
        assert outcome_of_status(status) is AttemptOutcome.RETRIED
    else:
        assert outcome_of_status(status) is AttemptOutcome.REFUSED


def test_an_expired_certificate_is_retried_and_other_tls_faults_are_not() -> None:
    expired = ssl.SSLCertVerificationError("expired")
    expired.verify_code = 10
    unknown = ssl.SSLCertVerificationError("self-signed")
    unknown.verify_code = 18

    def wrapped(cause: Exception) -> httpx.ConnectError:
        error = httpx.ConnectError("TLS")
        error.__cause__ = cause
        return error

    assert outcome_of_error(wrapped(expired)) is AttemptOutcome.RETRIED
    assert outcome_of_error(wrapped(unknown)) is AttemptOutcome.REFUSED
    assert outcome_of_error(wrapped(ssl.SSLError("handshake"))) is AttemptOutcome.REFUSED
    assert outcome_of_error(wrapped(OSError("no route"))) is AttemptOutcome.RETRIED


async def test_a_self_signed_receiver_loses_the_event_at_once(new_sender: NewSender, tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, __: None, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    port = server.sockets[0].getsockname()[1]
    sender = new_sender()
    sender.subscribe(f"https://localhost:{port}/", "s")
    sender.publish(random_storm(1, 1, 1))
    await sender.drained()
    server.close()
    assert [attempt.verdict for attempt in sender.attempts] == [AttemptOutcome.REFUSED]


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "receiver.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_retry_intervals_stay_bounded_however_often_it_has_been_tried() -> None:
    contract = DeliveryContract()
    interval = contract.retry_interval(100_000, 0.5)
    assert timedelta(hours=1) <= interval <= timedelta(hours=1.2)


def test_a_filter_has_an_id_exactly_when_it_is_not_the_account_s() -> None:
    wrong: tuple[tuple[Literal["account", "service", "team"], str | None], ...] = (
        ("account", "P1"),
        ("service", None),
        ("team", None),
    )
    for kind, filter_id in wrong:
        with pytest.raises(ValueError, match="filter needs an id"):
            SubscriptionFilter(kind, filter_id)


def test_the_simulator_imports_nothing_of_ours() -> None:
    allowed = {"pagerduty_simulator", "httpx", "starlette", "uvicorn", "typer"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                root = name.split(".")[0]
                assert root in allowed or root in sys.stdlib_module_names, f"{path.name}: {name}"
