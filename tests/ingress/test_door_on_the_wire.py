"""Raw bytes to the real server: malformed input is never a 5xx, a genuine delivery never a 4xx or 3xx."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from calmo_pagerduty.db import tables
from calmo_pagerduty.deliveries.model import MAX_BODY_BYTES
from calmo_pagerduty.pagerduty.event_types import EventType
from tests.support.builders import a_note, an_event, body_of, new_id, signature_of
from tests.support.doors import make_webhook, rows
from tests.support.ingress_process import IngressProcess, begin, post, receive, run_ingress, status_of
from tests.support.patience import PROGRAM

#: Programs of their own.
pytestmark = pytest.mark.slow

TRIGGERED = EventType.TRIGGERED


@pytest.fixture(scope="module")
def ingress(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IngressProcess]:
    with run_ingress(tmp_path_factory.mktemp("wire")) as process:
        yield process


@pytest.fixture
def path(ingress: IngressProcess) -> str:
    return f"/webhooks/pagerduty/{make_webhook(ingress.database, ingress.keyring)}"


def signed(body: bytes) -> bytes:
    return b"X-PagerDuty-Signature: " + signature_of(body).encode()


def in_chunks(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def kept_of(ingress: IngressProcess, path: str) -> list[str]:
    webhook = path.rsplit("/", 1)[1]
    return [row.state for row in rows(ingress.database, tables.deliveries) if row.webhook_id == webhook]


def test_a_good_delivery_is_taken_in_one_piece_and_in_chunks(ingress: IngressProcess, path: str) -> None:
    whole, chunked = (body_of(an_event(TRIGGERED, new_id())) for _ in range(2))
    assert status_of(ingress.exchange(post(path, whole, signed(whole)))) == 202
    request = begin(path, b"Transfer-Encoding: chunked", signed(chunked)) + in_chunks(chunked, 7)
    assert status_of(ingress.exchange(request)) == 202
    assert kept_of(ingress, path) == ["pending", "pending"]


def test_a_slow_body_is_503_and_never_408(tmp_path: Path) -> None:
    with run_ingress(tmp_path, body_seconds=1.0) as ingress:
        path = f"/webhooks/pagerduty/{make_webhook(ingress.database, ingress.keyring)}"
        body = body_of(an_event(TRIGGERED, new_id()))
        with ingress.connect() as wire:
            wire.sendall(post(path, body, signed(body))[:-10])
            answer = receive(wire)
        assert (status_of(answer), b"connection: close" in answer.lower()) == (503, True)
        assert b"retry-after" in answer.lower()
        assert kept_of(ingress, path) == []
        assert ingress.counted("slow_body") == 1


def test_a_sender_that_hangs_up_in_the_middle_is_no_fault(ingress: IngressProcess, path: str) -> None:
    body = body_of(an_event(TRIGGERED, new_id()))
    ingress.exchange(post(path, body, signed(body))[:-10], whole=False)
    assert kept_of(ingress, path) == []
    assert status_of(ingress.exchange(post(path, body, signed(body)))) == 202


def test_a_body_declared_too_large_is_413_and_closed(ingress: IngressProcess, path: str) -> None:
    before = ingress.counted("too_large")
    with ingress.connect() as wire:
        wire.sendall(begin(path, b"Content-Length: %d" % (MAX_BODY_BYTES + 1)))
        answer = receive(wire)
    assert (status_of(answer), b"connection: close" in answer.lower()) == (413, True)
    assert ingress.counted("too_large") == before + 1


def test_a_chunked_body_is_read_no_further_than_the_limit(ingress: IngressProcess, path: str) -> None:
    before, body = ingress.counted("too_large"), b"x" * (MAX_BODY_BYTES + 100_000)
    answer = ingress.exchange(begin(path, b"Transfer-Encoding: chunked") + in_chunks(body, 50_000))
    assert status_of(answer) in (413, 0), "the answer may be lost where the sender still sends"
    assert ingress.counted("too_large") == before + 1
    assert kept_of(ingress, path) == []


def test_a_body_at_the_limit_is_taken(ingress: IngressProcess, path: str) -> None:
    note = a_note(new_id(), content="")
    note["event"]["data"]["content"] = "x" * (MAX_BODY_BYTES - len(body_of(note)))
    body = body_of(note)
    assert len(body) == MAX_BODY_BYTES
    assert status_of(ingress.exchange(post(path, body, signed(body)))) == 202


@pytest.mark.parametrize("value", [b"v1=\xff\xfe", b"\xe9", b"v1=" + b"\x80" * 300, b"v1=" + b"0" * 20_000])
def test_a_signature_that_is_not_ascii_or_too_long_is_401(
    ingress: IngressProcess, path: str, value: bytes
) -> None:
    answer = ingress.exchange(post(path, b"{}", b"X-PagerDuty-Signature: " + value))
    assert status_of(answer) == 401


def test_signatures_in_several_lines_count_as_one_list(ingress: IngressProcess, path: str) -> None:
    body = body_of(an_event(TRIGGERED, new_id()))
    wrong = b"X-PagerDuty-Signature: v1=" + b"0" * 64
    assert status_of(ingress.exchange(post(path, body, wrong, signed(body)))) == 202


def odd_bodies() -> dict[str, bytes]:
    odd_text = an_event(TRIGGERED, new_id(), title="\x00 \ud800 \udfff", urgency="\x00")
    return {
        "NUL and lone surrogates": body_of(odd_text),
        "deep nesting": b"[" * 100_000 + b"]" * 100_000,
        "deep nesting within an event": b'{"event":{"id":"01DEEP","event_type":"incident.annotated","data":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
        "an integer of 5000 digits": b'{"event":{"id":"01BIG","event_type":"x","data":' + b"9" * 5000 + b"}}",
        "not a number": b'{"event":{"id":"01NAN","event_type":"x","data":NaN,"n":-Infinity}}',
        "invalid UTF-8": b'{"event":{"id":"\xff"}}',
        "UTF-16": '{"event":{"id":"01UTF","event_type":"x"}}'.encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + b'{"event":{"id":"01BOM","event_type":"x"}}',
        "nothing": b"",
        "nul bytes": b"\x00" * 1000,
    }


@pytest.mark.parametrize("name", odd_bodies())
def test_odd_json_is_202_when_it_is_signed_and_401_when_not(
    ingress: IngressProcess, path: str, name: str
) -> None:
    body = odd_bodies()[name]
    assert status_of(ingress.exchange(post(path, body))) == 401
    assert status_of(ingress.exchange(post(path, body, signed(body)))) == 202
    assert len(kept_of(ingress, path)) == 1


def test_a_slash_at_the_end_is_never_a_redirect(ingress: IngressProcess, path: str) -> None:
    body = body_of(an_event(TRIGGERED, new_id()))
    answer = ingress.exchange(post(f"{path}/", body, signed(body)))
    assert status_of(answer) == 404
    assert b"location:" not in answer.lower()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_another_method_is_405(ingress: IngressProcess, path: str, method: str) -> None:
    answer = ingress.exchange(post(path, b"{}").replace(b"POST", method.encode(), 1))
    assert status_of(answer) == 405


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /webhooks/pagerduty/x HTTP/9.9\r\n\r\n",
        b"POST /webhooks/pagerduty/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST http://[::1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /%00%ff%C0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/issues?" + b"a" * 200_000,
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
        b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ],
)
def test_garbage_is_refused_or_closed_and_the_server_lives(ingress: IngressProcess, garbage: bytes) -> None:
    assert status_of(ingress.exchange(garbage, whole=False)) in {0, 200, 400, 404, 405, 431}
    assert ingress.is_well()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_of_chance_make_a_5xx_or_a_redirect(ingress: IngressProcess, garbage: bytes) -> None:
    assert status_of(ingress.exchange(garbage, whole=False)) in {0, *range(400, 500)}


HEADER = st.binary(max_size=60).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=600), signature=HEADER, delivery=HEADER, kind=HEADER)
def test_no_signed_bytes_of_chance_are_refused(
    ingress: IngressProcess, body: bytes, signature: bytes, delivery: bytes, kind: bytes
) -> None:
    path = f"/webhooks/pagerduty/{make_webhook(ingress.database, ingress.keyring)}"
    odd = [b"X-Webhook-Id: " + delivery.replace(b"\x00", b""), b"Content-Type: " + kind.replace(b"\x00", b"")]
    good = ingress.exchange(post(path, body, signed(body)))
    assert (status_of(good), json.loads(good.rsplit(b"\r\n\r\n", 1)[1])["verdict"]) == (202, "dead_letter")
    assert status_of(ingress.exchange(post(path, body, *odd, signed(body)))) in {202, 400}
    forged = ingress.exchange(post(path, body, b"X-PagerDuty-Signature: " + signature))
    assert status_of(forged) in {400, 401}


def test_what_is_under_way_at_shutdown_is_finished_and_new_ones_go_elsewhere(tmp_path: Path) -> None:
    with run_ingress(tmp_path) as ingress:
        path = f"/webhooks/pagerduty/{make_webhook(ingress.database, ingress.keyring)}"
        body = body_of(an_event(TRIGGERED, new_id()))
        request = post(path, body, signed(body))
        with ingress.connect() as wire:
            wire.sendall(request[:-10])
            # Served after the first half, on another connection: so the first half has been read.
            assert ingress.is_well()
            ingress.terminate()
            refused = set()
            while 0 not in refused:
                try:
                    refused.add(status_of(ingress.exchange(request)))
                except ConnectionRefusedError:
                    refused.add(0)
            assert refused <= {0, 202, 503}
            wire.sendall(request[-10:])
            assert status_of(receive(wire)) == 202
        assert ingress.child.wait(PROGRAM) in {0, -signal.SIGTERM}
        assert kept_of(ingress, path) == ["pending"]
