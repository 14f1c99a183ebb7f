"""PagerDuty is read at one moment, our issue at another: what a webhook told in between is not undone."""

from datetime import UTC, datetime, timedelta

import pytest

from calmo_pagerduty.reconciliation.repair_service import IncidentReconciler
from tests.support.healing_service import Healed


def begun_on_a_whole_second(healed: Healed) -> None:
    """All that follows happens within one second, which is as exact as PagerDuty's REST API tells time."""
    past = healed.past
    past.clock.advance(timedelta(microseconds=1_000_000 - past.clock.now().microsecond))
    past.pause = timedelta(milliseconds=20)


@pytest.mark.parametrize("news", ["resolve", "acknowledge", "escalate"])
async def test_what_a_webhook_told_since_pagerduty_was_read_stays(healed: Healed, news: str) -> None:
    begun_on_a_whole_second(healed)
    healed.past.trigger()
    log = await healed.log()
    told = await log.read_open_incidents()
    healed.past.move(healed.past.incident_ids[0], news)
    await healed.deliver(healed.past.events)

    done = await IncidentReconciler(healed.database, healed.connection_id, told, log.read_incident).run()

    assert healed.differences() == []
    assert (done.added, done.failed) == (0, set())


async def test_an_incident_that_is_gone_when_looked_at_again_is_left_as_it_is(healed: Healed) -> None:
    begun_on_a_whole_second(healed)
    healed.past.trigger()
    log = await healed.log()
    told = await log.read_open_incidents()
    (incident_id,) = healed.past.incident_ids
    healed.past.move(incident_id, "resolve")
    await healed.deliver(healed.past.events)
    del healed.past.account.incidents[incident_id]

    done = await IncidentReconciler(healed.database, healed.connection_id, told, log.read_incident).run()

    assert (done.added, done.failed) == (0, set())
    assert healed.issues()[incident_id].status == "resolved"


async def test_a_lost_webhook_of_the_same_second_is_healed_though_its_second_is_uncertain(
    healed: Healed,
) -> None:
    begun_on_a_whole_second(healed)
    healed.past.trigger()
    healed.past.move(healed.past.incident_ids[0], "resolve")
    await healed.deliver(healed.past.events[:1])

    found = await healed.reconcile(since=datetime.now(UTC) - timedelta(hours=3))

    assert healed.differences() == []
    assert (found["healed"], found["failed"]) == (1, 0)
