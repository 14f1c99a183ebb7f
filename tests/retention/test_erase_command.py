"""`calmo-pagerduty erase` deletes an incident's executions at Temporal before its rows, and counts first."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from calmo_pagerduty.db import tables
from calmo_pagerduty.db.database import Database
from calmo_pagerduty.kernel.incident_ref import IncidentRef
from ingress.commands.erase import _view
from ingress.commands.local_erasure import NothingToErase, TemporalNotErased, erase_issue, erase_person
from tests.support.builders import new_id
from tests.support.doors import rows
from tests.support.eventually import eventually
from tests.support.tenants import fill_tenant
from workflows import names


async def start(client: Client, ref: IncidentRef, workflow_id: str) -> None:
    """Start an execution for which there is no worker."""
    attributes = [
        SearchAttributePair(names.INCIDENT_ID, ref.incident_id),
        SearchAttributePair(names.CONNECTION, ref.connection_id),
    ]
    await client.start_workflow(
        names.INCIDENT_WORKFLOW,
        id=workflow_id,
        task_queue="nobody",
        search_attributes=TypedSearchAttributes(attributes),
    )


async def exists(client: Client, workflow_id: str) -> bool:
    try:
        await client.get_workflow_handle(workflow_id).describe()
    except RPCError:
        return False
    return True


async def test_an_issue_is_erased_with_its_histories_and_another_incident_keeps_its_own(
    temporal: Client, database: Database, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALMO_DATABASE", migrated_url)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", temporal.namespace)
    fill_tenant(database, "organization:acme")
    issue = rows(database, tables.issues)[0]
    ref = IncidentRef(connection_id=issue.connection_id, incident_id=issue.incident_id)
    other = IncidentRef(connection_id=issue.connection_id, incident_id=new_id())
    for each in (ref, other):
        await start(temporal, each, each.workflow_id)
    await eventually(lambda: _found(temporal, ref))
    counted = await asyncio.to_thread(erase_issue, tmp_path, ref.incident_id, confirmed=False)
    assert (counted["carried_out"], counted["rows"]["issues"], counted["workflows"]) == (False, 1, 1)
    assert _view(counted).endswith("Nothing was erased: add --confirm to erase it.")
    assert rows(database, tables.issues)

    erased = await asyncio.to_thread(erase_issue, tmp_path, issue.id, confirmed=True)
    assert (erased["carried_out"], erased["workflows"]) == (True, 1)
    assert rows(database, tables.issues) == []
    await eventually(lambda: _is_gone(temporal, ref.workflow_id))
    assert await exists(temporal, other.workflow_id)
    with pytest.raises(NothingToErase):
        await asyncio.to_thread(erase_issue, tmp_path, ref.incident_id, confirmed=True)
    with pytest.raises(NothingToErase, match="too short"):
        await asyncio.to_thread(erase_person, tmp_path, "Bo", (), None, confirmed=True)
    await temporal.get_workflow_handle(other.workflow_id).terminate()


async def _found(client: Client, ref: IncidentRef) -> bool:
    query = f"PdIncidentId = '{ref.incident_id}'"
    return [execution.id async for execution in client.list_workflows(query)] == [ref.workflow_id]


async def _is_gone(client: Client, workflow_id: str) -> bool:
    return not await exists(client, workflow_id)


async def test_where_temporal_does_not_answer_nothing_is_erased(
    database: Database, migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALMO_DATABASE", migrated_url)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    fill_tenant(database, "organization:acme")
    issue = rows(database, tables.issues)[0]
    with pytest.raises(TemporalNotErased):
        await asyncio.to_thread(erase_issue, tmp_path, issue.id, confirmed=True)
    assert rows(database, tables.issues)
