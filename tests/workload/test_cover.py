"""Cover goes to the least loaded who are free, in parts too; a rough night asks for it the next morning."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import AccountSnapshot
from calmo_pagerduty.workload.cover import CoverPart, NotOnCall, suggest_cover
from calmo_pagerduty.workload.rough_nights import rough_nights
from calmo_pagerduty.workload.rules import RoughNightRules
from tests.support.rotas import NOW, WEEK, paged_account, person, rota
from tests.support.small_accounts import DAY, HOUR, schedule

FOUR = ["U1", "U2", "U3", "U4"]
#: U1 is on call in the week from NOW on: 35 days before are five turns.
ROTA = rota("S1", ["U4", "U2", "U3", "U2", "U3", "U1"], members=FOUR)


def pool(*extra: tuple[int, int, str], zone: str = "Etc/UTC") -> AccountSnapshot:
    users = [person(key, zone if key == "U4" else "Etc/UTC") for key in FOUR]
    snapshot = paged_account(ROTA, [], users=users)
    return replace(snapshot, schedules=(*snapshot.schedules, schedule("S2", *extra)))


def ids(snapshot: AccountSnapshot, asked: Span, **options: Any) -> list[str]:
    suggestion = suggest_cover(snapshot, snapshot.schedules[0], "U1", asked, now=NOW, **options)
    return [candidate.person.user_id for candidate in suggestion.candidates]


MIDDAY = Span(NOW + 3 * DAY + 8 * HOUR, NOW + 3 * DAY + 18 * HOUR)


def test_the_least_loaded_is_asked_first() -> None:
    assert ids(pool(), MIDDAY)[0] == "U4"


def test_who_would_sleep_then_comes_last() -> None:
    assert ids(pool(zone="America/Los_Angeles"), MIDDAY)[-1] == "U4"


def test_who_is_on_call_elsewhere_or_not_rested_is_left_out_with_the_reason() -> None:
    snapshot = pool((MIDDAY.start, MIDDAY.end, "U2"), (MIDDAY.end + 2 * HOUR, MIDDAY.end + 5 * HOUR, "U3"))
    suggestion = suggest_cover(
        snapshot, snapshot.schedules[0], "U1", Span(MIDDAY.end - HOUR, MIDDAY.end), now=NOW
    )
    assert {item.person.user_id: item.reason for item in suggestion.excluded} == {
        "U2": "on call then",
        "U3": "on call shortly before or after",
    }


def test_who_is_away_is_not_asked() -> None:
    suggestion = suggest_cover(pool(), ROTA, "U1", MIDDAY, now=NOW, away={"U4": [Span(NOW, NOW + WEEK)]})
    assert {item.person.user_id: item.reason for item in suggestion.excluded} == {"U4": "away"}


def test_parts_are_split_if_nobody_can_cover_all_of_it() -> None:
    begin, end = MIDDAY
    middle = begin + 5 * HOUR
    away = {
        "U2": [Span(begin, middle)],
        "U3": [Span(middle, end)],
        "U4": [Span(begin, end)],
    }
    suggestion = suggest_cover(pool(), ROTA, "U1", MIDDAY, now=NOW, away=away)
    assert suggestion.split == (
        CoverPart(Span(begin, middle), "U3"),
        CoverPart(Span(middle, end), "U2"),
    )
    assert suggestion.uncovered == ()


def test_what_nobody_can_cover_is_said() -> None:
    away = {key: [Span(MIDDAY.start, MIDDAY.start + 2 * HOUR)] for key in FOUR}
    suggestion = suggest_cover(pool(), ROTA, "U1", MIDDAY, now=NOW, away=away)
    assert suggestion.uncovered == (Span(MIDDAY.start, MIDDAY.start + 2 * HOUR),)


def test_time_off_call_needs_no_cover() -> None:
    with pytest.raises(NotOnCall, match="not on call"):
        suggest_cover(pool(), ROTA, "U1", Span(NOW + 2 * WEEK, NOW + 2 * WEEK + DAY), now=NOW)


def test_a_later_shift_of_about_the_same_length_is_offered_in_exchange() -> None:
    asked = Span(NOW, NOW + WEEK)
    suggestion = suggest_cover(pool(), ROTA, "U1", asked, now=NOW, rest_seconds=0)
    assert suggestion.spans == (asked,)
    assert {swap.user_id: swap.returned for swap in suggestion.swaps} == {
        "U4": Span(NOW + WEEK, NOW + 2 * WEEK),
        "U2": Span(NOW + 2 * WEEK, NOW + 3 * WEEK),
        "U3": Span(NOW + 3 * WEEK, NOW + 4 * WEEK),
    }
    # A day is given for a week only by who means a gift.
    assert suggest_cover(pool(), ROTA, "U1", MIDDAY, now=NOW).swaps == ()


def night(*hours: float, zone: str = "Etc/UTC") -> AccountSnapshot:
    """U1 is paged at these hours after midnight UTC of the third day."""
    users = [person("U1", zone), *map(person, FOUR[1:])]
    snapshot = paged_account(ROTA, [("U1", NOW + 3 * DAY + int(hour * HOUR)) for hour in hours], users=users)
    taken = NOW + 3 * DAY + 9 * HOUR
    return replace(
        snapshot,
        taken_at=taken,
        sections=tuple(replace(section, fetched_at=taken) for section in snapshot.sections),
    )


MORNING = NOW + 3 * DAY + 9 * HOUR


def test_two_interruptions_in_sleep_hours_make_a_rough_night() -> None:
    (found,) = rough_nights(night(-1, 3), MORNING, RoughNightRules())
    assert found.key == "U1-2026-10-08"
    assert found.morning == date(2026, 10, 8)
    assert found.ask_at == NOW + 3 * DAY + 8 * HOUR
    assert found.schedule_id == "S1"
    assert found.cover == Span(found.ask_at, found.ask_at + 10 * HOUR)
    assert found.interruptions == 2


@pytest.mark.parametrize("hours", [(3,), (9, 12), (-3, 3), (3, 3.01)], ids=str)
def test_other_nights_are_not_rough(hours: tuple[float, ...]) -> None:
    assert rough_nights(night(*hours), MORNING, RoughNightRules()) == ()


def test_how_many_make_it_rough_is_configured_and_it_can_be_switched_off() -> None:
    assert rough_nights(night(1, 2), MORNING, RoughNightRules(interruptions=3)) == ()
    assert rough_nights(night(1, 2), MORNING, RoughNightRules(is_enabled=False)) == ()


def test_the_night_is_that_of_the_persons_zone() -> None:
    # 14:00 and 15:00 UTC are 23:00 and 24:00 in Tokyo, where 08:00 is 23:00 UTC; 20:00 there is no night.
    (found,) = rough_nights(night(-13, -10, -9, zone="Asia/Tokyo"), MORNING, RoughNightRules())
    assert found.interruptions == 2
    assert found.ask_at == NOW + 3 * DAY - HOUR
