"""What subscriptions are told of, and how they are switched off and on."""

import json
from datetime import timedelta

from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.delivery_contract import AttemptOutcome, DeliveryContract
from pagerduty_simulator.event_types import EventType
from pagerduty_simulator.events import Event
from pagerduty_simulator.storms import STORM_BEGINS_AT, random_storm
from pagerduty_simulator.subscriptions import SubscriptionFilter
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.webhook_receiver import NewSender, Receiver


def verdicts(sender: WebhookSender, event: Event) -> list[AttemptOutcome]:
    return [attempt.verdict for attempt in sender.attempts_of(event.id)]


HANG = -1  # the receiver answers once it is released


async def test_three_drops_in_a_row_switch_the_subscription_off_for_a_day(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.answer = lambda _: 401
    clock = ManualClock(STORM_BEGINS_AT)
    sender = new_sender(clock=clock)
    subscription = sender.subscribe(receiver.url, "s")
    storm = random_storm(2, 1, 10)
    sender.publish(storm[:6])
    await sender.drained()
    assert sender.temporarily_disabled(subscription.id)
    assert [attempt.verdict for attempt in sender.attempts].count(AttemptOutcome.REFUSED) == 3
    assert [attempt.verdict for attempt in sender.attempts].count(AttemptOutcome.DISCARDED) == 3
    sender.publish(storm[6:8])
    assert sender.pending == 0
    clock.advance(timedelta(hours=24))
    assert not sender.temporarily_disabled(subscription.id)
    receiver.answer = lambda _: 202
    sender.publish(storm[8:])
    await sender.drained()
    assert [request.body for request in receiver.received] == [
        *(event.body for event in storm[:3]),
        *(event.body for event in storm[8:]),
    ]


async def test_a_success_between_drops_keeps_the_subscription_on(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.script = [400, 400, 202, 400, 400, 202]
    sender = new_sender()
    subscription = sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(2, 1, 6))
    await sender.drained()
    assert subscription.times_disabled == 0


async def test_disabling_also_discards_what_waits_for_a_retry(
    receiver: Receiver, new_sender: NewSender
) -> None:
    storm = random_storm(3, 4, 4)
    waiting = storm[0]
    receiver.answer = lambda request: 503 if request.body == waiting.body else 404
    clock = ManualClock(STORM_BEGINS_AT)
    sender = new_sender(clock=clock)
    subscription = sender.subscribe(receiver.url, "s")
    sender.publish([waiting])
    await sender.until(lambda: len(sender.attempts) == 1)
    sender.publish(storm[1:])
    await sender.drained()
    assert sender.temporarily_disabled(subscription.id)
    assert verdicts(sender, waiting) == [AttemptOutcome.RETRIED, AttemptOutcome.DISCARDED]
    clock.advance(timedelta(hours=25))
    receiver.answer = lambda _: 202
    (later,) = random_storm(4, 1, 1)
    sender.publish([later])
    await sender.drained()
    assert receiver.bodies.count(waiting.body) == 1
    assert receiver.bodies[-1] == later.body


async def test_what_fails_while_its_subscription_is_switched_off_is_not_retried(
    receiver: Receiver, new_sender: NewSender
) -> None:
    slow, *refused = random_storm(3, 4, 4)
    receiver.answer = lambda request: HANG if request.body == slow.body else 404
    receiver.status_when_released = 503
    sender = new_sender(clock=ManualClock(STORM_BEGINS_AT))
    subscription = sender.subscribe(receiver.url, "s")
    sender.publish([slow, *refused])
    await sender.until(lambda: sender.temporarily_disabled(subscription.id))
    receiver.released.set()
    await sender.drained()
    assert verdicts(sender, slow) == [AttemptOutcome.DISCARDED]


async def test_an_enabled_subscription_gets_new_events_but_not_its_lost_queue(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.script = [403, 403, 403]
    sender = new_sender(clock=ManualClock(STORM_BEGINS_AT))
    subscription = sender.subscribe(receiver.url, "s")
    storm = random_storm(2, 1, 6)
    sender.publish(storm[:5])
    await sender.drained()
    sender.enable(subscription.id)
    sender.publish(storm[5:])
    await sender.drained()
    assert receiver.bodies[3:] == [storm[5].body]


async def test_a_paused_subscription_is_never_told_what_happened_meanwhile(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender()
    subscription = sender.subscribe(receiver.url, "s")
    first, second = random_storm(1, 1, 2)
    sender.pause(subscription.id)
    sender.publish([first])
    sender.resume(subscription.id)
    sender.publish([second])
    await sender.drained()
    assert receiver.bodies == [second.body]


async def test_a_body_above_256_kib_is_never_sent_and_is_no_strike(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender(contract=DeliveryContract(largest_body_bytes=100))
    subscription = sender.subscribe(receiver.url, "s")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.drained()
    assert verdicts(sender, event) == [AttemptOutcome.TOO_LARGE]
    assert receiver.received == []
    assert subscription.consecutive_drops == 0
    assert DeliveryContract().largest_body_bytes == 256 * 1024


async def test_a_subscription_gets_only_its_types_and_its_service_or_team(
    receiver: Receiver, new_sender: NewSender
) -> None:
    storm = random_storm(6, 8, 80)
    service_id, team_id = storm[0].service_id, storm[0].team_ids[0]
    sender = new_sender()
    by_service = sender.subscribe(
        receiver.url,
        "s",
        event_types=frozenset({EventType.TRIGGERED, EventType.RESOLVED}),
        only=SubscriptionFilter("service", service_id),
    )
    by_team = sender.subscribe(receiver.url, "s", only=SubscriptionFilter("team", team_id))
    sender.publish(storm)
    await sender.drained()
    told: dict[str, set[str]] = {by_service.id: set(), by_team.id: set()}
    for attempt in sender.attempts:
        told[attempt.subscription_id].add(attempt.event_id)
    chosen = {EventType.TRIGGERED, EventType.RESOLVED}
    assert told[by_service.id] == {
        event.id for event in storm if event.service_id == service_id and event.event_type in chosen
    }
    assert told[by_team.id] == {event.id for event in storm if team_id in event.team_ids}


async def test_two_subscriptions_are_told_of_one_event_under_different_webhook_ids(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender()
    sender.subscribe(receiver.url, "s")
    sender.subscribe(receiver.url, "t")
    sender.publish(random_storm(1, 1, 1))
    await sender.drained()
    assert len({request.webhook_id for request in receiver.received}) == 2
    assert len({json.loads(body)["event"]["id"] for body in receiver.bodies}) == 1
