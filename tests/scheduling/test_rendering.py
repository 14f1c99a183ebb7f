"""Our renderer gives what PagerDuty gives: compared with the simulator and with hand-made cases."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.proof import describe, prove
from calmo_pagerduty.scheduling.rendering import (
    INTERPRETATIONS,
    Interpretation,
    TurnClock,
    ZoneUnknown,
    render,
)
from calmo_pagerduty.snapshots.model import (
    Entry,
    Layer,
    Override,
    Restriction,
    RestrictionKind,
    Schedule,
    ScheduleKind,
)
from calmo_pagerduty.snapshots.on_call import Shift, shifts_of
from tests.support import simulated_schedules as simulated

LONDON, LORD_HOWE = ZoneInfo("Europe/London"), ZoneInfo("Australia/Lord_Howe")
DAY = 86_400


def at(text: str, zone: ZoneInfo = LONDON) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def a_schedule(*layers: Layer, zone: ZoneInfo = LONDON, overrides: tuple[Override, ...] = ()) -> Schedule:
    return Schedule("S", "Primary", None, ScheduleKind.LAYERS, zone.key, layers=layers, overrides=overrides)


def daily(*users: str, start: int, turn: int = DAY, restrictions: tuple[Restriction, ...] = ()) -> Layer:
    return Layer("L", "Layer", start, None, start, turn, users, restrictions)


@pytest.mark.parametrize("seed", range(60))
def test_layers_are_rendered_as_the_simulated_pagerduty_does(seed: int) -> None:
    schedule = simulated.snapshot_of_layers(simulated.random_layer_schedule(seed))
    assert schedule.entries is not None
    ours, window = render(schedule, simulated.window()), simulated.window()
    assert shifts_of(ours, window) == shifts_of(schedule.entries, window)
    assert prove(schedule, window).interpretation == Interpretation()


@pytest.mark.parametrize("seed", range(60))
def test_rotations_are_rendered_as_the_simulated_pagerduty_does(seed: int) -> None:
    schedule = simulated.snapshot_of_shifts(simulated.random_shift_schedule(seed))
    assert schedule.entries is not None
    assert any(
        renders_every_source(schedule, interpretation)
        for interpretation in INTERPRETATIONS[ScheduleKind.SHIFTS]
    )
    assert prove(schedule, simulated.window()).interpretation is not None


def renders_every_source(schedule: Schedule, interpretation: Interpretation) -> bool:
    assert schedule.entries is not None
    return by_source(render(schedule, simulated.window(), interpretation)) == by_source(schedule.entries)


def by_source(entries: tuple[Entry, ...]) -> dict[str, tuple[Shift, ...]]:
    return {
        source: shifts_of([entry for entry in entries if entry.source == source], simulated.window())
        for source in sorted({entry.source for entry in entries})
    }


def test_a_handoff_at_nine_stays_at_nine_when_the_clock_changes() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-23T09:00")))
    entries = render(schedule, Span(at("2026-10-24T09:00"), at("2026-10-27T09:00")))
    assert [entry.end - entry.start for entry in entries] == [25 * 3600, DAY, DAY]
    assert [(entry.start, entry.user_id) for entry in entries] == [
        (at("2026-10-24T09:00"), "B"),
        (at("2026-10-25T09:00"), "A"),
        (at("2026-10-26T09:00"), "B"),
    ]


def test_by_elapsed_time_the_handoff_moves_to_eight() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-23T09:00")))
    window = Span(at("2026-10-25T06:00"), at("2026-10-25T12:00"))
    entries = render(schedule, window, Interpretation(turn_clock=TurnClock.ELAPSED))
    assert entries[1].start == at("2026-10-25T08:00")


def test_lord_howe_moves_by_half_an_hour() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-01T09:00", LORD_HOWE)), zone=LORD_HOWE)
    window = Span(at("2026-10-03T09:00", LORD_HOWE), at("2026-10-04T09:00", LORD_HOWE))
    [entry] = render(schedule, window)
    assert entry.end - entry.start == 23 * 3600 + 1800


def test_a_nightly_restriction_lasts_an_hour_longer_in_the_night_of_the_change() -> None:
    night = Restriction(RestrictionKind.DAILY, 22 * 3600, 8 * 3600)
    schedule = a_schedule(daily("A", start=at("2026-10-01T00:00"), restrictions=(night,)))
    entries = render(schedule, Span(at("2026-10-24T12:00"), at("2026-10-26T12:00")))
    assert [entry.end - entry.start for entry in entries] == [9 * 3600, 8 * 3600]


def test_a_weekly_restriction_begins_on_its_day() -> None:
    weekend = Restriction(RestrictionKind.WEEKLY, 17 * 3600, 64 * 3600, start_day_of_week=5)
    schedule = a_schedule(daily("A", start=at("2026-09-01T00:00"), restrictions=(weekend,)))
    [entry] = render(schedule, Span(at("2026-10-05T10:00"), at("2026-10-13T00:00")))
    assert (entry.start, entry.end) == (at("2026-10-09T17:00"), at("2026-10-12T09:00"))


def test_the_first_layer_wins_and_a_later_override_wins_over_an_earlier() -> None:
    start = at("2026-10-05T00:00")
    office = Restriction(RestrictionKind.DAILY, 9 * 3600, 8 * 3600)
    schedule = a_schedule(
        daily("A", start=start, restrictions=(office,)),
        daily("B", start=start),
        overrides=(
            Override("O1", start + 8 * 3600, start + 12 * 3600, "C"),
            Override("O2", start + 10 * 3600, start + 11 * 3600, "D"),
        ),
    )
    entries = render(schedule, Span(start, start + DAY))
    hours = [((entry.start - start) // 3600, (entry.end - start) // 3600, entry.user_id) for entry in entries]
    assert hours == [(0, 8, "B"), (8, 10, "C"), (10, 11, "D"), (11, 12, "C"), (12, 17, "A"), (17, 24, "B")]


def test_the_proof_finds_the_reading_that_pagerduty_follows() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-23T09:00")))
    window = Span(at("2026-10-24T09:00"), at("2026-10-30T09:00"))
    interpretation = Interpretation(turn_clock=TurnClock.ELAPSED)
    rendered = replace(schedule, entries=render(schedule, window, interpretation))
    assert prove(rendered, window).interpretation == interpretation


def test_a_schedule_that_we_render_otherwise_is_refused_with_the_first_difference_in_names() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-05T09:00")))
    window = Span(at("2026-10-05T09:00"), at("2026-10-09T09:00"))
    true = render(schedule, window)
    theirs = (*true[:1], replace(true[1], end=true[1].end - 3600), *true[2:])
    proof = prove(replace(schedule, entries=theirs), window)
    assert proof.interpretation is None
    assert describe(proof, schedule, {"A": "Ann", "B": "Ben"}) == (
        "Primary: from Wed 2026-10-07 08:00 to Wed 2026-10-07 09:00 (Europe/London)"
        " PagerDuty has nobody on call, our rendering has Ben"
    )


def test_a_schedule_whose_entries_are_unknown_is_refused() -> None:
    schedule = replace(a_schedule(daily("A", start=0)), entries=None)
    proof = prove(schedule, Span(0, DAY))
    assert describe(proof, schedule, {}) == "Primary: PagerDuty's own entries could not be read"


def test_an_unknown_zone_is_refused() -> None:
    schedule = replace(a_schedule(daily("A", start=0)), time_zone="Mars/Olympus")
    with pytest.raises(ZoneUnknown):
        render(schedule, Span(0, DAY))
    assert prove(schedule, Span(0, DAY)).reason == "the time zone 'Mars/Olympus' is not known"


def test_splitting_and_repeating_pagerdutys_entries_changes_no_proof() -> None:
    schedule = a_schedule(daily("A", "B", start=at("2026-10-05T09:00")))
    window = Span(at("2026-10-05T09:00"), at("2026-10-09T09:00"))
    split = [
        part
        for entry in render(schedule, window)
        for part in (
            Entry(entry.start, entry.start + 60, entry.user_id),
            Entry(entry.start + 60, entry.end, entry.user_id),
            entry,
        )
    ]
    assert prove(replace(schedule, entries=tuple(split[::-1])), window).interpretation == Interpretation()
