"""The ingress as a program of its own, as it runs in life, and raw bytes to it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from calmo_pagerduty.http_client import tls_context
from calmo_pagerduty.processes import free_port
from calmo_pagerduty.settings import Settings
from tests.support.doors import make_key
from tests.support.patience import ANSWER, LIMIT, PROGRAM

NOWHERE = "127.0.0.1:1"
PATIENT_INGRESS = Path(__file__).with_name("patient_ingress.py")


@dataclass
class IngressProcess:
    port: int
    database: Database
    keyring: Keyring
    child: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER)

    def exchange(self, request: bytes, whole: bool = True) -> bytes:
        """Send raw bytes and return all that is answered. What is not `whole` is followed by an end."""
        with self.connect() as wire:
            send(wire, request)
            if not whole:
                hang_up(wire)
            return receive(wire)

    def counted(self, verdict: str) -> float:
        headers = make_key(self.database, ["metrics:read"])
        text = httpx.get(f"{self.url}/metrics", headers=headers, verify=tls_context(), timeout=ANSWER).text
        found = re.search(rf'calmo_deliveries_total{{verdict="{verdict}"}} (\S+)', text)
        return float(found[1]) if found else 0.0

    def terminate(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    def is_well(self) -> bool:
        return (
            self.child.poll() is None
            and httpx.get(f"{self.url}/healthz", verify=tls_context(), timeout=ANSWER).status_code == 200
        )


@contextmanager
def run_ingress(
    folder: Path,
    body_seconds: float = LIMIT,
    head_seconds: float = LIMIT,
    unread_seconds: float = LIMIT,
    role: str = "all",
    **environment: str,
) -> Iterator[IngressProcess]:
    """Run `calmo-pagerduty ingress` with a data folder of its own; Temporal is nowhere unless given."""
    settings = Settings(data_dir=folder, http_port=free_port())
    with closing(Database(settings.database)) as database, (folder / "ingress.log").open("wb") as log:
        database.migrate()
        child = subprocess.Popen(
            [
                sys.executable,
                str(PATIENT_INGRESS),
                str(body_seconds),
                str(head_seconds),
                str(unread_seconds),
                "ingress",
                "--role",
                role,
                "--port",
                str(settings.http_port),
                "--data-dir",
                str(folder),
            ],
            env={**os.environ, "TEMPORAL_ADDRESS": NOWHERE, **environment},
            stdout=log,
            stderr=log,
        )
        try:
            ingress = IngressProcess(settings.http_port, database, settings.keyring(), child)
            _wait_until_ready(ingress, folder)
            yield ingress
        finally:
            child.kill()
            child.wait()


def _wait_until_ready(ingress: IngressProcess, folder: Path) -> None:
    deadline = time.monotonic() + PROGRAM
    while ingress.child.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{ingress.url}/healthz", verify=tls_context(), timeout=ANSWER).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError((folder / "ingress.log").read_text())


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    """A whole request with its length declared."""
    return begin(path, b"Content-Length: %d" % len(body), *headers) + body


def begin(path: str, *headers: bytes) -> bytes:
    """A request's head alone."""
    lines = (b"POST " + path.encode() + b" HTTP/1.1", b"Host: door.test", b"Connection: close", *headers)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def send(wire: socket.socket, data: bytes) -> None:
    """Send; a server that has heard enough may close on us meanwhile."""
    with suppress(OSError):
        wire.sendall(data)


def hang_up(wire: socket.socket) -> None:
    """Say that nothing more will come."""
    with suppress(OSError):
        wire.shutdown(socket.SHUT_WR)


def receive(wire: socket.socket) -> bytes:
    """Return all that is answered until the other side closes."""
    answer = b""
    with suppress(ConnectionError):
        while chunk := wire.recv(65536):
            answer += chunk
    return answer


def status_of(answer: bytes) -> int:
    """The status; 0 where the connection was closed without an answer."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0
