"""Whether somebody is on call, until when, and who is paged next."""

from calmo_pagerduty.coverage.duty import NextPage, OnDuty, duty_of, next_page
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from tests.support.coverage_worlds import DAY, HOUR, NOW, account, policy_of, schedule_of

SCHEDULES = (
    schedule_of(
        "S1",
        (NOW - HOUR, NOW + HOUR, "UA"),
        (NOW + HOUR, NOW + 2 * HOUR, "UA"),
        (NOW + 2 * HOUR, NOW + DAY, "UB"),
    ),
    schedule_of("S2", (NOW - DAY, NOW + DAY, "UB")),
)
INDEX = OnCallIndex(account(schedules=SCHEDULES, policies=(policy_of("P1", ["S1"], ["S2"], ["UC"]),)))


def test_a_duty_that_another_follows_at_once_ends_with_the_other() -> None:
    assert duty_of(INDEX, "UA", NOW) == OnDuty("Policy P1", 1, NOW, NOW + 2 * HOUR)


def test_the_lowest_level_of_now_is_named_before_what_comes() -> None:
    assert duty_of(INDEX, "UB", NOW) == OnDuty("Policy P1", 2, NOW, NOW + DAY)
    assert duty_of(INDEX, "UB", NOW + 2 * HOUR) == OnDuty("Policy P1", 1, NOW + 2 * HOUR, NOW + DAY)


def test_a_duty_in_the_future_is_named_if_there_is_none_now() -> None:
    alone = OnCallIndex(account(schedules=SCHEDULES, policies=(policy_of("P1", ["S1"]),)))
    duty = duty_of(alone, "UB", NOW)
    assert duty == OnDuty("Policy P1", 1, NOW + 2 * HOUR, NOW + DAY)
    assert not duty.is_now(NOW)


def test_who_is_named_by_a_policy_has_no_end_and_a_stranger_has_no_duty() -> None:
    assert duty_of(INDEX, "UC", NOW) == OnDuty("Policy P1", 3, NOW, None)
    assert duty_of(INDEX, "UX", NOW) is None


def test_the_next_level_is_paged_after_the_delay_of_the_assigned_one() -> None:
    assert next_page(INDEX, "P1", ["UA"], NOW) == NextPage(NOW + 1800, 2, ("UB",))
    assert next_page(INDEX, "P1", ["UB"], NOW) == NextPage(NOW + 1800, 3, ("UC",))


def test_nobody_is_named_where_it_is_unknown() -> None:
    assert next_page(INDEX, "P1", ["UC"], NOW) is None
    assert next_page(INDEX, "P1", ["UX"], NOW) is None
    assert next_page(INDEX, "P1", [], NOW) is None
    assert next_page(INDEX, "P9", ["UA"], NOW) is None
    assert next_page(INDEX, "P1", ["UA"], NOW + 365 * DAY) is None
