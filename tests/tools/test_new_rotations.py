"""A rotation is added to the schedule that its draft was computed for, once, and nobody's time is lost."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.schedule_versions import structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind
from calmo_pagerduty.tools.arguments import InvalidArguments
from tests.support.plan_runs import AGAIN, run
from tests.tools.test_schedule_changes import event, layer, layers
from tests.tools.test_schedules import OTHER_KIND

START = "2026-03-09T09:00:00Z"
OLD_LAYER = layer("PL1", "PU1")
EVENT = event("E1", "PU1")


def shifts(*rotations: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows = [{"id": id_, "events": events} for id_, events in rotations]
    return {"schedule": {"id": "PS", "name": "Old", "time_zone": "UTC", "rotations": rows}}


def draft(kind: ScheduleKind, present: dict[str, Any], **parts: Any) -> dict[str, Any]:
    own: dict[str, Any] = {"turn_seconds": 604_800}
    if kind is ScheduleKind.SHIFTS:
        own = {
            "first_shift_end": "2026-03-16T09:00:00Z",
            "time_zone": "UTC",
            "recurrence": "RRULE:FREQ=WEEKLY",
        }
    return {
        "schedule_id": "PS",
        "version": structure_version(kind, present["schedule"]),
        "name": "New",
        "user_ids": ["PU2", "PU3"],
        "starts_at": START,
        "first_shift_start": START,
        **own,
        **parts,
    }


def made_layer() -> dict[str, Any]:
    return layer("PL2", "PU2", "PU3") | {
        "name": "New",
        "start": START,
        "rotation_virtual_start": START,
        "rotation_turn_length_seconds": 604_800,
    }


def made_event() -> dict[str, Any]:
    return event("E2", "PU2", "PU3", since=START) | {
        "name": "New",
        "start_time": {"date_time": START, "time_zone": "UTC"},
        "recurrence": ["RRULE:FREQ=WEEKLY"],
    }


def test_a_layer_is_added_above_the_others_by_one_request() -> None:
    present, after = layers(OLD_LAYER), layers(OLD_LAYER, made_layer())
    done = run("add_schedule_rotation", draft(ScheduleKind.LAYERS, present), present, after, after)
    old, new = done.body()["schedule"]["schedule_layers"]
    assert (old["id"], old["end"]) == ("PL1", None)
    assert "id" not in new
    assert [row["user"]["id"] for row in new["users"]] == ["PU2", "PU3"]
    assert (new["start"], new["rotation_turn_length_seconds"]) == (START, 604_800)


def test_a_layer_that_replaces_the_others_ends_them_when_it_begins() -> None:
    present, after = layers(OLD_LAYER), layers(OLD_LAYER, made_layer())
    arguments = draft(ScheduleKind.LAYERS, present, replaces=True)
    done = run("add_schedule_rotation", arguments, present, after, after)
    assert done.body()["schedule"]["schedule_layers"][0]["end"] == START


def test_the_new_layer_wins_where_pagerduty_shows_layers_in_the_opposite_order() -> None:
    present = layers(layer("PL1", "PU1"), layer("PL0", "PU9"))
    shown = layers(made_layer(), layer("PL0", "PU9"), layer("PL1", "PU1"))
    done = run("add_schedule_rotation", draft(ScheduleKind.LAYERS, present), present, shown, shown, shown)
    assert [row.get("id") for row in done.body()["schedule"]["schedule_layers"]] == ["PL0", "PL1", "PL2"]


def test_a_rotation_is_created_empty_then_filled_and_only_then_the_rest_ends() -> None:
    present = shifts(("R1", [EVENT, event("E9", "PU1", since="2026-04-01T00:00:00Z")]))
    arguments = draft(ScheduleKind.SHIFTS, present, replaces=True)
    answers: Any = (OTHER_KIND, present, {"rotation": {"id": "R2"}}, {}, {}, {}, OTHER_KIND, present)
    done = run("add_schedule_rotation", arguments, *answers)
    path = "/v3/schedules/PS/rotations"
    assert [f"{write.method} {write.path}" for write in done.writes] == [
        f"POST {path}",
        f"POST {path}/R2/events",
        f"PUT {path}/R1/events/E1",
        f"DELETE {path}/R1/events/E9",
    ]
    assert done.body(2) == {"event": {"effective_until": START}}
    assert done.body(1)["event"]["assignment_strategy"]["members"] == [
        {"type": "user_member", "user_id": "PU2"},
        {"type": "user_member", "user_id": "PU3"},
    ]


@pytest.mark.parametrize("kind", list(ScheduleKind))
def test_a_schedule_that_has_changed_gets_no_rotation(kind: ScheduleKind) -> None:
    present = layers(OLD_LAYER) if kind is ScheduleKind.LAYERS else shifts(("R1", [EVENT]))
    other = layers(layer("PL1", "PU8")) if kind is ScheduleKind.LAYERS else shifts(("R1", []))
    answers: Any = (other,) if kind is ScheduleKind.LAYERS else (OTHER_KIND, other)
    with pytest.raises(InvalidRequest, match="no longer the one") as refused:
        run("add_schedule_rotation", draft(kind, present), *answers)
    assert refused.value.changed_nothing


def test_a_rotation_never_begins_in_the_past() -> None:
    present = layers(OLD_LAYER)
    arguments = draft(ScheduleKind.LAYERS, present, starts_at="2026-03-02T09:00:00Z")
    with pytest.raises(InvalidRequest, match="in the past"):
        run("add_schedule_rotation", arguments, present)


def test_an_attempt_that_was_cut_off_after_the_empty_rotation_fills_that_one() -> None:
    present = shifts(("R1", [EVENT]))
    left = shifts(("R1", [EVENT]), ("R2", []))
    answers: Any = (OTHER_KIND, left, {}, OTHER_KIND, left)
    done = run("add_schedule_rotation", draft(ScheduleKind.SHIFTS, present), *answers, call=AGAIN)
    assert [write.path for write in done.writes] == ["/v3/schedules/PS/rotations/R2/events"]


def test_an_attempt_that_was_cut_off_before_the_end_of_the_rest_ends_it() -> None:
    present = shifts(("R1", [EVENT]))
    left = shifts(("R1", [EVENT]), ("R2", [made_event()]))
    arguments = draft(ScheduleKind.SHIFTS, present, replaces=True)
    answers: Any = (OTHER_KIND, left, {}, OTHER_KIND, left)
    done = run("add_schedule_rotation", arguments, *answers, call=AGAIN)
    assert [write.path for write in done.writes] == ["/v3/schedules/PS/rotations/R1/events/E1"]


def test_what_is_there_already_is_added_no_second_time() -> None:
    present, after = layers(OLD_LAYER), layers(OLD_LAYER, made_layer())
    done = run("add_schedule_rotation", draft(ScheduleKind.LAYERS, present), after, after, call=AGAIN)
    assert done.writes == []


@pytest.mark.parametrize(
    "change",
    [
        {"recurrence": "RRULE:FREQ=YEARLY"},
        {"recurrence": "RRULE:FREQ=WEEKLY;BYDAY=MO,TU", "shifts_per_member": 1},
        {"turn_seconds": 86_400},
        {"time_zone": None},
        {"first_shift_end": START},
        {"user_ids": []},
        {
            "restrictions": [
                {"type": "daily_restriction", "start_time_of_day": "09:00:00", "duration_seconds": 3600}
            ]
        },
    ],
)
def test_what_pagerduty_or_its_editor_would_not_take_is_refused_before_anything_is_asked(
    change: dict[str, Any],
) -> None:
    with pytest.raises(InvalidArguments):
        run("add_schedule_rotation", draft(ScheduleKind.SHIFTS, shifts()) | change)
