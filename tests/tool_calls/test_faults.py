"""PagerDuty fails three times in ten, also after it did what was asked: nothing is doubled or lost."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.pagerduty import retries
from pagerduty_simulator.rest.faults import Faults
from tests.support.chance import repeatable
from tests.support.patience import STORY
from tests.support.system import Json, System
from tests.support.tool_callers import until_state
from tests.support.watched_pauses import WatchedPauses

KINDS = ("429", "500", "timeout", "timeout_after", "cut")
LANES = 24


async def write_through_faults(service: System, writes: int, seed: int) -> None:
    """Make notes, resolutions, incidents and overrides; each must be there exactly once at the end."""
    service.database.write_blocking(
        lambda t: connections.update_connection(t, service.connection_id, requests_per_minute=600_000)
    )
    incidents = [service.an_incident(f"Before {number}") for number in range(10)]
    place = next(iter(service.site.account.services))
    service.site.faults = Faults(rate=0.3, kinds=KINDS, seed=seed, hang_seconds=0.05, reset_seconds=1)
    chance = repeatable(seed)
    orders: list[Json] = []
    for number in range(writes):
        if chance.random() < 0.2:
            orders.append({"tool": "create_incident", "title": f"Made {number}", "service_id": place})
        else:
            incident = chance.choice(incidents)
            orders.append(
                {"tool": "add_incident_note", "incident_id": incident, "content": f"note {number}."}
            )
    left = iter(enumerate(orders))

    async def lane() -> None:
        for number, order in left:
            answer = await service.call(idempotency_key=f"{seed}-{number}", wait_seconds=60, **order)
            call = answer.json()
            if call["state"] == "running":
                call = await until_state(service, call["call_id"], "done", within=STORY)
            assert call["state"] == "done", call

    await asyncio.gather(*(lane() for _ in range(LANES)))
    service.site.faults = Faults()
    assert wrong_counts(service, orders) == {}


def wrong_counts(service: System, orders: list[Json]) -> dict[str, int]:
    """Return what isn't on PagerDuty's side exactly once, with how often it is."""
    there: Counter[str] = Counter()
    for incident in service.site.account.incidents.values():
        there[incident.title] += 1
        for note in incident.notes:
            there[note.content.split(".")[0] + "."] += 1
    expected = [order.get("title") or order["content"] for order in orders]
    return {text: there[text] for text in expected if there[text] != 1}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call in some hundreds fails nine times in a row, for which it would wait three minutes."""
    monkeypatch.setattr(retries, "FIRST_WAIT", timedelta(milliseconds=50))


@pytest.mark.usefixtures("hurried")
async def test_nothing_is_doubled_and_nothing_lost(service: System) -> None:
    await write_through_faults(service, writes=60, seed=7)


@pytest.mark.torture
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_doubled_and_nothing_lost_in_a_long_run(service: System, seed: int) -> None:
    await write_through_faults(service, writes=2000, seed=seed)


async def test_an_answer_that_was_cut_off_is_looked_for_and_not_repeated(service: System) -> None:
    incident = service.an_incident()
    service.site.faults.fail_next("cut", operation="createIncidentNote")
    answer = await service.call("add_incident_note", incident_id=incident, content="Once.")
    assert answer.json()["state"] == "done", answer.text
    assert answer.json()["attempts"] == 2
    assert len(service.site.account.incident(incident).notes) == 1


async def test_a_limit_is_waited_for_and_never_pressed(
    service: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = WatchedPauses(monkeypatch)
    service.an_incident()
    service.site.faults.fail_next("429", times=1)
    results = await asyncio.gather(*(service.call("list_services", wait_seconds=60) for _ in range(20)))
    assert {answer.json()["state"] for answer in results} == {"done"}
    assert (watched.heard, watched.pressed) == (1, 0)


async def test_what_is_refused_after_an_attempt_that_may_have_done_it_is_unknown(
    service: System,
) -> None:
    """The note is there, its answer was lost, and then the token is taken away."""
    incident = service.an_incident()
    service.site.faults = Faults(hang_seconds=0.05)
    service.site.faults.fail_next("cut", operation="createIncidentNote")
    service.site.faults.fail_next("access_denied", operation="listIncidentNotes")
    call = (await service.call("add_incident_note", incident_id=incident, content="Once.")).json()
    assert (call["state"], call["attempts"]) == ("unknown", 2)
    assert call["error"]["type"] == "AccessDenied"
    assert call["error"]["message"].endswith("look in PagerDuty whether it was done")
    assert len(service.site.account.incident(incident).notes) == 1


async def test_an_attempt_that_was_turned_away_leaves_no_doubt(service: System) -> None:
    """It was over the limit, so nothing was done: the next attempt need not look for it first."""
    incident = service.an_incident()
    service.site.faults.fail_next("429", operation="createIncidentNote")
    service.site.faults.fail_next("access_denied", operation="createIncidentNote")
    call = (await service.call("add_incident_note", incident_id=incident, content="Once.")).json()
    assert (call["state"], call["attempts"]) == ("failed", 2)
    assert "listIncidentNotes" not in [request.operation for request in service.site.requests]
