"""PagerDuty switches a subscription off for a day: the doctor sees it, switches it on, and heals."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.tools.permissions import Switch
from calmo_pagerduty.webhooks.subscription_enabling import ENABLE_WEBHOOK
from tests.support.eventually import eventually
from tests.support.healing_service import Healed, healing_service
from tests.support.parts import Parts
from tests.support.tool_service import WRITES_ON
from workflows import names

DAY = timedelta(hours=24)
MAY_ENABLE = WRITES_ON.model_copy(update={"switches": {**WRITES_ON.switches, ENABLE_WEBHOOK: Switch.ALLOW}})


def switch_off(healed: Healed) -> None:
    healed.subscription.disabled_until = healed.service.site.sender.clock.now() + DAY


def is_off(healed: Healed) -> bool:
    return healed.service.site.sender.temporarily_disabled(healed.subscription.id)


def kinds(healed: Healed) -> set[str]:
    return {finding["kind"] for finding in healed.webhook().findings}


async def a_day_without_deliveries(healed: Healed, incidents: int, events: int) -> None:
    """Some are delivered, then the subscription is off while incidents come and go."""
    past = healed.past
    past.live(incidents // 4, events // 4)
    await healed.deliver(past.events)
    told = len(past.events)
    switch_off(healed)
    past.pause = (healed.service.site.clock.now() - past.clock.now()) / (events + 10)
    past.live(incidents - incidents // 4, events - events // 4)
    await healed.deliver(past.events[told:])
    assert len(healed.timeline_rows()) == told
    assert healed.differences()


async def until_reconciled(healed: Healed) -> None:
    handle = healed.temporal.get_workflow_handle(names.reconcile_workflow_id(healed.connection_id))
    await handle.result()


async def heal_the_day(healed: Healed, incidents: int, events: int) -> None:
    healed.service.permit(MAY_ENABLE)
    healed.database.write_blocking(
        lambda t: connections.update_connection(t, healed.connection_id, created_at=healed.past.begins_at)
    )
    await a_day_without_deliveries(healed, incidents, events)
    seen = await healed.examine()
    assert seen["newly_disabled"] and len(seen["disabled"]) == 1
    assert not is_off(healed)
    await until_reconciled(healed)
    assert healed.differences() == []
    assert (await healed.reconcile(since=healed.past.begins_at))["added"] == 0
    assert "subscription_disabled" in kinds(healed)
    await healed.examine()
    assert "subscription_disabled" not in kinds(healed)
    assert healed.webhook().disabled_at is None


@pytest.fixture
async def after_a_day(parts: Parts) -> AsyncIterator[Healed]:
    pause = timedelta(minutes=2)
    async with healing_service(parts, seed=3, pause=pause) as found:
        found.past.clock.advance(-(DAY - timedelta(hours=2)))
        found.past.begins_at = found.past.clock.now()
        yield found


async def test_a_subscription_that_was_off_for_a_day_is_switched_on_again_and_nothing_differs(
    after_a_day: Healed,
) -> None:
    await heal_the_day(after_a_day, incidents=20, events=120)
    audited = [record["outcome"] for record in await after_a_day.service.audited()]
    assert audited == ["subscriptions enabled: done"]


@pytest.mark.torture
async def test_a_busy_day_without_deliveries_is_healed(after_a_day: Healed) -> None:
    await heal_the_day(after_a_day, incidents=250, events=2000)


async def test_without_the_connections_leave_nothing_is_switched_on_but_it_is_said_and_healed(
    healed: Healed,
) -> None:
    healed.past.trigger()
    await healed.deliver(healed.past.events)
    switch_off(healed)
    seen = await healed.examine()
    assert seen["may_enable"] is False and is_off(healed)
    since = healed.webhook().disabled_at
    assert since is not None
    (finding,) = [
        finding for finding in healed.webhook().findings if finding["kind"] == "subscription_disabled"
    ]
    assert finding["level"] == "alarm" and ENABLE_WEBHOOK in finding["advice"]
    await until_reconciled(healed)
    again = await healed.examine()
    assert again["newly_disabled"] is False
    assert healed.webhook().disabled_at == since


async def test_the_keeper_keeps_schedules_counts_alarms_and_removes_what_is_not_wanted(
    healed: Healed,
) -> None:
    scheduler = healed.service.ingress.reconcile_scheduler

    async def schedules() -> set[str]:
        await scheduler.schedule_once()
        return {schedule.id async for schedule in await healed.temporal.list_schedules()}

    wanted = {
        names.reconcile_workflow_id(healed.connection_id),
        names.doctor_workflow_id(healed.connection_id),
    }
    await eventually(schedules, lambda found: wanted <= found)
    await until_reconciled(healed)
    switch_off(healed)
    await healed.examine()
    await scheduler.schedule_once()
    await scheduler.schedule_once()
    registry = healed.service.ingress.metrics.registry
    assert registry.get_sample_value("calmo_alarms_total", {"kind": "subscription_disabled"}) == 1
    path = f"/api/connections/{healed.connection_id}"
    answer = await healed.service.http.delete(path, headers=healed.service.headers)
    assert answer.status_code == 200
    await eventually(schedules, lambda found: not wanted & found)
