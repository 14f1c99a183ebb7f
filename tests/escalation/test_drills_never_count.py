"""A drill's incident is no trouble: nothing that counts incidents, pages or answers counts it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from calmo_pagerduty.contexts import account_cache_store
from calmo_pagerduty.kernel.scopes import EVERYTHING
from calmo_pagerduty.snapshots.collecting_service import SnapshotToTake
from calmo_pagerduty.snapshots.model import AccountSnapshot
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.recorded_drills import hold, name_service, service_of, stored_snapshot
from tests.support.system import System, running_system


@pytest.fixture
async def system(parts: Parts) -> AsyncIterator[System]:
    async with running_system(parts, past=Past(seed=1), webhooks=True) as found:
        yield found


async def taken_snapshot(system: System) -> AccountSnapshot:
    collector = system.ingress.services.snapshot_collector
    order = SnapshotToTake(connection_id=system.connection_id, is_fresh=True)
    progress = await collector.begin(order)
    while not progress.is_read:
        progress = await collector.step(progress.snapshot_id)
    await collector.finish(progress.snapshot_id)
    return await system.ingress.services.snapshot_reader.get_by_id(EVERYTHING, progress.snapshot_id)


async def test_no_snapshot_and_no_context_holds_a_drill(system: System) -> None:
    await stored_snapshot(system)
    name_service(system)
    _, drill = await hold(system)
    incident_id = drill.incident_id
    assert incident_id is not None
    # PagerDuty itself lists it beside the others, also in its log.
    assert incident_id in system.site.account.incidents
    other = system.an_incident()
    # Every analysis of workload, answers, rates and policies rests on snapshots.
    snapshot = await taken_snapshot(system)
    assert other in {incident.id for incident in snapshot.incidents}
    assert incident_id not in {incident.id for incident in snapshot.incidents}
    assert snapshot.log_records
    assert incident_id not in {record.incident_id for record in snapshot.log_records}
    # Contexts learn from the account's history, and name what is open.
    context = await system.gather_context(system.ref(other))
    assert context is not None
    since = drill.asked_at - timedelta(days=1)
    known = system.database.read_blocking(
        lambda tx: account_cache_store.list_incidents_updated_since(tx, system.connection_id, since)
    )
    assert other in {incident.id for incident in known}
    assert incident_id not in {incident.id for incident in known}
    assert service_of(system) == drill.service_id
