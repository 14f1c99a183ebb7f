"""PagerDuty is read at one moment, our issue at another: what a webhook told in between is not undone."""

from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.reconciliation.repair_service import IncidentReconciler
from tests.support.system import System


def begun_on_a_whole_second(system: System) -> None:
    """All that follows happens within one second, which is as exact as PagerDuty's REST API tells time."""
    past = system.past
    past.clock.advance(timedelta(microseconds=1_000_000 - past.clock.now().microsecond))
    past.pause = timedelta(milliseconds=20)


@pytest.mark.parametrize("news", ["resolve", "acknowledge", "escalate"])
async def test_what_a_webhook_told_since_pagerduty_was_read_stays(system: System, news: str) -> None:
    begun_on_a_whole_second(system)
    system.past.trigger()
    log = await system.log()
    told = await log.read_open_incidents()
    system.past.move(system.past.incident_ids[0], news)
    await system.deliver(system.past.events)

    done = await IncidentReconciler(system.database, system.connection_id, told, log.read_incident).run()

    assert system.differences() == []
    assert (done.added, done.failed) == (0, set())


async def test_an_incident_that_is_gone_when_looked_at_again_is_left_as_it_is(system: System) -> None:
    begun_on_a_whole_second(system)
    system.past.trigger()
    log = await system.log()
    told = await log.read_open_incidents()
    (incident_id,) = system.past.incident_ids
    system.past.move(incident_id, "resolve")
    await system.deliver(system.past.events)
    del system.past.account.incidents[incident_id]

    done = await IncidentReconciler(system.database, system.connection_id, told, log.read_incident).run()

    assert (done.added, done.failed) == (0, set())
    assert system.issues()[incident_id].status == "resolved"


async def test_a_lost_webhook_of_the_same_second_is_healed_though_its_second_is_uncertain(
    system: System,
) -> None:
    begun_on_a_whole_second(system)
    system.past.trigger()
    system.past.move(system.past.incident_ids[0], "resolve")
    await system.deliver(system.past.events[:1])

    found = await system.reconcile(since=datetime.now(UTC) - timedelta(hours=3))

    assert system.differences() == []
    assert (found["healed"], found["failed"]) == (1, 0)
