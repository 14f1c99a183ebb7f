"""Requests for cover: asked after a rough night, answered once, by the person or a manager."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.access.permissions import FINDINGS_READ, FINDINGS_WRITE, TOOLS_READ, TOOLS_WRITE
from calmo_pagerduty.workload.cover_requests import CoverAnswer, CoverRefused, CoverState, answered
from tests.support.cover import cover_request
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.rough_night import begin_rough_night, requests, rough_snapshot
from tests.support.snapshots import store_snapshot_of
from tests.support.system import System, running_system
from workflows.rough_night import RoughNightEnd

NOW = datetime(2026, 10, 8, 8, 0, tzinfo=UTC)
OWN = (FINDINGS_READ, FINDINGS_WRITE, TOOLS_READ, TOOLS_WRITE)


def test_one_acceptance_closes_a_request() -> None:
    accepted = answered(cover_request("con", NOW), CoverAnswer.ACCEPT, "U3", "kim", NOW)
    assert (accepted.state, accepted.covering_user_id) == (CoverState.ACCEPTED, "U3")
    with pytest.raises(CoverRefused, match="already"):
        answered(accepted, CoverAnswer.ACCEPT, "U2", "ada", NOW)


def test_after_a_refusal_the_next_is_asked_and_after_the_last_it_ends() -> None:
    first = answered(cover_request("con", NOW), CoverAnswer.DECLINE, "U2", "u2", NOW)
    assert (first.state, first.asked) == (CoverState.OPEN, ("U2", "U3"))
    assert answered(first, CoverAnswer.DECLINE, "U3", "u3", NOW).state is CoverState.DECLINED


def test_silence_asks_the_next_and_leaves_the_first_free_to_accept() -> None:
    silent = answered(cover_request("con", NOW), CoverAnswer.ASK_NEXT, None, "us", NOW)
    assert silent.asked == ("U2", "U3")
    assert answered(silent, CoverAnswer.ACCEPT, "U2", "u2", NOW).state is CoverState.ACCEPTED


def test_who_is_not_eligible_cannot_accept_and_nobody_can_once_it_expired() -> None:
    with pytest.raises(CoverRefused, match="eligible"):
        answered(cover_request("con", NOW), CoverAnswer.ACCEPT, "U7", "u7", NOW)
    with pytest.raises(CoverRefused, match="expired"):
        answered(cover_request("con", NOW), CoverAnswer.ACCEPT, "U2", "u2", NOW + timedelta(hours=7))


async def test_the_morning_after_a_rough_night_the_least_loaded_is_asked_and_accepts(parts: Parts) -> None:
    async with running_system(parts) as service:
        workflow_id = await begin_rough_night(service)
        (asked,) = await eventually(lambda: requests(service), lambda found: len(found) == 1)
        assert asked["reason"] == "rough_night"
        assert asked["evidence"]["interruptions"] == 2
        assert len(asked["asked"]) == 1
        chosen = asked["asked"][0]["id"]
        path = f"/api/cover-requests/{asked['id']}/answer"
        stranger = service.a_key(*OWN, person="U8")
        assert (await service.http.post(path, json={"answer": "accept"}, headers=stranger)).status_code == 404
        other = service.a_key(*OWN, person=next(key for key in ("U2", "U3", "U4") if key != chosen))
        for_another = {"answer": "accept", "user_id": chosen}
        assert (await service.http.post(path, json=for_another, headers=other)).status_code == 403
        mine = service.a_key(*OWN, person=chosen)
        answer = await service.http.post(path, json={"answer": "accept"}, headers=mine)
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "accepted"
        assert answer.json()["covering"]["id"] == chosen
        call = await service.get(f"/api/tool-calls/{answer.json()['call_id']}")
        assert call["tool"] == "create_schedule_override"
        assert call["arguments"]["user_id"] == chosen
        again = await service.http.post(path, json={"answer": "accept"}, headers=mine)
        assert again.status_code == 409
        handle = service.ingress.services.temporal.client.get_workflow_handle(
            workflow_id, result_type=RoughNightEnd
        )
        assert await handle.result() == RoughNightEnd(state=CoverState.ACCEPTED, asked=1)


async def test_without_an_answer_the_request_expires_and_nothing_was_edited(parts: Parts) -> None:
    async with running_system(parts) as service:
        workflow_id = await begin_rough_night(service, covers=timedelta(seconds=5))
        handle = service.ingress.services.temporal.client.get_workflow_handle(
            workflow_id, result_type=RoughNightEnd
        )
        end = await handle.result()
        assert end.state is CoverState.EXPIRED
        (request,) = await requests(service)
        assert request["state"] == "expired"
        assert request["call_id"] is None
        assert (await service.get("/api/tool-calls"))["calls"] == []


@pytest.fixture
async def asked_service(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, working=False) as service:
        now = datetime.now(UTC)
        store_snapshot_of(service.database, rough_snapshot(service.connection_id, now))
        yield service


async def test_a_person_asks_for_oneself_and_a_manager_for_others(asked_service: System) -> None:
    service, now = asked_service, datetime.now(UTC)
    path = f"/api/connections/{service.connection_id}"
    span = {
        "schedule": "S1",
        "user": "U1",
        "since": (now + timedelta(hours=2)).isoformat(),
        "until": (now + timedelta(hours=6)).isoformat(),
    }
    suggestion = await service.http.get(
        f"{path}/cover", params=span, headers=service.a_key(*OWN, person="U8")
    )
    assert {row["id"] for row in suggestion.json()["candidates"]} == {"U2", "U3", "U4"}
    assert {row["load_hours"] for row in suggestion.json()["candidates"]} == {None}
    statuses = {
        who: (
            await service.http.post(
                f"{path}/cover-requests", json=span, headers=service.a_key(*OWN, person=who)
            )
        ).status_code
        for who in ("U1", "U9", "U2")
    }
    assert statuses == {"U1": 201, "U9": 201, "U2": 403}
    assert len(await requests(service, headers=service.a_key(*OWN, person="U3"))) == 2
    assert await requests(service, headers=service.a_key(*OWN, person="U8")) == []


async def test_an_acceptance_without_the_right_to_write_is_refused_and_leaves_the_request_open(
    asked_service: System,
) -> None:
    service, now = asked_service, datetime.now(UTC)
    span = {
        "schedule": "S1",
        "user": "U1",
        "since": (now + timedelta(hours=2)).isoformat(),
        "until": (now + timedelta(hours=6)).isoformat(),
    }
    path = f"/api/connections/{service.connection_id}/cover-requests"
    made = await service.http.post(path, json=span, headers=service.a_key(*OWN, person="U1"))
    weak = service.a_key(FINDINGS_READ, FINDINGS_WRITE, person="U2")
    answer = f"/api/cover-requests/{made.json()['id']}/answer"
    assert (await service.http.post(answer, json={"answer": "accept"}, headers=weak)).status_code == 403
    assert [row["state"] for row in await requests(service)] == ["open"]
    withdrawn = await service.http.post(
        answer, json={"answer": "withdraw"}, headers=service.a_key(*OWN, person="U1")
    )
    assert withdrawn.json()["state"] == "withdrawn"
