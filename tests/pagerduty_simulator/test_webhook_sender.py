"""The delivery contract, kept against a real server."""

import asyncio
import uuid
from datetime import timedelta
from itertools import pairwise

import pytest

from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.delivery_contract import Attempt, AttemptOutcome, DeliveryContract, InjectedFaults
from pagerduty_simulator.events import Event
from pagerduty_simulator.signatures import signature_header
from pagerduty_simulator.storms import STORM_BEGINS_AT, random_storm
from pagerduty_simulator.webhook_sender import WebhookSender
from tests.support.patience import EVENTUALLY
from tests.support.webhook_receiver import NewSender, Receiver

IMPATIENT = DeliveryContract(deadline=timedelta(milliseconds=150))


def verdicts(sender: WebhookSender, event: Event) -> list[AttemptOutcome]:
    return [attempt.verdict for attempt in sender.attempts_of(event.id)]


async def test_a_delivery_carries_pagerduty_s_headers_and_the_signature_of_its_bytes(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender()
    subscription = sender.subscribe(receiver.url, "a secret", custom_headers=(("X-Routing", "blue"),))
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.drained()
    (received,) = receiver.received
    assert received.body == event.body
    assert received.headers["x-pagerduty-signature"] == signature_header(["a secret"], event.body)
    assert received.headers["x-webhook-subscription"] == subscription.id
    assert received.headers["user-agent"] == "PagerDuty-Webhook/V3.0"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["x-routing"] == "blue"
    assert str(uuid.UUID(received.webhook_id)) == received.webhook_id


async def test_both_secrets_sign_while_one_replaces_the_other(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender()
    subscription = sender.subscribe(receiver.url, "old")
    sender.set_secrets(subscription.id, "old", "new")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.drained()
    signatures = receiver.received[0].headers["x-pagerduty-signature"].split(",")
    assert signatures == [signature_header([secret], event.body) for secret in ("old", "new")]


@pytest.mark.parametrize("status", [429, 500, 503, 599])
async def test_a_busy_or_failing_receiver_is_asked_again_with_the_same_webhook_id(
    receiver: Receiver, new_sender: NewSender, status: int
) -> None:
    receiver.script = [status, status]
    sender = new_sender()
    sender.subscribe(receiver.url, "s")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.drained()
    assert verdicts(sender, event) == [
        AttemptOutcome.RETRIED,
        AttemptOutcome.RETRIED,
        AttemptOutcome.DELIVERED,
    ]
    assert len({request.webhook_id for request in receiver.received}) == 1


async def test_an_answer_after_the_deadline_counts_as_none(receiver: Receiver, new_sender: NewSender) -> None:
    receiver.script = [-1]
    sender = new_sender(contract=IMPATIENT)
    sender.subscribe(receiver.url, "s")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.drained()
    # On a busy machine further answers may come too late.
    *retried, last = verdicts(sender, event)
    assert (set(retried), last) == ({AttemptOutcome.RETRIED}, AttemptOutcome.DELIVERED)
    assert sender.attempts[0].error == "no answer within the deadline"


async def test_many_missed_deadlines_leave_no_connection_stuck(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.script = [-1] * 24
    contract = DeliveryContract(deadline=timedelta(milliseconds=250), parallel_deliveries=4)
    sender = new_sender(contract=contract)
    sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(1, 12, 12))
    await sender.drained()
    assert sum(attempt.verdict is AttemptOutcome.DELIVERED for attempt in sender.attempts) == 12


async def test_a_refused_connection_is_tried_again(unused_url: str, new_sender: NewSender) -> None:
    sender = new_sender()
    sender.subscribe(unused_url, "s")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    await sender.until(lambda: len(sender.attempts) >= 3)
    assert set(verdicts(sender, event)) == {AttemptOutcome.RETRIED}


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 408, 410, 413])
async def test_other_answers_drop_the_event_at_once(
    receiver: Receiver, new_sender: NewSender, status: int
) -> None:
    receiver.script = [status]
    sender = new_sender()
    sender.subscribe(receiver.url, "s")
    first, second = random_storm(1, 1, 2)
    sender.publish([first, second])
    await sender.drained()
    assert verdicts(sender, first) == [AttemptOutcome.REFUSED]
    assert verdicts(sender, second) == [AttemptOutcome.DELIVERED]
    assert receiver.bodies == [first.body, second.body]


async def test_retries_come_at_growing_intervals_until_48_hours_are_over(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.answer = lambda _: 503
    clock = ManualClock(STORM_BEGINS_AT)
    sender = new_sender(clock=clock)
    subscription = sender.subscribe(receiver.url, "s")
    (event,) = random_storm(1, 1, 1)
    sender.publish([event])
    while sender.pending:
        seen = len(sender.attempts)
        if clock.next_wake is not None:
            clock.advance(clock.next_wake - clock.now())
        await sender.until(lambda: len(sender.attempts) > seen)
    moments = [attempt.at for attempt in sender.attempts_of(event.id)]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert timedelta(seconds=10) <= gaps[0] <= timedelta(seconds=12)
    assert all(earlier < later for earlier, later in pairwise(gaps[:8]))
    assert max(gaps) <= timedelta(hours=1.2)
    assert moments[-1] - moments[0] == timedelta(hours=48)
    assert verdicts(sender, event)[-1] is AttemptOutcome.EXPIRED
    assert subscription.consecutive_drops == 1


async def test_later_events_of_an_incident_wait_behind_a_failing_one_and_others_do_not(
    receiver: Receiver, new_sender: NewSender
) -> None:
    storm = random_storm(5, 2, 12)
    stuck = storm[0].incident_id
    assert stuck is not None
    stuck_bytes = stuck.encode()
    is_open: list[bool] = []
    receiver.answer = lambda request: 202 if is_open or stuck_bytes not in request.body else 503
    sender = new_sender()
    sender.subscribe(receiver.url, "s")
    sender.publish(storm)
    others = [event for event in storm if event.incident_id != stuck]
    await sender.until(lambda: all(AttemptOutcome.DELIVERED in verdicts(sender, event) for event in others))
    assert {body for body in receiver.bodies if stuck_bytes in body} == {storm[0].body}
    is_open.append(True)
    await sender.drained()
    delivered = [
        attempt.event_id for attempt in sender.attempts if attempt.verdict is AttemptOutcome.DELIVERED
    ]
    assert [event_id for event_id in delivered if event_id not in {event.id for event in others}] == [
        event.id for event in storm if event.incident_id == stuck
    ]


async def test_incidents_are_sent_side_by_side_up_to_the_bound(
    receiver: Receiver, new_sender: NewSender
) -> None:
    receiver.gate, receiver.awaited_in_flight = asyncio.Event(), 3
    sender = new_sender(contract=DeliveryContract(parallel_deliveries=3))
    sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(1, 8, 8))
    await asyncio.wait_for(receiver.crowded.wait(), EVENTUALLY)
    receiver.gate.set()
    await sender.drained()
    assert receiver.most_in_flight == 3


async def test_a_large_body_does_not_wait_for_its_incident(receiver: Receiver, new_sender: NewSender) -> None:
    storm = random_storm(1, 1, 3)
    small = min(len(event.body) for event in storm)
    receiver.answer = lambda request: 503 if request.body == storm[0].body else 202
    sender = new_sender(contract=DeliveryContract(ordered_body_bytes=small - 1))
    sender.subscribe(receiver.url, "s")
    sender.publish(storm)
    await sender.until(
        lambda: all(AttemptOutcome.DELIVERED in verdicts(sender, event) for event in storm[1:])
    )
    assert AttemptOutcome.DELIVERED not in verdicts(sender, storm[0])


async def test_injected_duplicates_repeat_the_event_with_its_webhook_id(
    receiver: Receiver, new_sender: NewSender
) -> None:
    sender = new_sender(faults=InjectedFaults(duplicate_share=0.5), seed=4)
    sender.subscribe(receiver.url, "s")
    storm = random_storm(1, 5, 60)
    sender.publish(storm)
    await sender.drained()
    pairs = {(request.body, request.webhook_id) for request in receiver.received}
    assert len(pairs) == 60
    assert 15 <= len(receiver.received) - 60 <= 45
    assert sum(attempt.is_duplicate for attempt in sender.attempts) == len(receiver.received) - 60


async def test_injected_reordering_lets_later_events_overtake(
    receiver: Receiver, new_sender: NewSender
) -> None:
    faults = InjectedFaults(reorder_share=0.3, reorder_hold=timedelta(hours=6))
    sender = new_sender(faults=faults, seed=4)
    sender.subscribe(receiver.url, "s")
    storm = random_storm(1, 1, 30)
    sender.publish(storm)
    await sender.drained()
    assert sorted(receiver.bodies) == sorted(event.body for event in storm)
    assert receiver.bodies != [event.body for event in storm]


async def test_an_observer_s_fault_is_not_swallowed(receiver: Receiver, new_sender: NewSender) -> None:
    def observe(event: Event, attempt: Attempt) -> None:
        raise RuntimeError("observer")

    sender = new_sender(on_attempt=observe)
    sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(1, 2, 2))
    with pytest.raises(RuntimeError, match="observer"):
        await sender.until(lambda: False)
