"""An override puts one person on call, in either kind of schedule, once."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import InvalidRequest, Unreachable
from tests.support.plan_runs import AGAIN, listed, run
from tests.tools.test_schedules import OTHER_KIND, entry, shift

NINE, ELEVEN, NOON, FIVE = (f"2026-03-03T{hour}:00:00Z" for hour in ("09", "11", "12", "17"))
ASKED = {"schedule_id": "PS", "user_id": "PU9", "start": NINE, "end": FIVE}
LAYERS = {"schedule": {"id": "PS", "schedule_layers": [{"id": "PL"}]}}
ROTATION = {"type": "schedule_rotation", "rotation_id": "R1"}
CUSTOM = {"type": "custom_shift", "shift_id": "C1"}


def shifts(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"schedule": {"id": "PS", "final_schedule": {"computed_shift_assignments": list(rows)}}}


def test_an_override_of_layers_replaces_everyone() -> None:
    made: Any = [{"status": 201, "override": {"id": "O1", **entry(NINE, FIVE, "PU9")}}]
    done = run("create_schedule_override", ASKED, LAYERS, made)
    assert done.body() == {
        "overrides": [
            {"start": NINE, "end": FIVE, "user": {"id": "PU9", "type": "user_reference"}, "time_zone": "UTC"}
        ]
    }
    assert done.result["items"][0]["id"] == "O1"


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_override_that_was_refused_inside_a_201_is_refused(wrapped: bool) -> None:
    rows: Any = [{"status": 400, "errors": ["Override must end in the future"], "override": {}}]
    with pytest.raises(InvalidRequest, match="must end in the future"):
        run("create_schedule_override", ASKED, LAYERS, {"items": rows} if wrapped else rows)


def test_an_override_of_layers_happens_once() -> None:
    with pytest.raises(Unreachable):
        run("create_schedule_override", ASKED, LAYERS, Unreachable("lost"))
    there = {"overrides": [{"id": "O1", **entry("2026-03-03T10:00:00+01:00", FIVE, "PU9")}]}
    done = run("create_schedule_override", ASKED, LAYERS, there, call=AGAIN)
    assert done.writes == [] and done.result["items"][0]["id"] == "O1"
    other = {
        "overrides": [{"id": "O0", **entry(NINE, NOON, "PU9")}, {"id": "O2", **entry(NINE, FIVE, "PU8")}]
    }
    made: Any = [{"status": 201, "override": {"id": "O1"}}]
    assert len(run("create_schedule_override", ASKED, LAYERS, other, made, call=AGAIN).writes) == 1


def test_in_a_schedule_of_shifts_each_source_is_replaced_and_gaps_are_filled() -> None:
    there = shifts(
        shift("2026-03-03T00:00:00Z", ELEVEN, "PU1", ROTATION),
        shift(ELEVEN, NOON, "PU2", CUSTOM),
        shift(NOON, FIVE, None, ROTATION),
    )
    done = run("create_schedule_override", ASKED, OTHER_KIND, there, {"overrides": []}, {"custom_shifts": []})
    assert [write.path for write in done.writes] == [
        "/v3/schedules/PS/overrides",
        "/v3/schedules/PS/custom_shifts",
    ]
    first, second = done.body(0)["overrides"]
    assert (first["rotation_id"], first["start_time"], first["end_time"]) == ("R1", NINE, ELEVEN)
    assert first["overridden_member"] == {"type": "user_member", "user_id": "PU1"}
    assert first["overriding_member"] == {"type": "user_member", "user_id": "PU9"}
    assert (second["custom_shift_id"], second["end_time"]) == ("C1", NOON)
    assert done.body(1)["custom_shifts"] == [
        {
            "type": "custom_shift",
            "start_time": NOON,
            "end_time": FIVE,
            "assignments": [
                {"type": "shift_assignment", "member": {"type": "user_member", "user_id": "PU9"}}
            ],
        }
    ]


def test_it_must_be_said_which_of_several_is_replaced() -> None:
    there = shifts(shift(NINE, FIVE, "PU1", ROTATION), shift(NINE, FIVE, "PU2", CUSTOM))
    with pytest.raises(InvalidRequest, match="PU1 or PU2"):
        run("create_schedule_override", ASKED, OTHER_KIND, there)
    named = ASKED | {"replaced_user_id": "PU2"}
    done = run("create_schedule_override", named, OTHER_KIND, there, {"overrides": []})
    assert [override["custom_shift_id"] for override in done.body()["overrides"]] == ["C1"]
    with pytest.raises(InvalidRequest, match="isn't on call"):
        run("create_schedule_override", ASKED | {"replaced_user_id": "PU7"}, OTHER_KIND, there)


def test_an_override_is_not_overridden() -> None:
    source = {"type": "schedule_rotation_override", "rotation_id": "R1", "override_id": "O1"}
    with pytest.raises(InvalidRequest, match="delete it first"):
        run("create_schedule_override", ASKED, OTHER_KIND, shifts(shift(NINE, FIVE, "PU1", source)))


def test_whoever_is_on_call_already_is_left_alone() -> None:
    there = shifts(shift(NINE, FIVE, "PU9", ROTATION))
    done = run("create_schedule_override", ASKED, OTHER_KIND, there)
    assert done.writes == [] and "already" in done.result["notes"][0]


def test_an_override_of_shifts_happens_once() -> None:
    members = {
        "overridden_member": {"type": "user_member", "user_id": "PU1"},
        "overriding_member": {"type": "user_member", "user_id": "PU9"},
    }
    made = {"id": "O1", "rotation_id": "R1", "start_time": NINE, "end_time": FIVE, **members}
    taken = {"type": "schedule_rotation_override", "rotation_id": "R1", "override_id": "O1"}
    after = shifts(shift(NINE, FIVE, "PU9", taken))
    done = run("create_schedule_override", ASKED, OTHER_KIND, after, listed(made), listed(), call=AGAIN)
    assert done.writes == [] and [override["id"] for override in done.result["items"]] == ["O1"]
    # The rendered schedule may lag behind the override that was made.
    before = shifts(shift(NINE, FIVE, "PU1", ROTATION))
    late = run("create_schedule_override", ASKED, OTHER_KIND, before, listed(made), listed(), call=AGAIN)
    assert late.writes == []
    answers: tuple[Any, ...] = (OTHER_KIND, before, listed(), {"overrides": [made]}, listed())
    assert len(run("create_schedule_override", ASKED, *answers, call=AGAIN).writes) == 1


def test_a_half_that_was_made_is_not_made_again() -> None:
    member = {"type": "user_member", "user_id": "PU9"}
    custom = {"id": "C9", "start_time": NOON, "end_time": FIVE, "assignments": [{"member": member}]}
    there = shifts(shift(NINE, NOON, "PU1", ROTATION))
    answers: tuple[Any, ...] = (OTHER_KIND, there, listed(), {"overrides": []}, listed(custom))
    done = run("create_schedule_override", ASKED, *answers, call=AGAIN)
    assert [write.path for write in done.writes] == ["/v3/schedules/PS/overrides"]
