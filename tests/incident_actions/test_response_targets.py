"""Targets of a connection: the timeline says what is near and missed, the issue shows how it stands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType as HistoryEventType

from calmo_pagerduty.access.permissions import CONNECTIONS_READ, CONNECTIONS_WRITE
from calmo_pagerduty.incidents.response_target_service import TargetsToCheck
from calmo_pagerduty.tools.permissions import ConnectionRules
from tests.support.connected import WRITES_ON
from tests.support.eventually import eventually
from tests.support.system import System
from tests.support.terminal import Terminal
from tests.support.tool_callers import served

TIMER = HistoryEventType.EVENT_TYPE_TIMER_STARTED


async def set_targets(
    system: System, acknowledge: float, resolve: float | None = None, **more: object
) -> None:
    every = {"acknowledge_minutes": acknowledge, "resolve_minutes": resolve}
    severities = ("critical", "warning", "medium", "info")
    body = {"response_targets": {"by_severity": dict.fromkeys(severities, every), **more}}
    path = f"/api/connections/{system.connection_id}"
    answer = await system.http.patch(path, json=body, headers=system.headers)
    assert answer.status_code == 200, answer.text


async def until_told(system: System, incident: str, word: str) -> list[str]:
    """Wait until something is said of a target, and return all that was."""

    async def told() -> list[str]:
        return [summary for summary in await system.told(incident) if "target" in summary]

    return await eventually(told, lambda found: any(word in summary for summary in found))


async def timers(system: System, incident: str) -> int:
    handle = system.temporal.get_workflow_handle(system.ref(incident).workflow_id)
    return sum(event.event_type == TIMER for event in (await handle.fetch_history()).events)


@pytest.mark.each_database
async def test_a_target_that_is_missed_is_said_once(system: System) -> None:
    await set_targets(system, acknowledge=0.03)
    incident = await system.page()
    await until_told(system, incident, "missed")
    issue = await system.issue(incident)
    assert issue["response"]["acknowledge_target"]["state"] == "missed"
    assert issue["response"]["resolve_target"] is None
    await system.act(incident, "acknowledge")
    issue = await system.issue(incident)
    assert issue["response"]["acknowledged_in"] >= 0.03 * 60
    told = await until_told(system, incident, "missed")
    assert told.count("response target missed: acknowledge target of 0.03 min (medium)") == 1


async def test_a_target_that_is_near_is_said_and_the_next_moment_waited_for(system: System) -> None:
    await set_targets(system, acknowledge=60)
    now = system.account.now
    system.account.now = lambda: now() - timedelta(minutes=50)
    incident = await system.page()
    told = await until_told(system, incident, "near")
    assert told == ["response target near: acknowledge target of 60 min (medium)"]
    await eventually(lambda: timers(system, incident), lambda count: count == 1)


async def test_a_target_is_due_by_temporals_clock_if_the_workers_is_behind_it(system: System) -> None:
    """Else the worker would say that nothing is due yet, and be asked again at once, on and on."""
    await set_targets(system, acknowledge=60)
    incident = await system.page()
    records = system.ingress.services.response_target_service
    soon = datetime.now(UTC) + timedelta(minutes=49)
    looked = await records.check_targets(TargetsToCheck(ref=system.ref(incident), as_of=soon))
    assert looked.due is not None and looked.due > soon
    assert [summary for summary in await system.told(incident) if "target" in summary] == [
        "response target near: acknowledge target of 60 min (medium)"
    ]


async def test_an_acknowledgement_in_time_takes_the_timer_away(system: System) -> None:
    await set_targets(system, acknowledge=60)
    incident = await system.page()
    await eventually(lambda: timers(system, incident), lambda count: count == 1)
    await system.act(incident, "acknowledge")
    await system.until_workflow_knows(incident, "acknowledged")
    issue = await system.issue(incident)
    assert issue["response"]["acknowledge_target"]["state"] == "met"
    handle = system.temporal.get_workflow_handle(system.ref(incident).workflow_id)
    kinds = [event.event_type for event in (await handle.fetch_history()).events]
    cancelled = HistoryEventType.EVENT_TYPE_TIMER_CANCELED
    assert (kinds.count(TIMER), kinds.count(cancelled)) == (1, 1)


async def test_without_targets_there_is_no_timer(system: System) -> None:
    incident = await system.page()
    await system.act(incident, "acknowledge")
    await system.until_workflow_knows(incident, "acknowledged")
    assert await timers(system, incident) == 0
    response = (await system.issue(incident))["response"]
    assert response["acknowledge_target"] is None
    assert response["acknowledged_in"] is not None


async def test_a_reopening_starts_the_clock_anew(system: System) -> None:
    await set_targets(system, acknowledge=60, resolve=120)
    incident = await system.page()
    await system.act(incident, "acknowledge")
    await system.act(incident, "resolve")
    first = (await system.issue(incident))["response"]
    assert (first["acknowledge_target"]["state"], first["resolve_target"]["state"]) == ("met", "met")
    await system.act(incident, "reopen")
    again = (await system.issue(incident))["response"]
    assert (again["acknowledged_in"], again["resolved_in"]) == (None, None)
    assert again["acknowledge_target"]["due_at"] > first["acknowledge_target"]["due_at"]
    await system.act(incident, "acknowledge")
    assert (await system.issue(incident))["response"]["acknowledged_in"] is not None


async def test_a_miss_is_escalated_once_through_the_gate(system: System) -> None:
    await set_targets(system, acknowledge=0.02, escalates_on_miss=True, escalation_level=1)
    incident = await system.page()

    async def escalated() -> list[str]:
        return [summary for summary in await system.told(incident) if summary.startswith("escalated")]

    told = await eventually(escalated)
    assert told[0].startswith("escalated by Calmo's response targets via Calmo")
    await system.settle()
    assert len(await escalated()) == 1
    records = [record for record in await system.audited() if record.get("tool") == "update_incident"]
    assert {record["requester"] for record in records} == {"Calmo's response targets"}
    assert system.differences() == []


@pytest.mark.parametrize("wanted", [False, True])
async def test_nothing_is_escalated_that_is_not_wanted_or_not_allowed(system: System, wanted: bool) -> None:
    system.permit(ConnectionRules() if wanted else WRITES_ON)
    await set_targets(system, acknowledge=0.02, escalates_on_miss=wanted)
    incident = await system.page()
    await until_told(system, incident, "missed")
    await system.settle()
    assert [summary for summary in await system.told(incident) if summary.startswith("escalated")] == []
    assert await system.operations(incident) == []


async def test_the_command_line_sets_targets_and_shows_how_an_issue_stands(system: System) -> None:
    incident = await system.page()
    connection = system.connection_id
    async with served(system) as url:
        terminal = Terminal(url, system)
        options = ("--severity", "medium", "--acknowledge", "15", "--resolve", "240", "--escalate", "--json")
        done = await terminal.run("connection", "targets", connection, *options)
        assert done.json["response_targets"] == {
            "by_severity": {"medium": {"acknowledge_minutes": 15.0, "resolve_minutes": 240.0}},
            "escalates_on_miss": True,
            "escalation_level": 2,
        }
        await system.act(incident, "acknowledge")
        shown = await terminal.run("issues", "show", incident)
        assert "(met: 15 min until" in shown.text
        assert "(running: 4 h until" in shown.text
        cleared = await terminal.run("connection", "targets", connection, "--clear", "--json")
        assert cleared.json["response_targets"] is None


async def test_only_administrators_let_incidents_be_escalated_by_themselves(system: System) -> None:
    path = f"/api/connections/{system.connection_id}"
    writer = system.a_key(CONNECTIONS_READ, CONNECTIONS_WRITE)
    body = {"response_targets": {"escalates_on_miss": True}}
    refused = await system.http.patch(path, json=body, headers=writer)
    assert refused.status_code == 403
    body["response_targets"]["escalates_on_miss"] = False
    assert (await system.http.patch(path, json=body, headers=writer)).status_code == 200
    wrongs: tuple[dict[str, Any], ...] = (
        {"by_severity": {"awful": {}}},
        {"by_severity": {"info": {"resolve_minutes": 0}}},
    )
    for wrong in wrongs:
        answer = await system.http.patch(path, json={"response_targets": wrong}, headers=writer)
        assert answer.status_code == 400
