"""PagerDuty switches a subscription off for a day: the doctor sees it, switches it on, and heals."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.tools.permissions import Switch
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK
from tests.support.connected import WRITES_ON
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.system import System, running_system
from workflows import names

DAY = timedelta(hours=24)
MAY_ENABLE = WRITES_ON.model_copy(update={"switches": {**WRITES_ON.switches, ENABLE_WEBHOOK: Switch.ALLOW}})


def switch_off(system: System) -> None:
    system.subscription.disabled_until = system.site.sender.clock.now() + DAY


def is_off(system: System) -> bool:
    return system.site.sender.temporarily_disabled(system.subscription.id)


def kinds(system: System) -> set[str]:
    return {finding["kind"] for finding in system.webhook().findings}


async def a_day_without_deliveries(system: System, incidents: int, events: int) -> None:
    """Some are delivered, then the subscription is off while incidents come and go."""
    past = system.past
    past.live(incidents // 4, events // 4)
    await system.deliver(past.events)
    told = len(past.events)
    switch_off(system)
    past.pause = (system.site.clock.now() - past.clock.now()) / (events + 10)
    past.live(incidents - incidents // 4, events - events // 4)
    await system.deliver(past.events[told:])
    assert len(system.timeline_rows()) == told
    assert system.differences()


async def until_reconciled(system: System) -> None:
    handle = system.temporal.get_workflow_handle(names.reconcile_workflow_id(system.connection_id))
    await handle.result()


async def heal_the_day(system: System, incidents: int, events: int) -> None:
    system.permit(MAY_ENABLE)
    system.database.write_blocking(
        lambda t: connections.update_connection(t, system.connection_id, created_at=system.past.begins_at)
    )
    await a_day_without_deliveries(system, incidents, events)
    seen = await system.examine()
    assert seen["newly_disabled"] and len(seen["disabled"]) == 1
    assert not is_off(system)
    await until_reconciled(system)
    assert system.differences() == []
    assert (await system.reconcile(since=system.past.begins_at))["added"] == 0
    assert "subscription_disabled" in kinds(system)
    await system.examine()
    assert "subscription_disabled" not in kinds(system)
    assert system.webhook().disabled_at is None


@pytest.fixture
async def after_a_day(parts: Parts) -> AsyncIterator[System]:
    past = Past(seed=3, pause=timedelta(minutes=2))
    async with running_system(parts, past=past, webhooks=True) as found:
        found.past.clock.advance(-(DAY - timedelta(hours=2)))
        found.past.begins_at = found.past.clock.now()
        yield found


async def test_a_subscription_that_was_off_for_a_day_is_switched_on_again_and_nothing_differs(
    after_a_day: System,
) -> None:
    await heal_the_day(after_a_day, incidents=20, events=120)
    audited = [record["outcome"] for record in await after_a_day.audited()]
    assert audited == ["subscriptions enabled: done"]


@pytest.mark.torture
async def test_a_busy_day_without_deliveries_is_healed(after_a_day: System) -> None:
    await heal_the_day(after_a_day, incidents=250, events=2000)


async def test_without_the_connections_leave_nothing_is_switched_on_but_it_is_said_and_healed(
    system: System,
) -> None:
    system.past.trigger()
    await system.deliver(system.past.events)
    switch_off(system)
    seen = await system.examine()
    assert seen["may_enable"] is False and is_off(system)
    since = system.webhook().disabled_at
    assert since is not None
    (finding,) = [
        finding for finding in system.webhook().findings if finding["kind"] == "subscription_disabled"
    ]
    assert finding["level"] == "alarm" and ENABLE_WEBHOOK in finding["advice"]
    await until_reconciled(system)
    again = await system.examine()
    assert again["newly_disabled"] is False
    assert system.webhook().disabled_at == since


async def test_the_keeper_keeps_schedules_counts_alarms_and_removes_what_is_not_wanted(
    system: System,
) -> None:
    scheduler = system.ingress.reconcile_scheduler
    await eventually(system.leads)

    async def schedules() -> set[str]:
        await scheduler.schedule_once()
        return {schedule.id async for schedule in await system.temporal.list_schedules()}

    wanted = {
        names.reconcile_workflow_id(system.connection_id),
        names.doctor_workflow_id(system.connection_id),
    }
    await eventually(schedules, lambda found: wanted <= found)
    await until_reconciled(system)
    switch_off(system)
    await system.examine()
    await scheduler.schedule_once()
    await scheduler.schedule_once()
    registry = system.ingress.metrics.registry
    assert registry.get_sample_value("calmo_alarms_total", {"kind": "subscription_disabled"}) == 1
    path = f"/api/connections/{system.connection_id}"
    answer = await system.http.delete(path, headers=system.headers)
    assert answer.status_code == 200
    await eventually(schedules, lambda found: not wanted & found)
