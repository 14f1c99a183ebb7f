"""One call over a real wire: what is sent, and what becomes of what comes back."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from calmo_pagerduty.http_client import AsyncClient
from calmo_pagerduty.pagerduty import client as client_module
from calmo_pagerduty.pagerduty.account import Account
from calmo_pagerduty.pagerduty.client import LARGE_ANSWER, PagerDutyClient
from calmo_pagerduty.pagerduty.errors import (
    InvalidRequest,
    NotUnderstood,
    OutcomeUnknown,
    PagerDutyError,
    RateLimited,
)
from calmo_pagerduty.pagerduty.rate_limits import RateHeaders
from calmo_pagerduty.pagerduty.requests import ApiRequest, JsonObject, ListRequest, Method, Paging, Plan
from calmo_pagerduty.pagerduty.responses import ApiResponse, parse_response
from calmo_pagerduty.pagerduty.token_kinds import TokenKind
from tests.support.scripted_wire import Wire, error

READ = ApiRequest(method=Method.GET, path="/incidents")
WRITE = ApiRequest(
    method=Method.PUT, path="/incidents/P1", body={"incident": {"title": "Tür"}}, in_the_name_of=True
)


async def test_a_read_carries_the_token_and_its_parameters_in_order(
    client: PagerDutyClient, wire: Wire
) -> None:
    wire.answers(200, {"incidents": []})
    query = (
        ("statuses[]", "triggered"),
        ("limit", "5"),
        ("statuses[]", "acknowledged"),
        ("query", "a&b=c #ü"),
    )
    assert await client.send(READ.model_copy(update={"query": query})) == {"incidents": []}
    (request,) = wire.received
    assert request.method == "GET" and request.target == (
        "/incidents?statuses%5B%5D=triggered&limit=5&statuses%5B%5D=acknowledged&query=a%26b%3Dc+%23%C3%BC"
    )
    assert request.headers["authorization"] == "Token token=canary-of-a-token"
    assert request.headers["accept"] == "application/vnd.pagerduty+json;version=2"
    assert "calmo" in request.headers["user-agent"]
    assert not {"from", "content-type", "cookie"} & set(request.headers)


async def test_a_large_answer_is_parsed_beside_the_event_loop(
    client: PagerDutyClient, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def parse(request: ApiRequest, answer: ApiResponse, secrets: Sequence[str]) -> JsonObject:
        threads.append(threading.current_thread())
        return parse_response(request, answer, secrets)

    monkeypatch.setattr(client_module, "parse_response", parse)
    for size in (10, LARGE_ANSWER):
        wire.answers(200, {"incidents": [{"title": "x" * size}]})
        answer = await client.send(READ)
        assert len(answer["incidents"][0]["title"]) == size
    assert [thread is threading.main_thread() for thread in threads] == [True, False]


async def test_a_write_is_made_in_somebodys_name(client: PagerDutyClient, wire: Wire) -> None:
    wire.answers(200, {"incident": {}})
    await client.send(WRITE)
    (request,) = wire.received
    assert request.headers["from"] == "ada@example.com"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == WRITE.body


async def test_an_account_without_an_address_sends_no_from(
    account: Account, http: AsyncClient, wire: Wire
) -> None:
    wire.answers(400, error('You must give the "From" header', 2016))
    with pytest.raises(InvalidRequest, match="set the connection's From address"):
        await PagerDutyClient(replace(account, from_address=None), http).send(WRITE)
    assert "from" not in wire.received[0].headers


async def test_a_post_without_a_body_says_its_type(client: PagerDutyClient, wire: Wire) -> None:
    wire.answers(204)
    assert await client.send(ApiRequest(method=Method.POST, path="/webhook_subscriptions/P1/ping")) == {}
    assert wire.received[0].headers["content-type"] == "application/json"


async def test_an_oauth_token_is_a_bearer(account: Account, http: AsyncClient, wire: Wire) -> None:
    wire.answers(200, {})
    await PagerDutyClient(replace(account, token_kind=TokenKind.OAUTH), http).send(READ)
    assert wire.received[0].headers["authorization"] == "Bearer canary-of-a-token"


async def test_a_base_url_may_have_a_path(account: Account, http: AsyncClient, wire: Wire) -> None:
    wire.answers(200, {})
    await PagerDutyClient(replace(account, base_url=wire.url + "/pd/"), http).send(READ)
    assert wire.received[0].target == "/pd/incidents"


async def test_a_cookie_is_not_kept(client: PagerDutyClient, wire: Wire) -> None:
    wire.answers(200, {}, {"Set-Cookie": "session=1"})
    wire.answers(200, {})
    await client.send(READ)
    await client.send(READ)
    assert "cookie" not in wire.received[1].headers


@pytest.mark.parametrize(
    "change",
    [
        {"path": "/incidents/\n"},
        {"path": "/" + "a" * 70_000},
        {"body": {"at": {1, 2}}},
        {"body": {"a": "\ud800"}},
        {"body": {"a": float("nan")}},
        {"query": (("a", "\ud800"),)},
        {"path": "/incidents/\x00"},
    ],
)
async def test_what_cant_be_sent_is_an_invalid_request(
    client: PagerDutyClient, wire: Wire, change: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequest, match="can't be sent"):
        await client.send(WRITE.model_copy(update=change))
    assert not wire.received


@pytest.mark.parametrize("path", ["@other.example/incidents", ".other.example/x", ":99/x", "x"])
async def test_no_path_leads_to_another_host(
    account: Account, http: AsyncClient, wire: Wire, path: str
) -> None:
    """Not even one that got past the request's own check."""
    for base_url in (wire.url, "https://api.pagerduty.invalid"):
        client = PagerDutyClient(replace(account, base_url=base_url), http)
        with pytest.raises(InvalidRequest, match=r"another host|can't be sent"):
            await client.send(READ.model_copy(update={"path": path}))
    assert not wire.received


async def test_the_request_id_is_kept_in_the_error(client: PagerDutyClient, wire: Wire) -> None:
    wire.answers(404, error("Not Found", 2100), {"X-Request-Id": "abc-1"})
    with pytest.raises(PagerDutyError) as raised:
        await client.send(READ)
    assert raised.value.request_id == "abc-1"


class Ledger:
    """Writes down what it is told."""

    def __init__(self, gives: bool = True, trouble: Exception | None = None) -> None:
        self.gives, self.trouble = gives, trouble
        self.told_of: list[tuple[RateHeaders, RateLimited | None]] = []

    async def acquire(self, request: ApiRequest) -> None:
        if not self.gives:
            raise RateLimited("our share is used up", retry_after=timedelta(seconds=3))

    async def record_limits(self, headers: RateHeaders, limited: RateLimited | None) -> None:
        if self.trouble:
            raise self.trouble
        self.told_of.append((headers, limited))


async def test_without_a_permit_nothing_is_sent(account: Account, http: AsyncClient, wire: Wire) -> None:
    with pytest.raises(RateLimited, match="our share"):
        await PagerDutyClient(account, http, Ledger(gives=False)).send(READ)
    assert not wire.received


async def test_every_answer_tells_the_ledger(account: Account, http: AsyncClient, wire: Wire) -> None:
    ledger = Ledger()
    client = PagerDutyClient(account, http, ledger)
    wire.answers(200, {}, {"ratelimit-limit": "960", "ratelimit-remaining": "9", "RateLimit-Reset": "30"})
    wire.answers(429, None, {"ratelimit-reset": "20"})
    await client.send(READ)
    with pytest.raises(RateLimited):
        await client.send(READ)
    (first, refused), (_, limited) = ledger.told_of
    assert first == RateHeaders(limit=960, remaining=9, reset=timedelta(seconds=30)) and refused is None
    assert limited is not None and limited.retry_after == timedelta(seconds=20)


async def test_a_ledger_in_trouble_doesnt_lose_an_answer(
    account: Account, http: AsyncClient, wire: Wire
) -> None:
    wire.answers(200, {"incident": {"id": "P1"}})
    client = PagerDutyClient(account, http, Ledger(trouble=RuntimeError("the database is away")))
    assert await client.send(WRITE) == {"incident": {"id": "P1"}}


LISTING = ListRequest(request=READ, items="incidents", paging=Paging.CLASSIC, at_most=3, page_size=2)


async def test_a_list_is_collected_and_gone_on_with(client: PagerDutyClient, wire: Wire) -> None:
    for ids, more in ((["P1", "P2"], True), (["P3"], True), (["P4"], False)):
        wire.answers(200, {"incidents": [{"id": name} for name in ids], "more": more})
    first = await client.collect(LISTING)
    assert [item["id"] for item in first.items] == ["P1", "P2", "P3"]
    rest = await client.collect(LISTING.model_copy(update={"after": first.next}))
    assert [item["id"] for item in rest.items] == ["P4"] and rest.next is None
    assert [request.target for request in wire.received] == [
        "/incidents?limit=2&offset=0",
        "/incidents?limit=1&offset=2",
        "/incidents?limit=2&offset=3",
    ]


async def test_a_plan_is_answered_and_its_errors_are_thrown_into_it(
    client: PagerDutyClient, wire: Wire
) -> None:
    def plan() -> Plan:
        listed = yield LISTING
        try:
            yield WRITE
        except PagerDutyError as refused:
            again = yield READ
            return {"listed": len(listed.items), "code": refused.code, **again}
        return {}

    wire.answers(200, {"incidents": [{"id": "P1"}], "more": False})
    wire.answers(400, error("Changed", 1005))
    wire.answers(200, {"a": 1})
    assert await client.run(plan()) == {"listed": 1, "code": 1005, "a": 1}


async def test_what_a_plan_lets_through_is_raised(client: PagerDutyClient, wire: Wire) -> None:
    def plan() -> Plan:
        yield READ
        return {}

    wire.answers(404)
    with pytest.raises(PagerDutyError):
        await client.run(plan())


def turned_away_later() -> Plan:
    yield WRITE
    yield READ
    return {}


def not_understood_at_once() -> Plan:
    yield READ
    raise NotUnderstood("nothing to go on with")


def written_and_looked_up_in_vain() -> Plan:
    yield WRITE
    raise OutcomeUnknown("look yourself")


def refused_inside_a_success() -> Plan:
    yield WRITE
    refusal = InvalidRequest("none of it was taken")
    refusal.changed_nothing = True
    raise refusal


@pytest.mark.parametrize(
    ("plan", "statuses", "in_doubt"),
    [
        (turned_away_later, (200, 404), True),
        (turned_away_later, (404,), False),
        (turned_away_later, (500,), True),
        (not_understood_at_once, (200,), False),
        (written_and_looked_up_in_vain, (200,), True),
        (refused_inside_a_success, (200,), False),
    ],
)
async def test_an_error_tells_whether_anything_was_written_on_the_way(
    client: PagerDutyClient, wire: Wire, plan: Callable[[], Plan], statuses: Sequence[int], in_doubt: bool
) -> None:
    for status in statuses:
        wire.answers(status, {})
    with pytest.raises(PagerDutyError) as raised:
        await client.run(plan())
    assert raised.value.may_have_happened is in_doubt
