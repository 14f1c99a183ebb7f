"""Texts, names and tokens stay in the database: not in histories, logs or metrics."""

import json
import logging
from dataclasses import replace

import pytest

from calmo_pagerduty.connections import store as connections
from pagerduty_simulator.rest.faults import Faults
from tests.support.context_service import Contexts
from tests.support.tool_service import TOKEN
from tests.tool_calls.test_canaries import everything_logged
from workflows import names

TEXTS = ("CANARY-title", "CANARY-note", "CANARY-alert", "CANARY-service", "CANARY-person")


async def test_a_context_leaves_no_text_behind_but_in_the_database(
    contexts: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.INFO)
    contexts.database.write_blocking(
        lambda t: connections.update_connection(t, contexts.service.connection_id, context_note=True)
    )
    account = contexts.account
    for user in tuple(account.users.values()):
        account.users[user.id] = replace(user, name=f"CANARY-person {user.name}")
    account.rename_service(contexts.service_id("Order database"), "CANARY-service")
    ref = contexts.trigger("CANARY-title: Checkout is slow")
    account.add_alert(ref.incident_id, "CANARY-alert", "error", {"host": "CANARY-alert"})
    account.annotate(ref.incident_id, "CANARY-note", by=next(iter(account.users)))
    contexts.service.site.faults = Faults(rate=0.1, kinds=("500", "access_denied"), seed=4)
    await contexts.gathered(ref, "a test")
    contexts.service.site.faults = Faults()
    await contexts.gathered(ref, "again")
    await contexts.service.get("/api/tool-calls")
    histories = await everything_in_temporal(contexts)
    await contexts.service.ingress.context_counter.count_once()
    metrics = (await contexts.service.http.get("/metrics", headers=contexts.service.headers)).text
    logged = everything_logged(caplog.records)
    for canary in (*TEXTS, TOKEN):
        assert canary not in histories, canary
        assert canary not in logged, canary
        assert canary not in metrics, canary
    stored = contexts.stored(ref)
    assert stored is not None
    document = json.dumps(stored.document)
    assert "CANARY-title" in document and "CANARY-alert" in document and TOKEN not in document


async def everything_in_temporal(contexts: Contexts) -> str:
    """Return the histories of all workflows of this connection, and what their details say."""
    found = []
    query = f"{names.CONNECTION.name} = '{contexts.service.connection_id}'"
    async for execution in contexts.temporal.list_workflows(query):
        handle = contexts.temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
        found.append((await handle.fetch_history()).to_json())
        described = await handle.describe()
        found.append(str(await described.static_summary()))
        if execution.workflow_type == names.INCIDENT_CONTEXT_WORKFLOW:
            found.append(str(await handle.query("__temporal_workflow_metadata")))
    assert len(found) >= 3
    return "\n".join(found)
