"""Flapping is told from hand-written sequences, and a pause is replayed as by hand."""

from dataclasses import replace

import pytest

from calmo_pagerduty.patterns.auto_pause import PAUSES, PauseSetting, pause_advice, replay_pause
from calmo_pagerduty.patterns.flapping import flapping_alerts
from calmo_pagerduty.patterns.past import past_of
from calmo_pagerduty.snapshots.model import SectionName, SectionState, Service
from tests.support.chance import repeatable
from tests.support.past_incidents import PastWriter
from tests.support.snapshots import TAKEN_AT, with_section


@pytest.mark.parametrize(
    ("cycles", "spells"),
    [
        ([(0, 3), (10, 3), (20, 3)], [3]),
        ([(0, 3), (10, 3)], []),
        # The third comes 16 minutes after the second has ended.
        ([(0, 3), (10, 3), (29, 3)], []),
        ([(0, 3), (10, 3), (28, 3)], [3]),
        # Each follows within 15 minutes, but no three lie within an hour.
        ([(0, 20), (35, 20), (70, 20)], []),
        ([(0, 3), (10, 3), (20, 3), (300, 3), (310, 3), (320, 3), (330, 3)], [3, 4]),
    ],
)
def test_spells_are_found_in_hand_written_sequences(cycles: list[tuple[int, int]], spells: list[int]) -> None:
    past = PastWriter()
    for minute, lasts in cycles:
        past.add(minute, lasts)
    found = flapping_alerts(past_of(past.snapshot(), TAKEN_AT))
    assert [len(spell) for alert in found for spell in alert.spells] == spells


def test_a_person_s_resolution_ends_a_spell() -> None:
    past = PastWriter()
    for minute in (0, 10):
        past.add(minute, 3)
    past.add(20, 3, by="PADA")
    assert flapping_alerts(past_of(past.snapshot(), TAKEN_AT)) == ()


def test_the_five_pauses_avoid_and_delay_what_a_hand_counts() -> None:
    past = PastWriter()
    for number, minutes in enumerate((1, 2, 2.5, 4, 9, 14, 20)):
        past.add(number * 1000, minutes, pages=number + 1)
    past.add(9000, 1, by="PADA", pages=1)
    items = past_of(past.snapshot(), TAKEN_AT).incidents
    replays = [replay_pause(items, seconds) for seconds in PAUSES]
    assert [replay.avoided for replay in replays] == [2, 3, 4, 5, 6]
    assert [replay.avoided_pages for replay in replays] == [3, 6, 10, 15, 21]
    assert [replay.delayed_pages for replay in replays] == [26, 23, 19, 14, 8]
    assert {replay.handled for replay in replays} == {1}


def test_the_service_is_paused_as_a_whole_or_else_the_kind_that_heals_itself() -> None:
    healing, mixed = PastWriter(), PastWriter()
    for number in range(20):
        healing.add(number * 600, 2.5)
        mixed.add(number * 600, 2.5)
    for number in range(10):
        mixed.add(number * 700 + 100, 30, by="PADA", kind="k2")
    [whole] = pause_advice(past_of(healing.snapshot(), TAKEN_AT))
    assert (whole.kind, whole.setting, whole.chosen.seconds) == (None, PauseSetting.SERVICE, 180)
    [part] = pause_advice(past_of(mixed.snapshot(), TAKEN_AT))
    assert (part.kind, part.setting, part.chosen.avoided_pages) == ("k1", PauseSetting.RULE, 20)
    assert part.checked is not None and part.checked.avoided == 10
    paused = Service("PSHOP", "Basket", None, "active", "PPOL", auto_pause_seconds=300)
    assert pause_advice(past_of(healing.snapshot(paused), TAKEN_AT)) == ()


def test_without_a_log_nothing_is_said() -> None:
    past = PastWriter()
    for number in range(20):
        past.add(number * 600, 2.5)
    snapshot = past.snapshot()
    hidden = replace(snapshot.section(SectionName.LOG_ENTRIES), state=SectionState.FORBIDDEN)
    known = past_of(with_section(snapshot, hidden), TAKEN_AT)
    assert known.problem and not known.incidents


def test_planted_worlds_are_found_and_placebos_are_clean() -> None:
    found = [_advised(seed, flaps=True) for seed in range(40)]
    clean = [not _advised(seed, flaps=False) for seed in range(40)]
    assert sum(found) >= 36 and sum(clean) >= 38


def _advised(seed: int, *, flaps: bool) -> bool:
    """A world of everyday incidents, a third of which heal; in half of them an alert flaps weekly."""
    rng = repeatable(f"pause/{seed}")
    past = PastWriter()
    for kind in ("a", "b", "c"):
        for _ in range(rng.randrange(12, 25)):
            heals = rng.random() < 0.3
            lasts = 2 + rng.expovariate(1 / 8) if heals else 10 + rng.expovariate(1 / 50)
            past.add(rng.uniform(0, 110_000), lasts, by=None if heals else "PADA", kind=kind)
    for week in range(10 if flaps else 0):
        for cycle in range(rng.randrange(3, 6)):
            past.add(week * 10_080 + 12 * cycle, rng.uniform(2, 4), kind="flap")
    advice = pause_advice(past_of(past.snapshot(), TAKEN_AT))
    return any(item.kind == "flap" for item in advice) if flaps else bool(advice)
