"""The newest picture holds, in whatever order pictures arrive."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from calmo_pagerduty.kernel.as_of import AsOf

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(microseconds=1)


def test_a_later_event_is_newer_and_at_the_same_instant_the_one_that_arrived_later() -> None:
    assert AsOf(LATER, 1).is_newer_than(AsOf(NOON, 2))
    assert AsOf(NOON, 2).is_newer_than(AsOf(NOON, 1))
    assert not AsOf(NOON, 1).is_newer_than(AsOf(NOON, 1))
    assert not AsOf(NOON, 9).is_newer_than(AsOf(LATER, 1))


def test_anything_is_newer_than_no_picture() -> None:
    assert AsOf.of(None, 0) is None
    assert AsOf.of(NOON, 3) == AsOf(NOON, 3)
    assert AsOf(NOON, 0).is_newer_than(None)


def test_the_newest_holds_in_whatever_order_they_arrive() -> None:
    for events in permutations([AsOf(NOON, 1), AsOf(NOON, 2), AsOf(LATER, 0)]):
        register: AsOf | None = None
        for event in events:
            register = event if event.is_newer_than(register) else register
        assert register == AsOf(LATER, 0)
