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
from tests.support.acting_service import Acting
from tests.support.eventually import eventually
from tests.support.patience import STORY
from tests.support.tool_service import TOKEN


def writer(acting: Acting) -> str:
    """The user whose address goes along as From."""
    return next(iter(acting.account.users))


def somebody_else(acting: Acting) -> str:
    return list(acting.account.users)[-1]


async def test_a_webhook_that_comes_before_the_answer_is_heard(acting: Acting) -> None:
    incident = await acting.an_issue()
    faults = acting.service.site.faults = Faults(hang_seconds=STORY)
    faults.fail_next("timeout_after", operation="updateIncident")
    running = asyncio.create_task(acting.act(incident, "acknowledge"))
    told = await eventually(lambda: acting.told(incident), lambda found: len(found) == 2)
    assert not running.done()
    assert told[1] == "acknowledged by test via Calmo"
    assert (await acting.operations(incident))[0]["outcome"] == "open"
    faults.release()
    assert (await running)["attempts"] == 2
    await acting.settled()
    assert (await acting.told(incident))[1:] == ["acknowledged by test via Calmo"]


@pytest.mark.each_database
async def test_a_webhook_that_comes_long_after(acting: Acting) -> None:
    incident = await acting.an_issue()
    acting.hold_webhooks()
    await acting.act(incident, "acknowledge")
    await acting.act(incident, "resolve", resolution="Rolled back.")
    await acting.until_workflow_knows(incident, "resolved")
    handle = acting.healed.temporal.get_workflow_handle(acting.ref(incident).workflow_id)
    await handle.terminate("as if it had completed since")
    before = await acting.issue(incident)
    assert before["status"] == "resolved"
    await acting.release_webhooks()
    after = await acting.issue(incident)
    assert after["timeline"] == before["timeline"]
    assert after["status"] == "resolved"
    confirmed = [len(operation["confirmed_by"]) for operation in await acting.operations(incident)]
    assert confirmed == [1, 1]


async def test_a_webhook_in_any_order_moves_the_issue_never_back(acting: Acting) -> None:
    incident = await acting.an_issue()
    priority = next(iter(acting.account.priorities))
    acting.hold_webhooks()
    await acting.act(incident, "acknowledge")
    await acting.act(incident, "set_priority", priority_id=priority)
    await acting.act(incident, "resolve")
    acting.held.reverse()
    await acting.release_webhooks()
    issue = await acting.issue(incident)
    assert issue["status"] == "resolved"
    assert issue["priority"] is not None
    assert len(issue["timeline"]) == 4
    await acting.until_workflow_knows(incident, "resolved")


@pytest.mark.each_database
async def test_an_event_of_the_log_is_an_echo_too(acting: Acting) -> None:
    """The webhook is lost, and a comparison finds the log's entry."""
    incident = await acting.an_issue()
    acting.hold_webhooks()
    await acting.act(incident, "acknowledge")
    await acting.act(incident, "add_note", content="Rolled back.")
    first = await acting.healed.reconcile(since=acting.healed.past.begins_at)
    assert first["failed"] == 0, first
    assert first["drift"] == {}
    told = await acting.told(incident)
    assert told[1:] == ["acknowledged by test via Calmo", "note added by test via Calmo: Rolled back."]
    second = await acting.healed.reconcile(since=acting.healed.past.begins_at)
    assert (second["added"], second["differed"]) == (0, 0), second
    await acting.release_webhooks()
    assert await acting.told(incident) == told


async def test_what_somebody_else_does_at_the_same_time_is_told(acting: Acting) -> None:
    incident = await acting.an_issue()
    acting.hold_webhooks()
    await acting.act(incident, "add_note", content="Seen.")
    acting.held += acting.account.annotate(incident, "Seen.", by=somebody_else(acting))
    acting.held += acting.account.annotate(incident, "Seen.", by=writer(acting))
    await acting.act(incident, "acknowledge")
    acting.held += acting.account.unacknowledge(incident, by=writer(acting))
    acting.held += acting.account.acknowledge(incident, by=somebody_else(acting))
    acting.held += acting.account.resolve(incident, by=somebody_else(acting))
    await acting.release_webhooks()
    told = (await acting.told(incident))[1:]
    assert len(told) == 7, told
    assert [summary for summary in told if "via Calmo" in summary] == [
        "note added by test via Calmo: Seen.",
        "acknowledged by test via Calmo",
    ]
    assert (await acting.issue(incident))["status"] == "resolved"


async def test_what_our_user_does_by_hand_at_another_time_is_told(acting: Acting) -> None:
    incident = await acting.an_issue()
    acting.hold_webhooks()
    await acting.act(incident, "acknowledge")
    me, now = writer(acting), acting.account.now
    acting.account.now = lambda: now() + 2 * ATTRIBUTION_TOLERANCE
    acting.held += acting.account.unacknowledge(incident)
    acting.held += acting.account.acknowledge(incident, by=me)
    echo = acting.held.pop(0)
    await acting.release_webhooks()
    assert ["via Calmo" in summary for summary in (await acting.told(incident))[1:]] == [True, False, False]
    await acting.healed.deliver([echo])
    assert len(await acting.told(incident)) == 4


async def test_a_change_within_the_same_second_wins_if_it_was_later(acting: Acting) -> None:
    incident = await acting.an_issue()
    acting.hold_webhooks()
    await acting.act(incident, "acknowledge")
    acting.held += acting.account.resolve(incident, by=somebody_else(acting))
    await acting.release_webhooks()
    assert (await acting.issue(incident))["status"] == "resolved"
    await acting.until_workflow_knows(incident, "resolved")


async def test_without_knowing_our_user_the_answer_takes_the_entry_back(acting: Acting) -> None:
    """A token that may not look at users: PagerDuty's answer names us, and the webhook came before."""
    incident = await acting.an_issue()
    acting.service.site.faults = Faults(hang_seconds=0.05)
    for operation in ("getCurrentUser", "listUsers"):
        acting.service.site.faults.fail_next("access_denied", operation=operation)
    await acting.act(incident, "acknowledge")
    await acting.settled()
    told = (await acting.told(incident))[1:]
    assert told == ["acknowledged by test via Calmo"]


async def test_a_webhook_proves_what_nobody_knew(acting: Acting) -> None:
    """The answer never came and the call was given up; then PagerDuty's event tells that it was done."""
    incident = await acting.an_issue()
    acting.hold_webhooks()
    acting.service.site.faults = Faults(hang_seconds=0.05)
    acting.service.site.faults.fail_next("timeout_after", operation="updateIncident")
    acting.service.site.faults.fail_next("500", times=1000, operation="updateIncident")
    ticket = (await acting.post(incident, "acknowledge", wait_seconds=1)).json()
    assert ticket["state"] == "running"
    await acting.service.ingress.services.tool_call_repository.finish(ticket["call_id"], CallState.UNKNOWN)
    assert (await acting.operations(incident))[0]["outcome"] == OperationState.UNKNOWN
    await acting.release_webhooks()
    assert (await acting.operations(incident))[0]["outcome"] == OperationState.DONE
    assert (await acting.told(incident))[1:] == ["acknowledged by test via Calmo"]


async def test_an_action_that_temporal_forgot_is_taken_over_again(
    acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was filed, and our service died before the workflow had it."""
    incident = await acting.an_issue()
    temporal = acting.service.ingress.services.temporal
    connected = temporal.client
    temporal.hold(None)
    answer = await acting.post(incident, "acknowledge", idempotency_key="a1")
    assert answer.status_code == 503 and "the call is stored" in answer.text
    temporal.hold(connected)
    monkeypatch.setattr(tool_call_sweeper, "OVERDUE_AFTER", timedelta())
    assert await acting.service.ingress.tool_call_sweeper.sweep_once() == 1
    await acting.until_workflow_knows(incident, "acknowledged")
    done = await acting.act(incident, "acknowledge", idempotency_key="a1")
    assert done["outcome"] == "done"


async def test_what_was_so_already_is_nobodys_entry_of_ours(acting: Acting) -> None:
    """Somebody was faster, and we had not heard of it."""
    incident = await acting.an_issue()
    acting.hold_webhooks()
    acting.held += acting.account.acknowledge(incident, by=somebody_else(acting))
    answer = await acting.act(incident, "acknowledge")
    assert (answer["state"], answer["outcome"]) == ("done", "unchanged")
    await acting.release_webhooks()
    told = (await acting.told(incident))[1:]
    assert len(told) == 1
    assert "via Calmo" not in told[0]


async def test_a_token_of_a_user_writes_as_that_user(acting: Acting) -> None:
    site = acting.service.site
    owner = somebody_else(acting)
    site.add_token(TOKEN, "user", user_id=owner)
    acting.database.write_blocking(
        lambda t: connections.update_connection(t, acting.healed.connection_id, from_address=None)
    )
    incident = await acting.an_issue()
    await acting.act(incident, "acknowledge")
    await acting.settled()
    issue = await acting.issue(incident)
    assert [entry["summary"] for entry in issue["timeline"][1:]] == ["acknowledged by test via Calmo"]
    assert issue["timeline"][1]["actor"]["id"] == owner
