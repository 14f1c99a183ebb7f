"""Clients that only want to hold up the door: whatever they send or leave, good deliveries are taken."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ingress.connection_limits import MAX_CONNECTIONS, ConnectionLimits
from ingress.http_protocol import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED
from tests.support.builders import an_event, body_of, new_id, signature_of
from tests.support.doors import make_webhook
from tests.support.ingress_process import IngressProcess, begin, post, receive, run_ingress, send, status_of

#: Programs of their own.
pytestmark = pytest.mark.slow

SILENT = MAX_CONNECTIONS + 100
GOOD = 20


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressProcess]:
    with run_ingress(tmp_path_factory.mktemp("crowd")) as process:
        yield process


@pytest.fixture
def path(ingress: IngressProcess) -> str:
    return webhook_path(ingress)


def webhook_path(ingress: IngressProcess) -> str:
    return f"/webhooks/pagerduty/{make_webhook(ingress.database, ingress.keyring)}"


def a_good_one(path: str) -> bytes:
    body = body_of(an_event("incident.triggered", new_id()))
    return post(path, body, b"X-PagerDuty-Signature: " + signature_of(body).encode())


def send_for_ever(wire: socket.socket, data: bytes) -> None:
    while True:
        wire.sendall(data)


def answers_to_good_ones(ingress: IngressProcess, path: str) -> set[int]:
    return {status_of(ingress.exchange(a_good_one(path))) for _ in range(GOOD)}


def test_an_endless_header_is_431_and_not_read_on(ingress: IngressProcess, path: str) -> None:
    with ingress.connect() as wire:
        send(wire, b"POST / HTTP/1.1\r\nX-A: ")
        for _ in range(640):
            send(wire, b"a" * 65536)
        assert status_of(receive(wire)) in (431, 0), "the answer may be lost where the client still sends"
    with ingress.connect() as wire:
        wire.sendall(b"POST / HTTP/1.1\r\nX-A: " + b"a" * MAX_HEAD_BYTES)
        assert status_of(receive(wire)) == 431
    assert answers_to_good_ones(ingress, path) == {202}


def test_many_small_headers_are_431(ingress: IngressProcess, path: str) -> None:
    headers = [b"A: b"] * (MAX_HEADERS + 1)
    with ingress.connect() as wire:
        wire.sendall(begin(path, *headers))
        assert status_of(receive(wire)) == 431


def test_more_silent_clients_than_there_are_connections_shut_nobody_out(
    ingress: IngressProcess, path: str
) -> None:
    with ExitStack() as held:
        for number in range(SILENT):
            wire = held.enter_context(ingress.connect())
            if number % 2:
                send(wire, b"POST /webho")
        assert answers_to_good_ones(ingress, path) == {202}
        assert ingress.is_well()


def test_slow_bodies_shut_nobody_out(ingress: IngressProcess, path: str) -> None:
    with ExitStack() as held:
        for _ in range(300):
            send(held.enter_context(ingress.connect()), a_good_one(path)[:-10])
        assert answers_to_good_ones(ingress, path) == {202}


def test_a_client_that_does_not_end_its_head_in_time_is_closed(tmp_path: Path) -> None:
    with run_ingress(tmp_path, head_seconds=0.5) as ingress:
        path = webhook_path(ingress)
        for begun in (b"", b"POST / HTTP/1.1\r\nHost: x\r\n"):
            with ingress.connect() as wire:
                send(wire, begun)
                assert receive(wire) == b""
        assert status_of(ingress.exchange(a_good_one(path))) == 202


def test_a_client_that_does_not_read_its_answers_is_closed(tmp_path: Path) -> None:
    with run_ingress(tmp_path, unread_seconds=0.5) as ingress, socket.socket() as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.settimeout(60)
        wire.connect(("127.0.0.1", ingress.port))
        wanted = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        with pytest.raises(ConnectionError):
            send_for_ever(wire, wanted)
        assert ingress.is_well()


def test_garbage_behind_a_good_delivery_does_not_cost_its_answer(ingress: IngressProcess, path: str) -> None:
    kept_open = a_good_one(path).replace(b"Connection: close\r\n", b"")
    assert status_of(ingress.exchange(kept_open + b"\x00" * 1000)) == 202


def test_requests_beyond_those_that_may_wait_for_an_answer_are_not_read(
    ingress: IngressProcess, path: str
) -> None:
    kept_open = a_good_one(path).replace(b"Connection: close\r\n", b"")
    with ingress.connect() as wire:
        wire.sendall(kept_open * (3 * MAX_PIPELINED))
        answers = receive(wire)
    statuses = [line for line in answers.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert 1 <= len(statuses) <= MAX_PIPELINED + 2
    assert set(statuses) == {b"HTTP/1.1 202 Accepted"}
    assert answers_to_good_ones(ingress, path) == {202}


class Held:
    """A connection of a made-up server."""

    open = True

    def close_idle(self) -> None:
        self.open = False


def test_the_busiest_peer_gives_way_before_anybody_else_and_silence_before_patience() -> None:
    limits = ConnectionLimits(per_peer=2, at_most=3)
    quiet, patient, other, newcomer = (Held() for _ in range(4))
    assert limits.add(other, "b")
    assert limits.add(patient, "a")
    limits.note_request(patient)
    limits.note_idle(patient)
    assert limits.add(quiet, "a")
    assert limits.add(newcomer, "a"), "its peer's silent one gives way"
    assert [each.open for each in (other, patient, quiet, newcomer)] == [True, True, False, True]
    limits.note_request(newcomer)
    assert limits.add(Held(), "c"), "the server is full: the longest silent one gives way"
    assert [each.open for each in (other, patient, newcomer)] == [False, True, True]


def test_a_newcomer_is_refused_only_where_all_others_are_busy() -> None:
    limits = ConnectionLimits(per_peer=1, at_most=1)
    busy = Held()
    assert limits.add(busy, "a")
    limits.note_request(busy)
    assert not limits.add(Held(), "a")
    assert not limits.add(Held(), "b")
    limits.remove(busy)
    assert limits.add(Held(), "b")
