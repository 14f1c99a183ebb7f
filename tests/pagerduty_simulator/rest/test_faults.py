"""Failures on purpose."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pagerduty_simulator.rest.answers import ERRORS
from pagerduty_simulator.rest.faults import Faults
from tests.pagerduty_simulator.rest.published_schema import folder
from tests.support.rest_account import Api


async def note(api: Api, incident_id: str) -> httpx.Response:
    return await api.send("POST", f"/incidents/{incident_id}/notes", {"note": {"content": "Hello"}})


def notes_of(api: Api, incident_id: str) -> int:
    return len(api.site.account.incident(incident_id).notes)


@pytest.mark.parametrize(
    ("kind", "took_effect"), [("timeout", False), ("timeout_after", True), ("cut", True)]
)
async def test_a_broken_answer_says_nothing_of_whether_the_write_took_effect(
    api: Api, kind: str | int, took_effect: bool
) -> None:
    made = await api.incident()
    api.site.faults.hang_seconds = 0.01
    api.site.faults.fail_next(kind)
    with pytest.raises(httpx.RemoteProtocolError):
        await note(api, made["id"])
    assert notes_of(api, made["id"]) == int(took_effect)
    assert api.site.requests[-1].fault == kind
    assert (await note(api, made["id"])).status_code == 200


async def test_a_client_s_own_deadline_may_come_first(api: Api) -> None:
    api.site.faults.hang_seconds = 5
    api.site.faults.fail_next("timeout")
    with pytest.raises(httpx.ReadTimeout):
        await api.send("GET", "/users", timeout=0.05)


@pytest.mark.parametrize(
    ("kind", "status"), [(429, 429), (500, 500), ("503", 503), ("html_error", 502), ("empty_429", 429)]
)
async def test_an_error_answer_comes_instead_of_the_effect(api: Api, kind: str | int, status: int) -> None:
    made = await api.incident()
    api.site.faults.fail_next(kind, times=2)
    assert [(await note(api, made["id"])).status_code for _ in range(3)] == [status, status, 200]
    assert notes_of(api, made["id"]) == 1


async def test_an_empty_429_has_no_headers_of_the_limit(api: Api) -> None:
    api.site.faults.fail_next("empty_429")
    response = await api.send("GET", "/users")
    assert response.content == b""
    assert not any("ratelimit" in name for name in response.headers)
    api.site.faults.fail_next(429)
    assert (await api.send("GET", "/users")).headers["ratelimit-reset"] == "1"


async def test_a_fault_may_wait_for_its_operation_or_for_a_write(api: Api) -> None:
    api.site.faults.fail_next(500, operation="listServices")
    assert (await api.send("GET", "/users")).status_code == 200
    assert (await api.send("GET", "/services")).status_code == 500
    api.site.faults.fail_next(500, only_writes=True)
    assert (await api.send("GET", "/users")).status_code == 200
    assert (await api.send("POST", "/incidents", {})).status_code == 500


def kinds_of(faults: Faults) -> list[str | None]:
    return [faults.next_kind("listUsers", writes=index % 2 == 0) for index in range(400)]


def test_the_same_seed_fails_the_same_requests() -> None:
    first, again, other = (kinds_of(Faults(rate=0.3, kinds=(429, 500), seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    failed = [kind for kind in first if kind is not None]
    assert set(failed) == {"rate_limited", "internal_error"}
    assert 80 < len(failed) < 160


def test_only_writes_fail_when_that_is_asked() -> None:
    assert set(kinds_of(Faults(rate=1.0, kinds=(500,), only_writes=True))[1::2]) == {None}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no such fault"):
        Faults(kinds=("sunshine",))


@pytest.mark.parametrize("name", ERRORS)
async def test_every_known_error_can_be_produced(api: Api, name: str) -> None:
    api.site.faults.fail_next(name)
    response = await api.send("GET", "/users")
    assert response.status_code == ERRORS[name].status
    if ERRORS[name].body is not None:
        assert response.json() == ERRORS[name].body


def shape(status: int, body: Any) -> tuple[int, int | None, str, str]:
    """Say what a client can tell errors apart by: status, code, and the form of what is inside."""
    error = body.get("error") if isinstance(body, dict) else None
    inner = error if isinstance(error, dict) else {}
    return status, inner.get("code"), type(error).__name__, type(inner.get("errors")).__name__


def test_every_published_or_seen_error_has_one_of_the_same_shape_here() -> None:
    rows = json.loads(Path(folder() / "rest-examples/_errors.json").read_text())
    ours = {shape(answer.status, answer.body) for answer in ERRORS.values()}
    missing = [row["name"] for row in rows if shape(row["status"], row.get("body")) not in ours]
    assert missing == []
