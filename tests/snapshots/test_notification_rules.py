"""Which notification rules reach a person in time."""

from dataclasses import replace

from calmo_pagerduty.snapshots.model import ContactKind, Urgency
from calmo_pagerduty.snapshots.notification_rules import (
    first_page_minutes,
    is_never_paged,
    is_usable,
    rules_after,
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


def test_a_rule_of_the_same_delay_as_the_level_comes_too_late() -> None:
    assert [reach.rule.delay_minutes for reach in rules_after(AMY, 10)] == [10]
    assert rules_after(AMY, 11) == ()
    assert is_never_paged(user("bob", (15, ContactKind.PHONE)), 15) is True
    assert is_never_paged(user("bob", (15, ContactKind.PHONE)), 16) is False


def test_a_person_without_usable_rules_is_never_paged() -> None:
    assert is_never_paged(user("bob"), 30) is True
    bob = user("bob", (0, ContactKind.PHONE))
    disabled = tuple(replace(method, is_enabled=False) for method in bob.contact_methods or ())
    assert is_never_paged(replace(bob, contact_methods=disabled), 30) is True


def test_unknown_rules_are_not_called_missing() -> None:
    hidden = replace(AMY, notification_rules=None, contact_methods=None)
    assert rules_of(hidden, Urgency.HIGH) is None
    assert is_never_paged(hidden, 5) is None
    assert is_usable(None) is None
