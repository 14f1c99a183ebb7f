"""PagerDuty signs with another secret than ours: two deliveries are refused, and none is lost in the end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from calmo_pagerduty.connections import store as connections
from calmo_pagerduty.webhooks import store as webhooks
from pagerduty_simulator.clocks import ScaledClock
from pagerduty_simulator.delivery_contract import AttemptOutcome
from tests.support.eventually import eventually
from tests.support.parts import Parts
from tests.support.pasts import Past
from tests.support.patience import STORY
from tests.support.system import System, running_system

ANOTHER = "the-secret-of-the-subscription-made-anew"
DELIVERIES = 50


@pytest.fixture
async def hurried(parts: Parts) -> AsyncIterator[System]:
    """PagerDuty's waiting before it delivers again takes a hundredth of its time."""
    clock = ScaledClock(100)
    async with running_system(parts, past=Past(seed=1), clock=clock, webhooks=True) as found:
        yield found


def alarms(system: System) -> float:
    registry = system.ingress.metrics.registry
    counted = [
        registry.get_sample_value("calmo_alarms_total", {"kind": kind}) for kind in ("mismatch", "guarded")
    ]
    return sum(count or 0.0 for count in counted)


async def test_a_stale_secret_costs_two_refusals_and_nothing_in_the_end(hurried: System) -> None:
    past, sender = hurried.past, hurried.site.sender
    hurried.database.write_blocking(
        lambda t: connections.update_connection(t, hurried.connection_id, created_at=past.begins_at)
    )
    hurried.subscription.secrets = (ANOTHER,)
    past.live(DELIVERIES, DELIVERIES)
    told = past.events[:DELIVERIES]
    sender.publish(told)

    async def answered() -> int:
        return len({attempt.event_id for attempt in sender.attempts if attempt.number >= 1})

    incidents = len({event.incident_id for event in told})
    await eventually(answered, lambda count: count >= incidents)
    assert alarms(hurried) >= 2
    now = datetime.now(UTC)
    keyring = hurried.ingress.services.keyring
    hurried.database.write_blocking(
        lambda t: webhooks.insert_secret(t, keyring, hurried.webhook_id, ANOTHER.encode(), now)
    )
    await sender.drained(STORY)
    await hurried.until_applied()
    refused = [attempt for attempt in sender.attempts if attempt.verdict is AttemptOutcome.REFUSED]
    assert len(refused) <= 2
    assert hurried.subscription.times_disabled == 0
    await hurried.reconcile(since=past.begins_at)
    await hurried.until_applied()
    assert hurried.differences() == []
