"""A bad wire: silence, resets, halves, floods, redirects; and the token in none of it."""

import asyncio
import gzip
import traceback
from collections.abc import Callable
from datetime import timedelta

import pytest
from pydantic import SecretStr

from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.pagerduty.account import Account
from calmo_pagerduty.pagerduty.client import PagerDutyClient
from calmo_pagerduty.pagerduty.errors import (
    NotUnderstood,
    PagerDutyError,
    RateLimited,
    Refused,
    ServerFault,
    Unreachable,
)
from calmo_pagerduty.pagerduty.rate_limits import RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest, Method, Plan
from calmo_pagerduty.processes import free_port
from tests.support.scripted_wire import Wire, error, scripted_wire

READ = ApiRequest(method=Method.GET, path="/incidents")
WRITE = ApiRequest(method=Method.POST, path="/incidents/P1/notes", body={"note": {"content": "private"}})
SOON = timedelta(seconds=0.1)
TOKEN = "canary-of-a-token"


def cut(wire: Wire, status: int = 200, headers: str = "") -> None:
    wire.replies.append(f"HTTP/1.1 {status} X\r\nContent-Length: 100\r\n{headers}\r\n{{".encode())


def flood(wire: Wire) -> None:
    wire.answers(200, b'{"a": "' + b"x" * 2000 + b'"}')


def packed_flood(wire: Wire) -> None:
    wire.answers(200, gzip.compress(b'{"a": "' + b"x" * 100_000 + b'"}'), {"Content-Encoding": "gzip"})


FAULTS: list[tuple[Callable[[Wire], None], type[PagerDutyError], str]] = [
    (lambda wire: wire.replies.append(None), Unreachable, "gave no answer"),
    (lambda wire: wire.replies.append(b""), Unreachable, "gave no answer"),
    (lambda wire: wire.replies.append(b"SSH-2.0\r\n\r\n"), Unreachable, "gave no answer"),
    (lambda wire: wire.replies.append(b"HTTP/1.1 200"), Unreachable, "gave no answer"),
    (cut, Unreachable, "broke off its answer"),
    (flood, NotUnderstood, "larger than 1000 bytes"),
    (packed_flood, NotUnderstood, "larger than 1000 bytes"),
    (lambda wire: wire.answers(200, b"{}", {"Content-Encoding": "gzip"}), NotUnderstood, "unpacked"),
    (lambda wire: wire.answers(200, b'{"a":'), NotUnderstood, "isn't a JSON object"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
async def test_a_fault_is_told_and_a_write_may_have_happened(
    account: Account,
    http: AsyncClient,
    wire: Wire,
    fault: Callable[[Wire], None],
    kind: type[PagerDutyError],
    words: str,
) -> None:
    client = PagerDutyClient(account, http, max_answer=1000)
    for request in (READ, WRITE):
        fault(wire)
        with pytest.raises(kind, match=words) as raised:
            await client.send(request)
        assert raised.value.may_have_happened is request.is_write
        assert ("before repeating" in raised.value.advice) is request.is_write
    assert len(wire.received) == 2  # nothing is sent again by itself


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\n{"])
async def test_silence_ends_at_the_deadline(
    account: Account, http: AsyncClient, wire: Wire, begun: bytes
) -> None:
    wire.hangs = True
    wire.replies.append(begun)
    with pytest.raises(Unreachable, match=r"within 0\.1 s") as raised:
        await PagerDutyClient(account, http, deadline=SOON).send(WRITE)
    assert raised.value.may_have_happened


async def test_where_nothing_listens_nothing_has_happened(http: AsyncClient) -> None:
    client = PagerDutyClient(Account(f"http://127.0.0.1:{free_port()}", SecretStr(TOKEN)), http)
    with pytest.raises(Unreachable, match="can't be reached") as raised:
        await client.send(WRITE)
    assert not raised.value.may_have_happened


async def test_a_refusal_is_one_by_its_status_even_if_cut(client: PagerDutyClient, wire: Wire) -> None:
    cut(wire, 429, "ratelimit-reset: 20\r\n")
    with pytest.raises(RateLimited) as limited:
        await client.send(READ)
    assert limited.value.retry_after == timedelta(seconds=20)
    cut(wire, 503)
    with pytest.raises(ServerFault):
        await client.send(READ)


async def test_a_refusal_that_its_code_would_explain_is_none_if_cut(
    client: PagerDutyClient, wire: Wire
) -> None:
    """It may have said that the incident is resolved already: by an attempt of ours."""
    cut(wire, 400)
    with pytest.raises(Unreachable, match="broke off its answer"):
        await client.send(READ)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(client: PagerDutyClient, wire: Wire, status: int) -> None:
    async with scripted_wire() as other:
        wire.answers(status, None, {"Location": f"{other.url}/incidents"})
        with pytest.raises(Refused, match="never sent elsewhere"):
            await client.send(WRITE)
        assert not other.received and len(wire.received) == 1


def all_it_says(problem: BaseException) -> str:
    """Its text, its parts, its traceback, and those of whatever it drags along."""
    texts = [str(problem), repr(problem), repr(vars(problem)), *traceback.format_exception(problem)]
    for dragged in (problem.__cause__, problem.__context__):
        texts += [all_it_says(dragged)] if dragged is not None else []
    return "\n".join(texts)


async def test_the_token_is_in_no_error(account: Account, http: AsyncClient, wire: Wire) -> None:
    client = PagerDutyClient(account, http, max_answer=1000)
    echo = f"you sent Authorization: Token token={TOKEN} ({TOKEN}) for ada@example.com"
    for said in (error(echo, 2001, [echo]), {"error": [echo]}, {"error": echo}, echo.encode()):
        wire.answers(400, said, {"x-request-id": "r1"})
    for fault, _, _ in FAULTS:
        fault(wire)
    for _ in range(len(wire.replies)):
        with pytest.raises(PagerDutyError) as raised:
            await client.send(WRITE)
        words = all_it_says(raised.value)
        assert raised.value.__context__ is None or isinstance(raised.value.__context__, PagerDutyError)
        assert TOKEN not in words and "ada@example.com" not in words and "private" not in words
    assert TOKEN in wire.received[0].headers["authorization"]


async def test_a_cancelled_plan_is_closed(account: Account, http: AsyncClient) -> None:
    closed = []

    def plan() -> Plan:
        try:
            yield READ
        finally:
            closed.append(True)
        return {}

    arrived = asyncio.Event()

    class Permits:
        async def acquire(self, request: ApiRequest) -> None:
            arrived.set()
            await asyncio.Event().wait()

        async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None: ...

    running = asyncio.create_task(PagerDutyClient(account, http, Permits()).run(plan()))
    await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert closed == [True]
