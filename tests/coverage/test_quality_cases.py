"""Grafana OnCall's published quality cases: their score reproduced, and each difference from the union named.

Their coverage adds the durations of events and stops at 1, so people who are on call at the same time hide
a gap. Ours is a union. Source: grafana/oncall, `engine/apps/schedules/tests/test_quality_score.py` and
`calendars/quality.ics` (the times), `engine/apps/schedules/models/on_call_schedule.py` (the score): the mean
of coverage and balance, where balance is the mean over pairs of people of the smaller share by the larger.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Final

import pytest

from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from tests.support.coverage_worlds import DAY, HOUR, account, at, schedule_of

#: Start, end (UTC), and whose event it is; where both are named, it counts for both.
EVENTS: Final = (
    ("2022-09-05 00:00", "2022-09-06 00:00", ("U1",)),
    ("2022-09-08 16:00", "2022-09-08 22:00", ("U2",)),
    ("2022-09-09 01:30", "2022-09-09 02:00", ("U1",)),
    ("2022-09-09 04:00", "2022-09-09 06:00", ("U2",)),
    ("2022-09-09 04:30", "2022-09-09 05:30", ("U1",)),
    ("2022-09-09 07:45", "2022-09-09 08:45", ("U1", "U2")),
    ("2022-09-12 00:00", "2022-09-16 00:00", ("U1",)),
    ("2022-09-19 03:00", "2022-09-19 05:45", ("U1",)),
    ("2022-09-19 07:00", "2022-09-19 08:30", ("U1",)),
    ("2022-09-19 11:00", "2022-09-19 12:00", ("U1",)),
    ("2022-09-19 15:00", "2022-09-19 18:00", ("U1",)),
    ("2022-09-19 19:30", "2022-09-19 21:00", ("U1",)),
)


@dataclass(frozen=True, slots=True)
class Case:
    start: str
    days: int
    score: int
    #: What they say is not covered, and what the union says: per cent.
    published: int
    ours: float
    overloaded: int | None
    why: str


CASES: Final = (
    Case("2022-09-05 00:00", 7, 28, 79, 80.06, 49, "04:30 to 05:30 on the 9th has two people"),
    Case("2022-09-09 00:00", 1, 51, 81, 85.417, 9, "04:30 to 05:30 has two people"),
    Case("2022-09-12 00:00", 4, 100, 0, 0.0, None, ""),
    Case("2022-09-19 00:00", 1, 70, 59, 59.375, None, ""),
    Case("1999-01-01 00:00", 10, 0, 100, 100.0, None, ""),
)


@pytest.mark.parametrize("case", CASES, ids=[f"{case.start[:10]} {case.days} d" for case in CASES])
def test_the_union_differs_from_the_published_sum_only_where_people_overlap(case: Case) -> None:
    now = at(case.start)
    entries = [(at(start), at(end), user) for start, end, users in EVENTS for user in users]
    snapshot = account(
        schedules=(schedule_of("S1", *entries),), rendered_since=now, rendered_until=now + 92 * DAY
    )
    (result,) = coverage_report(snapshot, now, ReportOptions(days=case.days)).schedules
    assert result.coverage is not None and result.coverage.percentage is not None
    uncovered = 100 - result.coverage.percentage
    assert uncovered == pytest.approx(case.ours, abs=0.01)

    durations = _durations(now, now + case.days * DAY)
    summed = min(1.0, sum(hours for hours, _ in durations) / (24 * case.days))
    assert 100 - round(100 * summed) == case.published
    by_user = _by_user(durations)
    balance = _balance(list(by_user.values()))
    score = round((round(100 * summed) + round(100 * balance)) / 2) if by_user else 0
    assert score == case.score
    assert _overload(by_user) == case.overloaded
    assert (abs(uncovered - case.published) > 0.5) == bool(case.why)


def test_the_balance_of_a_rota_with_heavy_weekends() -> None:
    """Four people with 27 h and four with 15 h a week: balance 75, score 88, overloaded by 29 %."""
    hours = [27.0] * 4 + [15.0] * 4
    assert round(100 * _balance(hours)) == 75
    assert round((100 + round(100 * _balance(hours))) / 2) == 88
    assert round(100 * (max(hours) / (sum(hours) / 8) - 1)) == 29


def _durations(start: int, end: int) -> list[tuple[float, tuple[str, ...]]]:
    """The hours of each event within the window, and whose they are."""
    cut = [(max(at(s), start), min(at(e), end), users) for s, e, users in EVENTS]
    return [((until - since) / HOUR, users) for since, until, users in cut if since < until]


def _by_user(durations: list[tuple[float, tuple[str, ...]]]) -> dict[str, float]:
    hours: dict[str, float] = {}
    for length, users in durations:
        for user in users:
            hours[user] = hours.get(user, 0.0) + length
    return hours


def _balance(hours: list[float]) -> float:
    pairs = list(combinations(hours, 2))
    return sum(min(pair) / max(pair) for pair in pairs) / len(pairs) if pairs else 1.0


def _overload(by_user: dict[str, float]) -> int | None:
    """By how many per cent the person with most hours lies above the mean; None if all are equal."""
    if not by_user:
        return None
    mean = sum(by_user.values()) / len(by_user)
    over = round(100 * (max(by_user.values()) / mean - 1))
    return over or None
