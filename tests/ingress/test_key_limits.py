"""What an API key may have under way at once."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from sse_starlette import ServerSentEvent
from starlette.requests import Request

from calmo_pagerduty.db.database import Database
from calmo_pagerduty.db.encryption import Keyring
from ingress.api import key_limits
from ingress.api.endpoints import Endpoint
from ingress.api.errors import TooMuchAtOnce
from ingress.api.key_limits import KeyLimit, LiveResponse
from ingress.tools.models import VerificationModel, VerificationQuery
from tests.support.doors import make_key, open_doorway

_ANY_REQUEST = Request({"type": "http", "headers": []})


async def test_a_key_with_too_many_requests_under_way_is_told_so(
    database: Database, keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(database, ["issues:read"])
    async with open_doorway(database, keyring, tmp_path) as doorway:
        assert (await doorway.client.get("/api/issues", headers=key)).status_code == 200
        monkeypatch.setattr(key_limits.REQUESTS, "at_most", 0)
        refused = await doorway.client.get("/api/issues", headers=key)
        assert refused.status_code == 429
        assert "requests under way" in refused.json()["error"]["message"]


async def test_a_key_has_so_many_streams_until_it_ends_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_limits, "STREAMS", KeyLimit(1, "live streams"))
    first, first_status = _open_stream("key_1")
    assert await first_status == 200
    for key_id, status in (("key_1", 429), ("key_2", 200)):
        task, answered = _open_stream(key_id)
        assert await answered == status
        await _end(task)
    await _end(first)
    again, again_status = _open_stream("key_1")
    assert await again_status == 200
    await _end(again)


async def test_the_audit_is_verified_for_one_caller_at_a_time(
    database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    async with open_doorway(database, keyring, tmp_path) as doorway:
        rows = {row.path: row for row in doorway.ingress.tools.endpoints()}
        verification = rows["/api/audit/verification"]
        assert isinstance(verification, Endpoint)
        ask: Any = (_ANY_REQUEST, None, VerificationQuery())
        first, second = await asyncio.gather(
            verification.handler(*ask), verification.handler(*ask), return_exceptions=True
        )
        assert isinstance(second, TooMuchAtOnce)
        assert isinstance(first, VerificationModel) and first.whole
        again = await verification.handler(*ask)
        assert isinstance(again, VerificationModel) and again.whole


def _open_stream(key_id: str) -> tuple["asyncio.Task[None]", "asyncio.Future[int]"]:
    """Return the running stream, and the status that it will answer."""
    status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def events() -> AsyncIterator[ServerSentEvent]:
        await asyncio.Event().wait()
        yield ServerSentEvent(data="never")

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nobody disconnects")

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.set_result(message["status"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    return asyncio.create_task(LiveResponse(key_id, events(), 3600)(scope, receive, send)), status


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
