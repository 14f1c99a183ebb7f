"""Curves, expected times and advice: the textbook figures, planted truth, and silence where there is none."""

import math
from dataclasses import replace

import pytest

from calmo_pagerduty.escalation.delay_advice import Assignment, DelayAdvice, NoAdvice, Path, advise_delay
from calmo_pagerduty.escalation.response import account_response
from calmo_pagerduty.escalation.response_analysis import analyse
from calmo_pagerduty.escalation.response_model import Exponential, expected_response
from calmo_pagerduty.snapshots.model import AccountSnapshot, ContactKind, LogKind, Urgency
from calmo_pagerduty.statistics.resampling import bootstrap_interval, random_numbers
from calmo_pagerduty.statistics.survival import Duration
from tests.support.past_responses import PastLog
from tests.support.small_accounts import DAY, HOUR, MONDAY, account, level, policy, service, user

PHONE = ContactKind.PHONE


def shares(seed: int, count: int) -> list[float]:
    """Return numbers between 0 and 1, the same in each run."""
    numbers = random_numbers(seed)
    return [(next(numbers) + 1) / (2**64 + 1) for _ in range(count)]


def test_the_expected_time_of_exponential_levels_is_the_computed_one() -> None:
    rates, delays = (1 / 3, 1 / 6, 1 / 10), (5, 10, 15)
    expected = expected_response([Exponential(rate) for rate in rates], delays, 1)
    assert expected.mean_minutes == pytest.approx(3.659, abs=5e-4)
    missed = math.prod(math.exp(-rate * delay) for rate, delay in zip(rates, delays, strict=True)) ** 2
    assert expected.missed == pytest.approx(missed)


def test_a_shorter_delay_never_raises_the_time_until_the_next_level() -> None:
    curve = Exponential(1 / 7)
    waits = [curve.restricted_mean(delay) for delay in range(1, 60)]
    assert waits == sorted(waits)


def test_a_further_pass_lowers_what_is_missed() -> None:
    curves = (Exponential(1 / 20), Exponential(1 / 30))
    missed = [expected_response(curves, (5, 10), loops).missed for loops in range(4)]
    assert missed == sorted(missed, reverse=True)
    assert missed[1] == pytest.approx(missed[0] ** 2)


def assignments(seed: int, count: int, delay: int, mean: float, answering: float) -> list[Assignment]:
    """Return level-1 assignments of which a share answers at all, after an exponential time."""
    made = []
    for number, (chance, time) in enumerate(zip(shares(seed, count), shares(seed + 1, count), strict=True)):
        after = -mean * math.log(time) if chance < answering else math.inf
        made.append(Assignment(number * HOUR, Duration(min(after, delay), after <= delay)))
    return made


PATH = Path((Exponential(1 / 4),), (30, 15), 1)


def test_a_delay_that_only_waits_is_shortened_and_the_later_past_confirms_it() -> None:
    # Whoever answers does so within a few minutes; the rest of the 30 minutes is waiting.
    advice = advise_delay(assignments(1, 200, 30, 1.5, 0.7), PATH)
    assert isinstance(advice, DelayAdvice)
    assert advice.delay_minutes in {5, 10}
    assert advice.gain_interval.low > 0
    assert advice.tested_gain_minutes > 0
    assert advice.expected.second_level_pages <= 1.1 * advice.current.second_level_pages


def test_a_later_level_gets_advice_of_its_own_and_its_next_level_is_not_paged_much_more() -> None:
    slow_second = Path((Exponential(1 / 20), Exponential(1 / 4)), (10, 30, 15), 1, level=2)
    advice = advise_delay(assignments(1, 200, 30, 1.5, 0.7), slow_second)
    assert isinstance(advice, DelayAdvice)
    assert (advice.level, advice.current_minutes) == (2, 30)
    assert advice.delay_minutes in {5, 10}
    assert advice.tested_gain_minutes > 0
    assert advice.expected.level_pages[2] <= 1.1 * advice.current.level_pages[2]
    # The first level's pages of later passes are the next ones of the last level.
    last = Path((Exponential(1 / 20), Exponential(1 / 4)), (10, 15, 30), 1, level=3)
    assert last.next_pages(advice.expected) == advice.expected.level_pages[0]


def test_the_last_level_of_a_policy_that_does_not_repeat_gets_no_advice() -> None:
    quick = assignments(1, 200, 30, 1.5, 0.7)
    once = advise_delay(quick, Path((Exponential(1 / 4),), (15, 30), 0, level=2))
    assert isinstance(once, NoAdvice)
    assert "doesn't repeat" in once.reason
    alone = advise_delay(quick, Path((), (30,), 1))
    assert isinstance(alone, NoAdvice)
    assert "nobody to go on to" in alone.reason


def test_no_advice_where_people_answer_until_the_end() -> None:
    advice = advise_delay(assignments(3, 200, 30, 25, 1.0), PATH)
    assert isinstance(advice, NoAdvice)


def test_no_advice_from_few_assignments() -> None:
    advice = advise_delay(assignments(1, 60, 30, 1.5, 0.7), PATH)
    assert isinstance(advice, NoAdvice)
    assert advice.reason.startswith("insufficient data")


def test_advice_that_later_incidents_do_not_confirm_is_not_given() -> None:
    quick, slow = assignments(1, 120, 30, 1.5, 0.7), assignments(3, 80, 30, 25, 1.0)
    later = [item._replace(start=item.start + 1000 * HOUR) for item in slow]
    advice = advise_delay([*quick, *later], PATH)
    assert isinstance(advice, NoAdvice)
    assert "later" in advice.reason


def test_a_delay_beyond_what_was_ever_waited_is_not_advised() -> None:
    short = Path((Exponential(1 / 100),), (5, 60), 0)
    advice = advise_delay(assignments(5, 200, 5, 6, 1.0), short)
    assert isinstance(advice, NoAdvice)


def test_the_order_of_assignments_changes_nothing() -> None:
    some = assignments(1, 200, 30, 1.5, 0.7)
    assert advise_delay(some, PATH) == advise_delay(list(reversed(some)), PATH)


def test_bootstrap_intervals_cover_the_mean() -> None:
    interval = bootstrap_interval(shares(9, 100), lambda sample: sum(sample) / len(sample), 200, 1)
    assert interval is not None
    assert interval.low < 0.5 < interval.high
    assert interval.high - interval.low < 0.2


def busy_account(
    count: int = 120, answering: float = 0.7, urgency: Urgency = Urgency.HIGH
) -> AccountSnapshot:
    """Amy answers 70 % within minutes; the rest goes to Bob after 30 minutes, who always answers."""
    log = PastLog()
    chances, times = shares(11, count), shares(12, count)
    for number in range(count):
        log.trigger(MONDAY - 60 * DAY + number * 3 * HOUR, "amy")
        log.add(LogKind.NOTIFY, 0, "amy", channel=PHONE)
        if chances[number] < answering:
            log.add(LogKind.ACKNOWLEDGE, -1.5 * math.log(times[number]), by="amy")
        else:
            log.add(LogKind.ESCALATE, 30, "bob")
            log.add(LogKind.NOTIFY, 30, "bob", channel=PHONE)
            log.add(LogKind.ACKNOWLEDGE, 30 - 4 * math.log(times[number]), by="bob")
    return account(
        services=(service(),),
        policies=(policy(level("R1", 30, "amy"), level("R2", 30, "bob")),),
        users=(user("amy", (0, PHONE)), user("bob", (0, PHONE))),
        incidents=tuple(replace(incident, urgency=urgency) for incident in log.incidents),
        log_records=tuple(log.records),
    )


def test_the_curve_of_level_1_finds_the_planted_share_that_never_answers() -> None:
    found = account_response(busy_account(300), MONDAY).policies[0]
    first = found.levels[0].curve
    assert first is not None
    assert first.at(30) == pytest.approx(0.3, abs=0.06)
    assert found.escalated == sum(chance >= 0.7 for chance in shares(11, 300))


def test_the_whole_analysis_advises_the_planted_policy_and_says_how_to_undo_it() -> None:
    result = analyse(busy_account(400), MONDAY)
    assert [finding.code for finding in result.findings] == ["better_escalation_delay"]
    assert "30 min" in result.findings[0].how_to_undo
    metrics = result.metrics["policies"][0]["time_to_acknowledge"]
    assert sum(metrics["parts"].values()) == metrics["total_seconds"]


def test_few_incidents_lead_to_no_figure_and_a_reason() -> None:
    result = analyse(busy_account(20), MONDAY)
    found = result.metrics["policies"][0]
    assert found["expected"] is None
    assert "insufficient data" in found["reason"]
    assert result.findings == ()


def test_low_urgency_does_not_count() -> None:
    assert analyse(busy_account(urgency=Urgency.LOW), MONDAY).metrics["policies"] == []


def test_the_result_is_the_same_again_and_in_any_order() -> None:
    snapshot = busy_account(150)
    shuffled = replace(
        snapshot,
        incidents=tuple(reversed(snapshot.incidents)),
        log_records=tuple(reversed(snapshot.log_records)),
    )
    assert analyse(snapshot, MONDAY) == analyse(shuffled, MONDAY)


def test_what_happened_after_now_is_not_used() -> None:
    early = analyse(busy_account(150), MONDAY - 50 * DAY)
    assert early.window.end == MONDAY - 50 * DAY
    counted = early.metrics["policies"][0]["incidents"]
    assert counted == sum(
        incident.created_at <= MONDAY - 50 * DAY for incident in busy_account(150).incidents
    )


def test_an_account_without_incidents_is_understood() -> None:
    result = analyse(account(), MONDAY)
    assert result.metrics["policies"] == []
    assert result.metrics["time_to_acknowledge"]["mean_seconds"] is None
