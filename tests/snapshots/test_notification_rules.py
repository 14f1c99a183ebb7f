"""Which notification rules reach a person in time."""

from dataclasses import replace

from calmo_pagerduty.snapshots.model import ContactKind, Urgency
from calmo_pagerduty.snapshots.notification_rules import (
    first_page_minutes,
    is_usable,
    rules_of,
)
from tests.support.small_accounts import user

AMY = user("amy", (0, ContactKind.PUSH), (10, ContactKind.PHONE), low=[(3, ContactKind.EMAIL)])


def test_rules_come_in_the_order_of_their_delays() -> None:
    high = rules_of(AMY, Urgency.HIGH)
    assert high is not None
    assert [(reach.rule.delay_minutes, reach.method and reach.method.kind) for reach in high] == [
        (0, ContactKind.PUSH),
        (10, ContactKind.PHONE),
    ]
    assert first_page_minutes(AMY, Urgency.LOW) == 3


def test_a_person_without_usable_rules_has_no_first_page() -> None:
    assert first_page_minutes(user("bob"), Urgency.HIGH) is None
    bob = user("bob", (0, ContactKind.PHONE), (5, ContactKind.PUSH))
    phone, push = bob.contact_methods or ()
    broken = replace(bob, contact_methods=(replace(phone, is_enabled=False), push))
    assert first_page_minutes(broken, Urgency.HIGH) == 5


def test_unknown_rules_are_not_called_missing() -> None:
    hidden = replace(AMY, notification_rules=None, contact_methods=None)
    assert rules_of(hidden, Urgency.HIGH) is None
    assert first_page_minutes(hidden, Urgency.HIGH) is None
    assert is_usable(None) is None
