"""Comparing and examining over REST and from the command line."""

from typing import Any

import sqlalchemy as sa

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.db import tables
from calmo_pagerduty.reconciliation.service import NO_CREDENTIAL_TEXT
from ingress.app import build_app
from pagerduty_simulator.rest.serving import running_server
from tests.support.patience import ANSWER
from tests.support.system import System
from tests.support.terminal import Terminal
from workflows import names


async def post(system: System, path: str, body: dict[str, Any] | None = None) -> Any:
    return await system.http.post(path, json=body or {}, headers=system.headers, timeout=ANSWER)


async def until_ended(system: System) -> None:
    await system.temporal.get_workflow_handle(names.reconcile_workflow_id(system.connection_id)).result()


async def test_a_comparison_on_demand_is_reported(system: System) -> None:
    system.past.live(3, 10)
    path = f"/api/connections/{system.connection_id}"
    begun = await post(system, f"{path}/reconcile", {"since": system.past.begins_at.isoformat()})
    assert begun.status_code == 202 and begun.json()["started"]
    await until_ended(system)
    found = await system.get(f"{path}/reconciliations")
    (run,) = found["runs"]
    assert run["reason"] == "on demand" and run["finished_at"]
    assert run["report"]["opened"] == 3 and run["report"]["failed"] == 0
    assert found["reconciled_until"] == run["until"]
    assert system.differences() == []


async def test_a_connection_without_a_token_is_told_that_gaps_cannot_be_healed(system: System) -> None:
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, token_kind=None, token_sealed=None)
    )
    path = f"/api/connections/{system.connection_id}"
    said = (await post(system, f"{path}/reconcile")).json()
    assert (said["started"], said["problem"]) == (False, NO_CREDENTIAL_TEXT)
    assert (await system.reconcile())["problem"] == NO_CREDENTIAL_TEXT


async def test_somebody_elses_connection_does_not_exist(system: System) -> None:
    other = system.a_key(scopes=("organization:other",))
    path = f"/api/connections/{system.connection_id}"
    for method, where in (
        ("POST", f"{path}/reconcile"),
        ("GET", f"{path}/reconciliations"),
        ("GET", f"/api/doctor?connection={system.connection_id}"),
    ):
        answer = await system.http.request(
            method, where, headers=other, json={} if method == "POST" else None
        )
        assert answer.status_code == 404, where
    assert (await system.get("/api/doctor", other))["webhooks"] == []


async def test_an_incident_of_a_service_that_no_webhook_is_for_is_not_opened(system: System) -> None:
    system.past.live(6, 12)
    account = system.past.account
    chosen = account.incident(system.past.incident_ids[0]).service.id
    system.database.write_blocking(
        lambda t: t.execute(sa.update(tables.webhooks).values(service_ids=[chosen]))
    )
    await system.reconcile(since=system.past.begins_at)
    wanted = {
        incident_id
        for incident_id in system.past.incident_ids
        if account.incident(incident_id).service.id == chosen
    }
    assert set(system.issues()) == wanted


async def test_an_event_that_was_set_aside_is_healed_and_the_issue_is_sure_again(system: System) -> None:
    system.past.trigger()
    await system.deliver(system.past.events)
    system.database.write_blocking(lambda t: t.exec_driver_sql("UPDATE issues SET needs_reconcile = true"))
    await system.reconcile(since=system.past.begins_at)
    assert [row.needs_reconcile for row in system.issues().values()] == [False]


async def test_the_doctor_answers_in_words(system: System) -> None:
    found = (await post(system, "/api/doctor", {"connection": system.connection_id})).json()
    (webhook,) = found["webhooks"]
    assert found["ok"] and webhook["examined_at"]
    system.site.sender.unsubscribe(system.subscription.id)
    found = (await post(system, "/api/doctor")).json()
    (finding,) = [finding for finding in found["webhooks"][0]["findings"] if finding["level"] == "alarm"]
    assert not found["ok"] and finding["kind"] == "subscription_missing"
    assert system.webhook_id not in str(found)


async def test_the_command_line_reconciles_and_examines(system: System) -> None:
    system.past.live(3, 10)
    await system.deliver(system.past.events[:1])
    async with running_server(build_app(system.ingress), "127.0.0.1", 0) as url:
        terminal = Terminal(url, system)
        since = system.past.begins_at.strftime("%Y-%m-%dT%H:%M:%S")
        reconciled = await terminal.run("reconcile", system.connection_id, "--since", since)
        assert reconciled.code == 0, reconciled.error
        assert "opened here" in reconciled.text and "on demand" in reconciled.text
        well = await terminal.run("doctor", "--connection", system.connection_id)
        assert well.code == 0 and system.webhook_id not in well.text
        system.site.sender.unsubscribe(system.subscription.id)
        missing = await terminal.run("doctor")
        assert missing.code == 1 and "webhook subscribe" in missing.text
        in_json = await terminal.run("doctor", "--json")
        assert in_json.code == 1 and in_json.json["ok"] is False
