"""Shifts are intervals: what is cut out and laid over is right minute by minute."""

import random
from datetime import UTC, datetime, timedelta

from pagerduty_simulator.shifts import Shift, overlaid, without
from tests.support.chance import repeatable

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
LENGTH = 60


def drawn(rng: random.Random, user: str, most: int) -> list[Shift]:
    shifts = []
    for _ in range(rng.randrange(most)):
        start, end = sorted(rng.sample(range(LENGTH + 1), 2))
        shifts.append(Shift(BEGIN + timedelta(minutes=start), BEGIN + timedelta(minutes=end), user))
    return shifts


def minutes(shift: Shift) -> set[int]:
    start, end = (round((at - BEGIN) / timedelta(minutes=1)) for at in (shift.start, shift.end))
    return set(range(start, end))


def test_what_is_left_of_each_shift_is_its_minutes_without_all_holes() -> None:
    rng = repeatable(5)
    for _ in range(300):
        shifts, holes = drawn(rng, "A", 5), drawn(rng, "B", 6)
        taken = set().union(*(minutes(hole) for hole in holes)) if holes else set()
        for shift in shifts:
            left = without([shift], holes)
            assert (
                set().union(*(minutes(part) for part in left)) == minutes(shift) - taken
                if left
                else (minutes(shift) <= taken)
            )
            assert sum(len(minutes(part)) for part in left) == len(minutes(shift) - taken)
            assert all(part.start < part.end for part in left)


def test_what_lies_above_wins() -> None:
    rng = repeatable(6)
    for _ in range(100):
        below, above = drawn(rng, "A", 4), drawn(rng, "B", 4)
        laid = overlaid(below, above)
        covered = set().union(*(minutes(shift) for shift in above)) if above else set()
        assert all(not minutes(shift) & covered for shift in laid if shift.user_id == "A")
        assert [shift.start for shift in laid] == sorted(shift.start for shift in laid)
