"""Why nobody is on call, from evidence, and what to do about it."""

from typing import Any

import pytest

from calmo_pagerduty.coverage.causes import REMEDIES, cause_of, remedy
from calmo_pagerduty.coverage.model import Cause, OrphanKind
from calmo_pagerduty.coverage.report import ReportOptions, coverage_report
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    Entry,
    IntendedHole,
    Layer,
    Override,
    Restriction,
    RestrictionKind,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
)
from calmo_pagerduty.snapshots.on_call import OnCallIndex
from tests.support.coverage_worlds import DAY, HOUR, NOW, account, policy_of, schedule_of, service_of, user_of

WINDOW = Span(NOW, NOW + 30 * DAY)
END = NOW + 10 * DAY
GAP = Span(END, NOW + 30 * DAY)
OFFICE = (Restriction(RestrictionKind.DAILY, 9 * HOUR, 8 * HOUR),)


def layer(id: str = "L1", start: int = NOW - 90 * DAY, end: int | None = None, **fields: Any) -> Layer:
    return Layer(
        id, id, start, end, start, DAY, fields.get("user_ids", ("UA",)), fields.get("restrictions", ())
    )


def event(end: int | None, members: tuple[str | None, ...] = ("UA",)) -> RotationEvent:
    start = NOW - 90 * DAY
    return RotationEvent(
        "E1", "E1", start, start + DAY, "Europe/London", start, end, ("RRULE:FREQ=DAILY",),
        AssignmentStrategy.ROTATING, 1, members,
    )  # fmt: skip


SHIFTS: dict[str, Any] = {"kind": ScheduleKind.SHIFTS}
UNTIL_END = (NOW - 35 * DAY, END, "UA")
CASES: dict[str, tuple[Cause, Schedule]] = {
    "no layers": (Cause.NO_LAYERS, schedule_of("S1")),
    "layers without people": (Cause.NO_USERS, schedule_of("S1", layers=(layer(user_ids=()),))),
    "a rotation without people": (
        Cause.NO_USERS,
        schedule_of("S1", **SHIFTS, rotations=(Rotation("R1", "R1", (event(None, (None,)),)),)),
    ),
    "a deleted person in turn": (
        Cause.USER_DELETED,
        schedule_of("S1", (NOW, NOW + 30 * DAY, "UGONE"), layers=(layer(user_ids=("UGONE", "UA")),)),
    ),
    "only deleted people": (Cause.USER_DELETED, schedule_of("S1", layers=(layer(user_ids=("UGONE",)),))),
    "a restricted layer": (Cause.RESTRICTION, schedule_of("S1", layers=(layer(restrictions=OFFICE),))),
    "a rotation at other hours": (
        Cause.RECURRENCE,
        schedule_of("S1", **SHIFTS, rotations=(Rotation("R1", "R1", (event(None),)),)),
    ),
    "the layer ended": (Cause.LAYER_ENDED, schedule_of("S1", UNTIL_END, layers=(layer(end=END),))),
    "a layer ended, a restricted one goes on": (
        Cause.LAYER_ENDED,
        schedule_of("S1", UNTIL_END, layers=(layer(end=END), layer("L2", restrictions=OFFICE))),
    ),
    "a layer long ago ended, a restricted one goes on": (
        Cause.RESTRICTION,
        schedule_of("S1", layers=(layer(end=NOW - 30 * DAY), layer("L2", restrictions=OFFICE))),
    ),
    "the rotation ended": (
        Cause.ROTATION_ENDED,
        schedule_of("S1", UNTIL_END, **SHIFTS, rotations=(Rotation("R1", "R1", (event(END),)),)),
    ),
    "the last override ended": (
        Cause.OVERRIDE_ENDED,
        schedule_of("S1", UNTIL_END, overrides=(Override("O1", NOW, END, "UA"),)),
    ),
    "an override after the layer's end ended": (
        Cause.OVERRIDE_ENDED,
        schedule_of("S1", UNTIL_END, layers=(layer(end=NOW),), overrides=(Override("O1", NOW, END, "UA"),)),
    ),
    "the layer begins later": (Cause.NOT_STARTED, schedule_of("S1", layers=(layer(start=NOW + 60 * DAY),))),
    "an unassigned shift": (
        Cause.INTENDED,
        schedule_of("S1", **SHIFTS, intended_holes=(IntendedHole(END, GAP.end, "schedule_rotation:R1"),)),
    ),
    "nothing explains it": (Cause.UNEXPLAINED, schedule_of("S1", layers=(layer(),))),
}


@pytest.mark.parametrize(("cause", "schedule"), CASES.values(), ids=CASES.keys())
def test_the_cause_follows_from_layers_rotations_and_overrides(cause: Cause, schedule: Schedule) -> None:
    timelines = Timelines(OnCallIndex(account(schedules=(schedule,), users=(user_of("UA"),))), WINDOW)
    gap = next(span for span in timelines.schedule("S1").gaps if span.end == GAP.end or span.start >= END)
    why = cause_of(timelines, schedule, Span(max(gap.start, END), gap.end))
    assert why.cause is cause
    assert schedule.name in remedy(timelines, [why])


def test_every_cause_has_a_case_and_a_remedy() -> None:
    assert {cause for cause, _ in CASES.values()} == set(Cause)
    assert set(REMEDIES) == set(Cause)


@pytest.mark.parametrize("name", ["the layer ended", "the rotation ended", "the last override ended"])
def test_an_end_in_the_window_is_a_cliff_with_its_date(name: str) -> None:
    report = coverage_report(account(schedules=(CASES[name][1],)), NOW, ReportOptions(days=30))
    (cliff,) = report.cliffs
    assert (cliff.at, cliff.why.ended_at, cliff.why.cause) == (END, END, CASES[name][0])


def test_a_layer_that_another_follows_and_an_end_in_the_past_are_no_cliffs() -> None:
    followed = schedule_of(
        "S1", (NOW - DAY, NOW + 92 * DAY, "UA"), layers=(layer(end=END), layer("L2", start=END))
    )
    past = schedule_of("S2", layers=(layer(end=NOW - DAY),))
    assert coverage_report(account(schedules=(followed, past)), NOW).cliffs == ()


def test_an_override_between_others_is_no_cliff() -> None:
    schedule = schedule_of(
        "S1",
        (NOW, NOW + DAY, "UA"),
        (NOW + 2 * DAY, NOW + 3 * DAY, "UA"),
        overrides=(Override("O1", NOW, NOW + DAY, "UA"), Override("O2", NOW + 2 * DAY, NOW + 3 * DAY, "UA")),
    )
    (cliff,) = coverage_report(account(schedules=(schedule,)), NOW).cliffs
    assert cliff.why.part_id == "O2"


def test_orphaned_overrides_are_found_by_their_reason() -> None:
    deleted = schedule_of("S1", layers=(layer(),), overrides=(Override("O1", NOW, NOW + DAY, "UGONE"),))
    left = schedule_of(
        "S2",
        layers=(layer(end=NOW - DAY, user_ids=("UA", "UB")), layer("L2", start=NOW - DAY)),
        overrides=(Override("O2", NOW, NOW + DAY, "UB"),),
    )
    moved = schedule_of(
        "S3",
        entries=(Entry(NOW + 2 * DAY, NOW + 3 * DAY, "UB", "schedule_rotation:R1"),),
        overrides=(Override("O3", NOW, NOW + DAY, "UA", rotation_id="R1", overridden_user_id="UB"),),
        **SHIFTS,
    )
    sound = schedule_of(
        "S4", (NOW, NOW + DAY, "UC"), layers=(layer(),), overrides=(Override("O4", NOW, NOW + DAY, "UC"),)
    )
    past = schedule_of("S5", layers=(layer(),), overrides=(Override("O5", NOW - DAY, NOW, "UGONE"),))
    users = tuple(user_of(id) for id in ("UA", "UB", "UC"))
    report = coverage_report(account(schedules=(deleted, left, moved, sound, past), users=users), NOW)
    assert [(orphan.override_id, orphan.kind) for orphan in report.orphans] == [
        ("O1", OrphanKind.USER_DELETED), ("O2", OrphanKind.LEFT_POOL), ("O3", OrphanKind.SHIFT_MOVED),
    ]  # fmt: skip


def test_a_gap_of_the_policy_names_the_cause_of_each_schedule() -> None:
    ended = schedule_of("S1", UNTIL_END, layers=(layer(end=END),))
    bare = schedule_of("S2")
    snapshot = account(
        schedules=(ended, bare),
        policies=(policy_of("P1", ["S1"], ["S2"]),),
        services=(service_of("V1", "P1"),),
    )
    (gap,) = coverage_report(snapshot, NOW).policies[0].gaps
    assert [why.cause for why in gap.causes] == [Cause.LAYER_ENDED, Cause.NO_LAYERS]
