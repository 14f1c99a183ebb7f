"""Our own write's webhook is recognised, whenever and however it comes; nobody else's ever is."""

import asyncio
from datetime import timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.incidents.actions import OperationState
from calmo_pagerduty.incidents.attribution import ATTRIBUTION_TOLERANCE
from calmo_pagerduty.tool_calls.model import CallState
from ingress.tools import sweeper as tool_call_sweeper
from pagerduty_simulator.rest.faults import Faults
from tests.support.connected import TOKEN
from tests.support.eventually import eventually
from tests.support.patience import STORY
from tests.support.system import System


def writer(system: System) -> str:
    """The user whose address goes along as From."""
    return next(iter(system.account.users))


def somebody_else(system: System) -> str:
    return list(system.account.users)[-1]


async def test_a_webhook_that_comes_before_the_answer_is_heard(system: System) -> None:
    incident = await system.page()
    faults = system.site.faults = Faults(hang_seconds=STORY)
    faults.fail_next("timeout_after", operation="updateIncident")
    running = asyncio.create_task(system.act(incident, "acknowledge"))
    told = await eventually(lambda: system.told(incident), lambda found: len(found) == 2)
    assert not running.done()
    assert told[1] == "acknowledged by test via Calmo"
    assert (await system.operations(incident))[0]["outcome"] == "open"
    faults.release()
    assert (await running)["attempts"] == 2
    await system.settle()
    assert (await system.told(incident))[1:] == ["acknowledged by test via Calmo"]


@pytest.mark.each_database
async def test_a_webhook_that_comes_long_after(system: System) -> None:
    incident = await system.page()
    system.hold_webhooks()
    await system.act(incident, "acknowledge")
    await system.act(incident, "resolve", resolution="Rolled back.")
    await system.until_workflow_knows(incident, "resolved")
    handle = system.temporal.get_workflow_handle(system.ref(incident).workflow_id)
    await handle.terminate("as if it had completed since")
    before = await system.issue(incident)
    assert before["status"] == "resolved"
    await system.release_webhooks()
    after = await system.issue(incident)
    assert after["timeline"] == before["timeline"]
    assert after["status"] == "resolved"
    confirmed = [len(operation["confirmed_by"]) for operation in await system.operations(incident)]
    assert confirmed == [1, 1]


async def test_a_webhook_in_any_order_moves_the_issue_never_back(system: System) -> None:
    incident = await system.page()
    priority = next(iter(system.account.priorities))
    system.hold_webhooks()
    await system.act(incident, "acknowledge")
    await system.act(incident, "set_priority", priority_id=priority)
    await system.act(incident, "resolve")
    system.held.reverse()
    await system.release_webhooks()
    issue = await system.issue(incident)
    assert issue["status"] == "resolved"
    assert issue["priority"] is not None
    assert len(issue["timeline"]) == 4
    await system.until_workflow_knows(incident, "resolved")


@pytest.mark.each_database
async def test_an_event_of_the_log_is_an_echo_too(system: System) -> None:
    """The webhook is lost, and a comparison finds the log's entry."""
    incident = await system.page()
    system.hold_webhooks()
    await system.act(incident, "acknowledge")
    await system.act(incident, "add_note", content="Rolled back.")
    first = await system.reconcile(since=system.past.begins_at)
    assert first["failed"] == 0, first
    assert first["drift"] == {}
    told = await system.told(incident)
    assert told[1:] == ["acknowledged by test via Calmo", "note added by test via Calmo: Rolled back."]
    second = await system.reconcile(since=system.past.begins_at)
    assert (second["added"], second["differed"]) == (0, 0), second
    await system.release_webhooks()
    assert await system.told(incident) == told


async def test_what_somebody_else_does_at_the_same_time_is_told(system: System) -> None:
    incident = await system.page()
    system.hold_webhooks()
    await system.act(incident, "add_note", content="Seen.")
    system.held += system.account.annotate(incident, "Seen.", by=somebody_else(system))
    system.held += system.account.annotate(incident, "Seen.", by=writer(system))
    await system.act(incident, "acknowledge")
    system.held += system.account.unacknowledge(incident, by=writer(system))
    system.held += system.account.acknowledge(incident, by=somebody_else(system))
    system.held += system.account.resolve(incident, by=somebody_else(system))
    await system.release_webhooks()
    told = (await system.told(incident))[1:]
    assert len(told) == 7, told
    assert [summary for summary in told if "via Calmo" in summary] == [
        "note added by test via Calmo: Seen.",
        "acknowledged by test via Calmo",
    ]
    assert (await system.issue(incident))["status"] == "resolved"


async def test_what_our_user_does_by_hand_at_another_time_is_told(system: System) -> None:
    incident = await system.page()
    system.hold_webhooks()
    await system.act(incident, "acknowledge")
    me, now = writer(system), system.account.now
    system.account.now = lambda: now() + 2 * ATTRIBUTION_TOLERANCE
    system.held += system.account.unacknowledge(incident)
    system.held += system.account.acknowledge(incident, by=me)
    echo = system.held.pop(0)
    await system.release_webhooks()
    assert ["via Calmo" in summary for summary in (await system.told(incident))[1:]] == [True, False, False]
    await system.deliver([echo])
    assert len(await system.told(incident)) == 4


async def test_a_change_within_the_same_second_wins_if_it_was_later(system: System) -> None:
    incident = await system.page()
    system.hold_webhooks()
    await system.act(incident, "acknowledge")
    system.held += system.account.resolve(incident, by=somebody_else(system))
    await system.release_webhooks()
    assert (await system.issue(incident))["status"] == "resolved"
    await system.until_workflow_knows(incident, "resolved")


async def test_without_knowing_our_user_the_answer_takes_the_entry_back(system: System) -> None:
    """A token that may not look at users: PagerDuty's answer names us, and the webhook came before."""
    incident = await system.page()
    system.site.faults = Faults(hang_seconds=0.05)
    for operation in ("getCurrentUser", "listUsers"):
        system.site.faults.fail_next("access_denied", operation=operation)
    await system.act(incident, "acknowledge")
    await system.settle()
    told = (await system.told(incident))[1:]
    assert told == ["acknowledged by test via Calmo"]


async def test_a_webhook_proves_what_nobody_knew(system: System) -> None:
    """The answer never came and the call was given up; then PagerDuty's event tells that it was done."""
    incident = await system.page()
    system.hold_webhooks()
    system.site.faults = Faults(hang_seconds=0.05)
    system.site.faults.fail_next("timeout_after", operation="updateIncident")
    system.site.faults.fail_next("500", times=1000, operation="updateIncident")
    ticket = (await system.post(incident, "acknowledge", wait_seconds=1)).json()
    assert ticket["state"] == "running"
    await system.ingress.services.tool_call_repository.finish(ticket["call_id"], CallState.UNKNOWN)
    assert (await system.operations(incident))[0]["outcome"] == OperationState.UNKNOWN
    await system.release_webhooks()
    assert (await system.operations(incident))[0]["outcome"] == OperationState.DONE
    assert (await system.told(incident))[1:] == ["acknowledged by test via Calmo"]


async def test_an_action_that_temporal_forgot_is_taken_over_again(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was filed, and our service died before the workflow had it."""
    incident = await system.page()
    temporal = system.ingress.services.temporal
    connected = temporal.client
    temporal.hold(None)
    answer = await system.post(incident, "acknowledge", idempotency_key="a1")
    assert answer.status_code == 503 and "the call is stored" in answer.text
    temporal.hold(connected)
    monkeypatch.setattr(tool_call_sweeper, "OVERDUE_AFTER", timedelta())
    assert await system.ingress.tool_call_sweeper.sweep_once() == 1
    await system.until_workflow_knows(incident, "acknowledged")
    done = await system.act(incident, "acknowledge", idempotency_key="a1")
    assert done["outcome"] == "done"


async def test_what_was_so_already_is_nobodys_entry_of_ours(system: System) -> None:
    """Somebody was faster, and we had not heard of it."""
    incident = await system.page()
    system.hold_webhooks()
    system.held += system.account.acknowledge(incident, by=somebody_else(system))
    answer = await system.act(incident, "acknowledge")
    assert (answer["state"], answer["outcome"]) == ("done", "unchanged")
    await system.release_webhooks()
    told = (await system.told(incident))[1:]
    assert len(told) == 1
    assert "via Calmo" not in told[0]


async def test_a_token_of_a_user_writes_as_that_user(system: System) -> None:
    site = system.site
    owner = somebody_else(system)
    site.add_token(TOKEN, "user", user_id=owner)
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, from_address=None)
    )
    incident = await system.page()
    await system.act(incident, "acknowledge")
    await system.settle()
    issue = await system.issue(incident)
    assert [entry["summary"] for entry in issue["timeline"][1:]] == ["acknowledged by test via Calmo"]
    assert issue["timeline"][1]["actor"]["id"] == owner
