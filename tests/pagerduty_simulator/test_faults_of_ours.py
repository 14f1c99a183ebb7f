"""What PagerDuty makes of our door's answers: no fault of ours costs a delivery or a subscription."""

from collections import Counter

from calmo_pagerduty.deliveries.model import RESPONSE_OF_VERDICT, Verdict
from pagerduty_simulator.delivery_contract import AttemptOutcome, outcome_of_status
from pagerduty_simulator.storms import random_storm
from tests.support.webhook_receiver import NewSender, Received, Receiver

TAKEN = {Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.CONFLICT, Verdict.PAUSED, Verdict.DEAD_LETTER}
#: Ours, or not yet known to be theirs.
OURS = {
    Verdict.UNPROVEN, Verdict.GUARDED, Verdict.NO_SECRET, Verdict.SLOW_BODY, Verdict.STORE_UNAVAILABLE,
    Verdict.OVERLOADED, Verdict.SHUTTING_DOWN,
}  # fmt: skip
#: For these, PagerDuty need not come back. Two in a row at most are of a signature that does not match.
THEIRS = {
    Verdict.UNKNOWN_WEBHOOK, Verdict.DELETED_WEBHOOK, Verdict.MISSING_SIGNATURE, Verdict.LEGACY_PAYLOAD,
    Verdict.UNSUPPORTED_SCHEME, Verdict.MISMATCH, Verdict.TOO_LARGE,
}  # fmt: skip
EVENTS = 24


def status_of(verdict: Verdict) -> int:
    return RESPONSE_OF_VERDICT[verdict].status


def test_pagerduty_comes_back_after_every_fault_of_ours() -> None:
    assert set(Verdict) == TAKEN | OURS | THEIRS
    expected = {
        **dict.fromkeys(TAKEN, AttemptOutcome.DELIVERED),
        **dict.fromkeys(OURS, AttemptOutcome.RETRIED),
        **dict.fromkeys(THEIRS, AttemptOutcome.REFUSED),
    }
    assert {verdict: outcome_of_status(status_of(verdict)) for verdict in Verdict} == expected


async def test_every_fault_of_ours_again_and_again_disables_no_subscription(
    receiver: Receiver, new_sender: NewSender
) -> None:
    statuses = [status_of(verdict) for verdict in sorted(OURS)]
    asked: Counter[str] = Counter()

    def answer(request: Received) -> int:
        """Answer with each fault in turn, and take the delivery at last."""
        asked[request.webhook_id] += 1
        return [*statuses, 202][asked[request.webhook_id] - 1]

    receiver.answer = answer
    sender = new_sender()
    subscription = sender.subscribe(receiver.url, "s")
    sender.publish(random_storm(7, 6, EVENTS))
    await sender.drained()
    assert (subscription.times_disabled, subscription.consecutive_drops) == (0, 0)
    assert set(asked.values()) == {len(OURS) + 1}
    assert len(asked) == EVENTS
    assert Counter(attempt.verdict for attempt in sender.attempts) == {
        AttemptOutcome.RETRIED: EVENTS * len(OURS),
        AttemptOutcome.DELIVERED: EVENTS,
    }
