"""A draft is applied to the schedule that it was computed for, once, and to no other."""

from typing import Any

import pytest

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.pagerduty.errors import InvalidRequest
from calmo_pagerduty.pagerduty.schedule_drafts import DraftChange, draft_state
from calmo_pagerduty.pagerduty.schedule_versions import draft_version, structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind
from calmo_pagerduty.tools.arguments import InvalidArguments
from tests.support.plan_runs import AGAIN, run
from tests.tools.test_schedules import OTHER_KIND, entry, shift

DAYS = [f"2026-03-{day:02}T09:00:00Z" for day in range(3, 8)]
EPOCHS = [1_772_528_400 + 86_400 * day for day in range(5)]
ROTATION = {"type": "schedule_rotation", "rotation_id": "R1"}


def layers(*users: str, turn: int = 86_400) -> dict[str, Any]:
    """Return a schedule in which each user has one day, in this order."""
    rows = [entry(DAYS[day], DAYS[day + 1], user) for day, user in enumerate(users) if user]
    layer = {"id": "PL", "rotation_turn_length_seconds": turn}
    return {
        "schedule": {
            "id": "PS",
            "time_zone": "UTC",
            "schedule_layers": [layer],
            "final_schedule": {"rendered_schedule_entries": rows},
        }
    }


def shifts(*users: str) -> dict[str, Any]:
    rows = [shift(DAYS[day], DAYS[day + 1], user or None, ROTATION) for day, user in enumerate(users)]
    return {
        "schedule": {"id": "PS", "time_zone": "UTC", "final_schedule": {"computed_shift_assignments": rows}}
    }


def draft(
    present: dict[str, Any], kind: ScheduleKind, *changes: tuple[int, str, str | None]
) -> dict[str, Any]:
    """Return a draft: each change puts a user on the day with this number instead of another."""
    users = ["PU1", "PU2", "PU1", "PU2"]
    entries = [(EPOCHS[day], EPOCHS[day + 1], user) for day, user in enumerate(users)]
    return {
        "schedule_id": "PS",
        "version": draft_version(structure_version(kind, present["schedule"]), entries),
        "since": DAYS[0],
        "until": DAYS[4],
        "changes": [
            {"start": DAYS[day], "end": DAYS[day + 1], "user_id": user, "replaced_user_id": replaced}
            for day, user, replaced in changes
        ],
    }


SWAP = ((0, "PU2", "PU1"), (1, "PU1", "PU2"))
PRESENT = layers("PU1", "PU2", "PU1", "PU2")
AFTER = layers("PU2", "PU1", "PU1", "PU2")
MADE: Any = [{"status": 201, "override": {"id": "O1"}}, {"status": 201, "override": {"id": "O2"}}]


def test_a_swap_of_layers_is_one_request_of_two_overrides() -> None:
    done = run("apply_schedule_draft", draft(PRESENT, ScheduleKind.LAYERS, *SWAP), PRESENT, MADE, AFTER)
    assert [write.path for write in done.writes] == ["/schedules/PS/overrides"]
    assert [(row["start"], row["user"]["id"]) for row in done.body()["overrides"]] == [
        (DAYS[0], "PU2"),
        (DAYS[1], "PU1"),
    ]
    assert [item["in_force"] for item in done.result["items"]] == [True, True]
    assert "notes" not in done.result or done.result["notes"] == []


@pytest.mark.parametrize(
    "present",
    [
        layers("PU1", "PU2", "PU1", "PU9"),
        layers("PU1", "PU2", "PU1", "PU2", turn=3600),
        layers("PU1", "PU2", "PU1"),
    ],
)
def test_a_schedule_that_has_changed_is_refused_and_nothing_is_written(present: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="no longer the one") as refused:
        run("apply_schedule_draft", draft(PRESENT, ScheduleKind.LAYERS, *SWAP), present)
    assert refused.value.changed_nothing
    assert "compute the draft again" in str(refused.value.advice)


def test_an_attempt_that_was_cut_off_goes_on_with_what_is_missing() -> None:
    arguments = draft(PRESENT, ScheduleKind.LAYERS, *SWAP)
    half = layers("PU2", "PU2", "PU1", "PU2")
    done = run("apply_schedule_draft", arguments, half, MADE[:1], AFTER, call=AGAIN)
    assert [row["user"]["id"] for row in done.body()["overrides"]] == ["PU1"]
    assert done.result["notes"] == ["1 of the changes were in force already."]


def test_a_draft_that_is_in_force_is_applied_no_second_time() -> None:
    arguments = draft(PRESENT, ScheduleKind.LAYERS, *SWAP)
    done = run("apply_schedule_draft", arguments, AFTER, AFTER, call=AGAIN)
    assert done.writes == []
    assert [item["in_force"] for item in done.result["items"]] == [True, True]


def test_an_override_that_pagerduty_refuses_is_said() -> None:
    refused: Any = [MADE[0], {"status": 400, "errors": ["no such user"]}]
    with pytest.raises(InvalidRequest, match="refused 1 of 2 overrides") as error:
        run("apply_schedule_draft", draft(PRESENT, ScheduleKind.LAYERS, *SWAP), PRESENT, refused)
    assert not error.value.changed_nothing


def test_in_shifts_a_source_is_overridden_and_a_gap_gets_a_custom_shift() -> None:
    present = shifts("PU1", "PU2", "PU1", "")
    arguments = draft(present, ScheduleKind.SHIFTS, (0, "PU2", "PU1"), (3, "PU1", None))
    entries = [(EPOCHS[day], EPOCHS[day + 1], user) for day, user in enumerate(("PU1", "PU2", "PU1"))]
    structure = structure_version(ScheduleKind.SHIFTS, present["schedule"])
    arguments["version"] = draft_version(structure, entries)
    after = shifts("PU2", "PU2", "PU1", "PU1")
    done = run("apply_schedule_draft", arguments, OTHER_KIND, present, {}, {}, OTHER_KIND, after)
    assert [write.path for write in done.writes] == [
        "/v3/schedules/PS/overrides",
        "/v3/schedules/PS/custom_shifts",
    ]
    [override] = done.body(0)["overrides"]
    assert (override["rotation_id"], override["overridden_member"]["user_id"]) == ("R1", "PU1")
    [custom] = done.body(1)["custom_shifts"]
    assert (custom["start_time"], custom["assignments"][0]["member"]["user_id"]) == (DAYS[3], "PU1")


def test_a_change_of_the_past_is_refused() -> None:
    late = AGAIN.model_copy(update={"now": AGAIN.now.replace(month=4)})
    with pytest.raises(InvalidRequest, match="past"):
        run("apply_schedule_draft", draft(PRESENT, ScheduleKind.LAYERS, *SWAP), PRESENT, call=late)


@pytest.mark.parametrize(
    "part",
    [
        {"version": "v1"},
        {"changes": []},
        {"until": DAYS[1]},
        {"changes": [{"start": DAYS[1], "end": DAYS[0], "user_id": "PU1"}]},
        {"changes": [{"start": DAYS[0], "end": DAYS[1], "user_id": "PU1", "replaced_user_id": "PU1"}]},
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        run("apply_schedule_draft", draft(PRESENT, ScheduleKind.LAYERS, *SWAP) | part)


def test_what_others_changed_beside_a_draft_in_force_is_noticed() -> None:
    entries = [(0, 10, "A"), (10, 20, "B")]
    change = DraftChange(0, 10, "B", "A")
    version = draft_version("s", entries)
    window = Span(0, 20)
    assert draft_state("s", [(0, 20, "B")], window, version, [change]).is_current
    state = draft_state("s", [(0, 15, "B"), (15, 20, "C")], window, version, [change])
    assert (state.is_current, state.done) == (False, (change,))
