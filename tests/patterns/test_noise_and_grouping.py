"""Noise with Wilson's bounds, and grouping, as a hand counts them."""

import pytest

from calmo_pagerduty.patterns.alert_grouping import GroupingType, grouping_advice, replay_grouping
from calmo_pagerduty.patterns.noise import few_that_make_most, noise_rows
from calmo_pagerduty.patterns.past import past_of
from calmo_pagerduty.snapshots.model import Service
from tests.support.past_incidents import PastWriter
from tests.support.snapshots import TAKEN_AT

SERVICES = tuple(Service(f"P{name}", name, None, "active", "PPOL") for name in ("LOUD", "FAIR", "CALM"))


def test_services_stand_in_pareto_order_with_wilson_s_bounds() -> None:
    past = PastWriter()
    for number in range(40):
        past.add(number * 500, 30, by="PADA" if number < 25 else None, service="PFAIR")
    for number in range(10):
        past.add(number * 510 + 100, 30, service="PLOUD", pages=5)
    past.add(50_000, 30, by="PADA", service="PCALM", pages=10)
    rows = noise_rows(past_of(past.snapshot(*SERVICES), TAKEN_AT))
    assert [row.service.name for row in rows] == ["LOUD", "FAIR", "CALM"]
    assert [row.cumulative for row in rows] == pytest.approx([0.5, 0.9, 1.0])
    assert few_that_make_most(rows) == 2
    loud, fair, _ = rows
    # The golden numbers of 0/10 and 25/40.
    assert loud.interval == pytest.approx((0, 0.2775), abs=1e-4)
    assert fair.interval == pytest.approx((0.4703, 0.7578), abs=1e-4)
    assert [row.is_noisy for row in rows] == [True, False, False]
    assert (loud.quiet_pages, fair.quiet_pages) == (50, 15)


def test_a_rolling_window_joins_alerts_of_a_kind_while_the_first_is_open() -> None:
    past = PastWriter()
    past.add(0, 100, by="PADA")
    for minute in (4, 8, 12):
        past.add(minute, 20, by="PADA")
    past.add(14, 20, by="PADA", kind="k2")
    past.add(25, 20, by="PADA")  # 13 minutes after the last one
    past.add(101, 5, by="PADA")  # the first has ended
    items = past_of(past.snapshot(), TAKEN_AT).incidents
    content = [replay_grouping(items, GroupingType.CONTENT, seconds) for seconds in (300, 900)]
    assert [replay.joined for replay in content] == [3, 4]
    # A fixed window takes what comes within 15 minutes of the first alert, of any kind.
    assert replay_grouping(items, GroupingType.TIME, 900).joined == 4
    assert content[1].hidden == 0


def test_a_storm_is_worth_grouping_unless_it_hides_work() -> None:
    storm, others = PastWriter(), PastWriter()
    for day in range(4):
        for past, helper in ((storm, "PADA"), (others, "PBEN")):
            past.add(day * 1440, 60, by="PADA")
            for number in range(1, 6):
                past.add(day * 1440 + number * 2, 50, by=helper)
    [advice] = grouping_advice(past_of(storm.snapshot(), TAKEN_AT))
    assert (advice.chosen.type, advice.chosen.joined) == (GroupingType.CONTENT, 20)
    assert advice.chosen.avoided_pages == sum(len(item.pages) for item in advice.incidents) - 4
    assert grouping_advice(past_of(others.snapshot(), TAKEN_AT)) == ()
