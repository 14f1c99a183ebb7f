"""The client of our own REST API: what it makes of answers and of streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from calmo_pagerduty.clients.requests import ApiProblem, ServerSentEvent
from calmo_pagerduty.clients.rest import ApiClient
from pagerduty_simulator.rest.serving import running_server

#: No line ends at these for a server-sent event, whatever Python's `splitlines` says.
NO_LINE_ENDS = "\u2028\u2029\x85"
STREAM = (
    ": ping\n\n"
    f'id: 7\r\nevent: issue\r\ndata: {{"title": "a{NO_LINE_ENDS}b"}}\r\n\r\n'
    ': ping\n\nid: 8\nevent: issue\ndata: {"title":\ndata: "c"}\n\n'
)


async def stream(request: Request) -> Response:
    if request.headers.get("last-event-id") == "9":
        return JSONResponse({"error": {"status": 403, "message": "no"}}, 403)
    return Response(STREAM.encode(), media_type="text/event-stream")


async def echo(request: Request) -> Response:
    return JSONResponse(dict(request.query_params))


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    app = Starlette(routes=[Route("/api/issues/events", stream), Route("/api/echo", echo)])
    async with running_server(app, "127.0.0.1", 0) as url:
        with closing(ApiClient(url, "calmo_key")) as found:
            yield found


async def test_a_stream_is_read_event_by_event_whatever_stands_in_it(client: ApiClient) -> None:
    found = await asyncio.to_thread(lambda: [event for event in client.changes() if event is not None])
    assert found == [
        ServerSentEvent(7, {"title": f"a{NO_LINE_ENDS}b"}, "issue"),
        ServerSentEvent(8, {"title": "c"}, "issue"),
    ]


async def test_a_stream_says_first_that_it_is_open(client: ApiClient) -> None:
    assert (await asyncio.to_thread(lambda: list(client.changes())))[0] is None


async def test_a_path_keeps_its_own_query(client: ApiClient) -> None:
    """As that of a link has, which says whose progress is meant."""
    asked = await asyncio.to_thread(lambda: client.get("/api/echo?version=1&incident=Q1"))
    assert asked == {"version": "1", "incident": "Q1"}


async def test_a_stream_that_is_refused_is_a_problem_with_its_status(client: ApiClient) -> None:
    with pytest.raises(ApiProblem, match="the service answered 403: no") as refused:
        await asyncio.to_thread(lambda: list(client.changes(after=9)))
    assert refused.value.status == 403
