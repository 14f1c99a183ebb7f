"""What the account does by itself shows in the log entries, and goes out as webhooks."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.events import Event
from pagerduty_simulator.resources import ScheduleTarget
from pagerduty_simulator.rest_api import AccountSite
from tests.support.rest_account import Api


@pytest.fixture
def published(site: AccountSite, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What goes out to webhooks."""
    out: list[Event] = []
    monkeypatch.setattr(site.sender, "publish", out.extend)
    return out


async def entries_of(api: Api, incident_id: str) -> list[Any]:
    answer = await api.get(f"/incidents/{incident_id}/log_entries", limit=100, **{"include[]": "channels"})
    return list(reversed(answer["log_entries"]))


async def test_an_unanswered_incident_is_escalated_and_says_how_everybody_was_notified(
    api: Api, clock: ManualClock, published: list[Event]
) -> None:
    made = await api.incident(service_id=api.service_id("Checkout API"))
    clock.advance(timedelta(minutes=16))
    entries = await entries_of(api, made["id"])
    notifies = [entry for entry in entries if entry["type"] == "notify_log_entry"]
    notified = [(entry["user"]["summary"], entry["channel"]["notification"]["type"]) for entry in notifies]
    assert notified == [
        ("Priya Raman", "phone_notification"),
        ("Priya Raman", "push_notification"),
        ("Priya Raman", "email_notification"),
        ("Jonas Lindqvist", "sms_notification"),
    ]
    push = notifies[1]["channel"]["notification"]
    assert (push["address"], push["status"]) == (None, "success")
    (escalated,) = [entry for entry in entries if entry["type"] == "escalate_log_entry"]
    assert escalated["channel"]["type"] == "timeout"
    assert escalated["agent"]["type"] == "service_reference"
    assert [assignee["summary"] for assignee in escalated["assignees"]] == ["Jonas Lindqvist"]
    assert [str(event.event_type) for event in published] == ["incident.triggered", "incident.escalated"]


async def test_a_path_without_an_answer_is_repeated_and_exhausted(api: Api, clock: ManualClock) -> None:
    made = await api.incident(service_id=api.service_id("Checkout API"))
    clock.advance(timedelta(hours=2))
    kinds = [entry["type"] for entry in await entries_of(api, made["id"])]
    assert kinds.count("escalate_log_entry") == 5
    assert kinds.count("repeat_escalation_path_log_entry") == 1
    assert kinds.count("exhaust_escalation_path_log_entry") == 1


async def test_nobody_on_call_or_a_disabled_service_refuses_an_incident(account: Account, api: Api) -> None:
    service = account.services[api.service_id("Search")]
    body = {"type": "incident", "title": "Slow", "service": {"id": service.id, "type": "service_reference"}}
    policy = account.escalation_policies[service.escalation_policy.id]
    empty = next(it for it in account.belongings.schedules.values() if it.name == "Old pager list")
    account.save_policy(replace(policy, levels=((ScheduleTarget(empty.id, empty.name),),)))
    response = await api.send("POST", "/incidents", {"incident": body})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 1015)
    account.save_policy(policy)
    account.save_service(replace(service, is_disabled=True))
    response = await api.send("POST", "/incidents", {"incident": body})
    assert (response.status_code, response.json()["error"]["code"]) == (400, 2001)
    assert [dropped.reason for dropped in account.dropped] == ["nobody_on_call", "disabled"]
