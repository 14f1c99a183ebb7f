"""Schedules and search attributes that Temporal has lost come back; those of others are left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import ScheduleHandle
from temporalio.service import RPCError

from calmo_pagerduty.reconciliation import store as reconciliations
from ingress.reconciliation import kept_schedules, schedules
from ingress.reconciliation.schedules import HEALTH
from tests.support.eventually import eventually
from tests.support.system import System
from workflows import names


class Foreign:
    """A connection that only another installation knows."""

    connection_id = "con_ofanother"
    scope = "organization:other"


async def scheduled(system: System) -> set[str]:
    return await schedules.list_scheduled_connections(system.temporal, HEALTH)


async def exists(handle: ScheduleHandle) -> bool:
    try:
        await handle.describe()
    except RPCError:
        return False
    return True


async def test_schedules_that_temporal_lost_come_back_without_a_restart(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = system.ingress.reconcile_scheduler
    await scheduler.schedule_once()
    lost = system.temporal.get_schedule_handle(names.reconcile_workflow_id(system.connection_id))
    await lost.delete()
    await scheduler.schedule_once()
    assert not await exists(lost)
    monkeypatch.setattr(kept_schedules, "KEEP_AGAIN", timedelta())
    await scheduler.schedule_once()
    assert await exists(lost)


async def test_schedules_of_another_installation_in_the_same_namespace_stay(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_schedules, "KEEP_AGAIN", timedelta())
    await schedules.upsert_schedules(system.temporal, "elsewhere", Foreign(), HEALTH)
    try:
        await eventually(lambda: scheduled(system), lambda found: Foreign.connection_id in found)
        await system.ingress.reconcile_scheduler.schedule_once()
        await system.http.delete(f"/api/connections/{system.connection_id}", headers=system.headers)
        await system.ingress.reconcile_scheduler.schedule_once()
        await eventually(lambda: scheduled(system), lambda found: system.connection_id not in found)
        assert Foreign.connection_id in await scheduled(system)
    finally:
        await schedules.delete_schedules(system.temporal, Foreign.connection_id, HEALTH)


async def test_the_age_of_what_waits_longest_to_be_compared_is_a_metric(system: System) -> None:
    scheduler, registry = system.ingress.reconcile_scheduler, system.ingress.metrics.registry
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    system.database.write_blocking(
        lambda tx: reconciliations.update_watermark(tx, system.connection_id, hour_ago)
    )
    await scheduler.schedule_once()
    age = registry.get_sample_value("calmo_reconciled_age_seconds")
    assert age is not None and 3600 <= age < 7200
