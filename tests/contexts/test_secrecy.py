"""Texts, names and tokens stay in the database: not in histories, logs or metrics."""

import json
import logging
from dataclasses import replace

import pytest

from calmo_pagerduty.connections import store as connections
from pagerduty_simulator.rest.faults import Faults
from tests.support.connected import TOKEN
from tests.support.system import System
from tests.tool_calls.test_canaries import everything_logged
from workflows import names

TEXTS = ("CANARY-title", "CANARY-note", "CANARY-alert", "CANARY-service", "CANARY-person")


async def test_a_context_leaves_no_text_behind_but_in_the_database(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, context_note=True)
    )
    account = system.account
    for user in tuple(account.users.values()):
        account.users[user.id] = replace(user, name=f"CANARY-person {user.name}")
    account.rename_service(system.service_id("Order database"), "CANARY-service")
    ref = system.trigger("CANARY-title: Checkout is slow")
    account.add_alert(ref.incident_id, "CANARY-alert", "error", {"host": "CANARY-alert"})
    account.annotate(ref.incident_id, "CANARY-note", by=next(iter(account.users)))
    system.site.faults = Faults(rate=0.1, kinds=("500", "access_denied"), seed=4)
    await system.gather_context(ref, "a test")
    system.site.faults = Faults()
    await system.gather_context(ref, "again")
    await system.get("/api/tool-calls")
    histories = await everything_in_temporal(system)
    await system.ingress.context_counter.count_once()
    metrics = (await system.http.get("/metrics", headers=system.headers)).text
    logged = everything_logged(caplog.records)
    for canary in (*TEXTS, TOKEN):
        assert canary not in histories, canary
        assert canary not in logged, canary
        assert canary not in metrics, canary
    stored = system.stored(ref)
    assert stored is not None
    document = json.dumps(stored.document)
    assert "CANARY-title" in document and "CANARY-alert" in document and TOKEN not in document


async def everything_in_temporal(system: System) -> str:
    """Return the histories of all workflows of this connection, and what their details say."""
    found = []
    query = f"{names.CONNECTION.name} = '{system.connection_id}'"
    async for execution in system.temporal.list_workflows(query):
        handle = system.temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
        found.append((await handle.fetch_history()).to_json())
        described = await handle.describe()
        found.append(str(await described.static_summary()))
        if execution.workflow_type == names.INCIDENT_CONTEXT_WORKFLOW:
            found.append(str(await handle.query("__temporal_workflow_metadata")))
    assert len(found) >= 3
    return "\n".join(found)
