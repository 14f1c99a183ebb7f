"""A schedule's people and settings are changed without losing a layer, an event or a moment."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import (
    ChangedMeanwhile,
    InvalidRequest,
    NotFound,
    NotUnderstood,
    Unreachable,
)
from tests.support.plan_runs import AGAIN, run
from tests.tools.test_schedules import OTHER_KIND


def layer(id_: str, *users: str) -> dict[str, Any]:
    return {
        "id": id_,
        "start": "2026-01-01T00:00:00Z",
        "end": None,
        "rotation_virtual_start": "2026-01-01T00:00:00Z",
        "rotation_turn_length_seconds": 86400,
        "rendered_schedule_entries": [],
        "users": [{"user": {"id": user, "type": "user_reference", "summary": "Ada"}} for user in users],
    }


def layers(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"schedule": {"id": "PS", "name": "Old", "time_zone": "UTC", "schedule_layers": list(parts)}}


def event(id_: str, *users: str, since: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {
        "id": id_,
        "name": "Weekly",
        "start_time": {"date_time": "2026-01-01T09:00:00Z", "time_zone": "UTC"},
        "end_time": {"date_time": "2026-01-08T09:00:00Z", "time_zone": "UTC"},
        "effective_since": since,
        "effective_until": None,
        "recurrence": ["RRULE:FREQ=WEEKLY"],
        "assignment_strategy": {
            "type": "rotating_member_assignment_strategy",
            "shifts_per_member": 1,
            "members": [{"type": "user_member", "user_id": user} for user in users],
        },
    }


def shifts(*events: dict[str, Any]) -> dict[str, Any]:
    rotations = [{"id": "R1", "events": list(events)}]
    return {"schedule": {"id": "PS", "name": "Old", "time_zone": "UTC", "rotations": rotations}}


PEOPLE = {"schedule_id": "PS", "user_ids": ["PU2", "PU3"]}
EVENTS = "/v3/schedules/PS/rotations/R1/events"


def test_a_renamed_schedule_keeps_its_layers() -> None:
    before = layers(layer("PL1", "PU1"), layer("PL2", "PU2"))
    done = run("update_schedule", {"schedule_id": "PS", "name": "New"}, before, before)
    sent = done.body()["schedule"]
    assert (sent["name"], sent["time_zone"]) == ("New", "UTC")
    assert [schedule_layer["id"] for schedule_layer in sent["schedule_layers"]] == ["PL1", "PL2"]
    assert "rendered_schedule_entries" not in sent["schedule_layers"][0]
    assert sent["schedule_layers"][0]["users"] == [{"user": {"id": "PU1", "type": "user_reference"}}]


def test_layers_that_came_back_turned_round_are_turned_back() -> None:
    first, two = layer("PL1", "PU1"), layer("PL2", "PU2")
    done = run(
        "update_schedule",
        {"schedule_id": "PS", "name": "New"},
        layers(first, two),
        layers(two, first),
        layers(first, two),
    )
    assert [part["id"] for part in done.body()["schedule"]["schedule_layers"]] == ["PL2", "PL1"]


def test_a_layers_people_are_replaced() -> None:
    before = layers(layer("PL1", "PU1"), layer("PL2", "PU9"))
    done = run("update_schedule", PEOPLE | {"part_id": "PL1"}, before, before)
    users = [
        [row["user"]["id"] for row in part["users"]] for part in done.body()["schedule"]["schedule_layers"]
    ]
    assert users == [["PU2", "PU3"], ["PU9"]]
    with pytest.raises(InvalidRequest, match="PL1, PL2"):
        run("update_schedule", PEOPLE, before)


def test_a_schedule_without_layers_in_the_answer_is_not_written_back() -> None:
    with pytest.raises(NotUnderstood):
        run("update_schedule", {"schedule_id": "PS", "name": "New"}, {"schedule": {"id": "PS"}})


def test_a_schedule_that_somebody_changed_is_read_again() -> None:
    before, now = layers(layer("PL1", "PU1")), layers(layer("PL1", "PU1"), layer("PL2", "PU2"))
    arguments = {"schedule_id": "PS", "name": "New"}
    done = run("update_schedule", arguments, before, ChangedMeanwhile("race"), now, now)
    assert len(done.body()["schedule"]["schedule_layers"]) == 2


def test_a_schedule_of_shifts_gets_name_and_time_zone_together() -> None:
    done = run("update_schedule", {"schedule_id": "PS", "name": "New"}, OTHER_KIND, shifts(), shifts())
    assert done.body() == {"schedule": {"name": "New", "time_zone": "UTC"}}


def test_a_running_event_is_followed_by_a_successor_and_then_deleted() -> None:
    done = run("update_schedule", PEOPLE, OTHER_KIND, shifts(event("E1", "PU1")), {}, {}, shifts())
    assert [f"{write.method} {write.path}" for write in done.writes] == [
        f"POST {EVENTS}",
        f"DELETE {EVENTS}/E1",
    ]
    successor = done.body(0)["event"]
    assert successor["effective_since"] == "2026-03-02T12:00:00Z"
    assert [member["user_id"] for member in successor["assignment_strategy"]["members"]] == ["PU2", "PU3"]
    assert successor["recurrence"] == ["RRULE:FREQ=WEEKLY"] and "id" not in successor


def test_nothing_is_deleted_if_the_successor_is_refused() -> None:
    with pytest.raises(Unreachable):
        run("update_schedule", PEOPLE, OTHER_KIND, shifts(event("E1", "PU1")), Unreachable("lost"))


@pytest.mark.parametrize("part", [{}, {"part_id": "E1"}, {"part_id": "R1"}])
def test_a_successor_is_made_once(part: dict[str, str]) -> None:
    old, new = event("E1", "PU1"), event("E2", "PU2", "PU3", since="2026-03-02T12:00:01Z")
    half = run("update_schedule", PEOPLE | part, OTHER_KIND, shifts(old, new), {}, shifts(new), call=AGAIN)
    assert [f"{write.method} {write.path}" for write in half.writes] == [f"DELETE {EVENTS}/E1"]
    whole = run("update_schedule", PEOPLE | part, OTHER_KIND, shifts(new), shifts(new), call=AGAIN)
    assert whole.writes == []
    none = run(
        "update_schedule", PEOPLE | part, OTHER_KIND, shifts(old), {}, NotFound("gone"), shifts(), call=AGAIN
    )
    assert len(none.writes) == 2


def test_a_coming_event_is_changed_in_place() -> None:
    coming = event("E1", "PU1", since="2026-04-01T00:00:00Z")
    done = run("update_schedule", PEOPLE, OTHER_KIND, shifts(coming), {}, shifts())
    assert [f"{write.method} {write.path}" for write in done.writes] == [f"PUT {EVENTS}/E1"]
    assert set(done.body()["event"]) == {"assignment_strategy"}


def test_of_several_events_one_must_be_named_and_those_that_ended_do_not_count() -> None:
    ended = event("E0", "PU1") | {"effective_until": "2026-02-01T00:00:00Z"}
    with pytest.raises(InvalidRequest, match="E1, E2"):
        run("update_schedule", PEOPLE, OTHER_KIND, shifts(ended, event("E1", "PU1"), event("E2", "PU1")))
    same = shifts(ended, event("E1", "PU2", "PU3"))
    assert run("update_schedule", PEOPLE, OTHER_KIND, same, same).writes == []
