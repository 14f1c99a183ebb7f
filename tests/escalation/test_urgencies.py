"""Support hours in the service's own zone, across clock changes and midnight."""

from datetime import UTC, datetime

import pytest

from calmo_pagerduty.escalation.urgencies import is_within, next_start, urgency_at
from calmo_pagerduty.snapshots.model import SupportHours, Urgency
from tests.support.small_accounts import HOUR, MONDAY, service

LONDON = SupportHours("Europe/London", (1, 2, 3, 4, 5), 9 * HOUR, 17 * HOUR)
#: From 22:00 to 06:00, from Monday on.
NIGHTS = SupportHours("Etc/UTC", (1,), 22 * HOUR, 6 * HOUR)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_hours_follow_the_clock_change() -> None:
    # London leaves summer time on 25 October 2026.
    assert next_start(LONDON, at("2026-10-23T10:00")) == at("2026-10-26T09:00")
    assert next_start(LONDON, at("2026-10-22T17:00")) == at("2026-10-23T08:00")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-10-05T21:59", False),
        ("2026-10-05T22:00", True),
        ("2026-10-06T05:59", True),
        ("2026-10-06T06:00", False),
        ("2026-10-07T05:00", False),
    ],
)
def test_hours_past_midnight_belong_to_the_day_of_their_start(moment: str, expected: bool) -> None:
    assert is_within(NIGHTS, at(moment)) is expected


def test_rails_names_of_zones_are_understood_and_unknown_zones_are_unknown() -> None:
    eastern = SupportHours("Eastern Time (US & Canada)", (1,), 9 * HOUR, 17 * HOUR)
    assert is_within(eastern, at("2026-10-05T13:00")) is True
    nowhere = SupportHours("Mars/Olympus", (1,), 9 * HOUR, 17 * HOUR)
    assert is_within(nowhere, MONDAY) is None
    assert next_start(nowhere, MONDAY) is None


def test_hours_of_no_day_never_begin() -> None:
    assert next_start(SupportHours("Etc/UTC", (), 0, HOUR), MONDAY) is None


def test_a_constant_rule_needs_no_hours() -> None:
    assert urgency_at(service(), MONDAY) is Urgency.HIGH
    assert urgency_at(service(urgency=None), MONDAY) is None
