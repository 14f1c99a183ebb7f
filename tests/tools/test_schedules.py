"""Schedules of both kinds are one thing to whoever reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calmo_pagerduty.pagerduty.errors import InvalidRequest, NotFound, ServerFault, TokenRejected
from calmo_pagerduty.pagerduty.requests import ListRequest
from calmo_pagerduty.pagerduty.schedules import find_gaps, parse_layer_schedule, parse_shift_schedule
from tests.support.plan_runs import FIRST, NOON, listed, run

OTHER_KIND = InvalidRequest("This is a shift-based schedule. Use the v3 Schedules API", status=400)
LAYERS = {"id": "PA", "type": "schedule", "name": "Layers", "time_zone": "UTC"}
SHIFTS = {"id": "PB", "type": "schedule_v3_reference", "summary": "Shifts"}


def entry(start: str, end: str, user: str) -> dict[str, Any]:
    return {"start": start, "end": end, "user": {"id": user, "summary": "Ada"}}


def shift(start: str, end: str, user: str | None, source: dict[str, str]) -> dict[str, Any]:
    member = {"type": "user_member", "user_id": user} if user else {"type": "empty_member"}
    return {"start_time": start, "end_time": end, "member": member, "source": source}


def test_both_kinds_are_listed_together() -> None:
    done = run("list_schedules", {"query": "o"}, listed(LAYERS), listed(SHIFTS))
    assert done.lines == ["GET /schedules", "GET /v3/schedules"]
    assert done.result["items"] == [
        {"id": "PA", "name": "Layers", "kind": "layers", "time_zone": "UTC"},
        {"id": "PB", "name": "Shifts", "kind": "shifts"},
    ]
    assert (done.result["next"], done.result["notes"]) == (None, [])


@pytest.mark.parametrize("lost", [0, 1])
def test_a_list_that_loses_one_half_says_so(lost: int) -> None:
    answers: list[Any] = [listed(LAYERS), listed(SHIFTS)]
    answers[lost] = ServerFault("trouble")
    done = run("list_schedules", {}, *answers)
    assert [item["id"] for item in done.result["items"]] == [["PB", "PA"][lost]]
    assert done.result["notes"] == [f"Schedules made of {['layers', 'shifts'][lost]} are missing: trouble."]


def test_a_list_that_loses_both_halves_fails() -> None:
    with pytest.raises(ServerFault, match="first"):
        run("list_schedules", {}, ServerFault("first"), ServerFault("second"))
    with pytest.raises(TokenRejected):
        run("list_schedules", {}, TokenRejected("wrong key"))


def test_a_limited_list_goes_on_through_both_kinds() -> None:
    first = run("list_schedules", {"limit": 1}, listed(LAYERS, next_="25"))
    assert first.result["next"] == "layers:25"
    second = run("list_schedules", {"limit": 1, "after": "layers:25"}, listed(LAYERS))
    assert second.result["next"] == "shifts:"
    third = run("list_schedules", {"limit": 1, "after": "shifts:"}, listed(SHIFTS, next_="1"))
    assert (third.lines, third.result["next"]) == (["GET /v3/schedules"], "shifts:1")
    asked = run("list_schedules", {"limit": 1, "after": "shifts:1"}, listed(SHIFTS)).asked[0]
    assert isinstance(asked, ListRequest) and asked.after == "1"


def test_a_schedule_of_layers_shows_entries_and_gaps() -> None:
    entries = [entry("2026-03-02T13:00:00+01:00", "2026-03-09T12:00:00Z", "PU1")]
    thing = LAYERS | {"final_schedule": {"rendered_schedule_entries": entries}}
    done = run("get_schedule", {"schedule_id": "PA"}, {"schedule": thing})
    assert done.result["entries"] == [
        {
            "start": "2026-03-02T12:00:00Z",
            "end": "2026-03-09T12:00:00Z",
            "user_ids": ["PU1"],
            "source": "final_schedule",
        }
    ]
    assert done.result["gaps"] == [{"start": "2026-03-09T12:00:00Z", "end": "2026-03-16T12:00:00Z"}]


def test_a_schedule_of_the_other_kind_is_found_by_the_other_api() -> None:
    source = {"type": "schedule_rotation", "rotation_id": "R1"}
    rows = [
        shift("2026-03-02T12:00:00Z", "2026-03-16T12:00:00Z", "PU1", source),
        shift("2026-03-02T12:00:00Z", "2026-03-16T12:00:00Z", "PU2", source),
        shift("2026-03-16T12:00:00Z", "2026-03-17T12:00:00Z", None, source),
    ]
    thing = SHIFTS | {"final_schedule": {"computed_shift_assignments": rows}}
    done = run("get_schedule", {"schedule_id": "PB"}, OTHER_KIND, {"schedule": thing})
    assert done.query(1)["include[]"] == ["final_schedule"]
    assert done.result["kind"] == "shifts" and done.result["gaps"] == []
    assert [(row["user_ids"], row["source"]) for row in done.result["entries"]] == [
        (["PU1", "PU2"], "schedule_rotation:R1")
    ]


@pytest.mark.parametrize("second", [InvalidRequest("layer-based"), NotFound("no")])
def test_a_schedule_that_neither_api_knows_is_refused_as_the_first_one_did(second: Exception) -> None:
    with pytest.raises(InvalidRequest, match="shift-based"):
        run("get_schedule", {"schedule_id": "PB"}, OTHER_KIND, second)  # type: ignore[arg-type]  # an error stands for an answer


def test_overrides_of_both_kinds_look_alike() -> None:
    override = {"id": "O1", **entry("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z", "PU1")}
    layers = run("list_schedule_overrides", {"schedule_id": "PA"}, {"overrides": [override]})
    times = {"start_time": "2026-03-03T00:00:00Z", "end_time": "2026-03-04T00:00:00Z"}
    members = {
        "overridden_member": {"type": "user_member", "user_id": "PU2"},
        "overriding_member": {"type": "user_member", "user_id": "PU1"},
    }
    custom = {"id": "C1", **times, "assignments": [{"member": {"type": "user_member", "user_id": "PU3"}}]}
    shifts = run(
        "list_schedule_overrides",
        {"schedule_id": "PB"},
        OTHER_KIND,
        listed({"id": "O2", "rotation_id": "R1", **times, **members}),
        listed(custom),
    )
    shown = [*layers.result["items"], *shifts.result["items"]]
    assert [(row["id"], row["kind"], row["user_id"], row.get("replaces_user_id")) for row in shown] == [
        ("O1", "override", "PU1", None),
        ("O2", "override", "PU1", "PU2"),
        ("C1", "custom_shift", "PU3", None),
    ]
    assert {(row["start"], row["end"]) for row in shown} == {tuple(times.values())}


def test_who_is_on_call_now_and_who_will_be() -> None:
    rows: list[dict[str, Any]] = [
        {"user": {"id": "PU1"}, "escalation_level": 1, "start": None, "end": None},
        {"user": {"id": "PU1"}, "start": "2026-03-04T00:00:00Z", "end": "2026-03-05T00:00:00Z"},
    ]
    done = run("get_user_on_call_status", {"user_id": "PU1"}, listed(*rows))
    assert done.result["on_call"] is True
    assert (len(done.result["now"]), len(done.result["upcoming"])) == (1, 1)
    assert run("get_user_on_call_status", {"user_id": "PU1"}, listed()).result["on_call"] is False
    asked = run("list_on_call_users", {}, listed())
    assert asked.query()["since"] == ["2026-03-02T12:00:00Z"]
    assert asked.query()["until"] == ["2026-03-02T12:00:01Z"]


def test_a_covered_window_has_no_gap_though_the_clock_shows_a_fraction_of_a_second() -> None:
    now = NOON + timedelta(microseconds=500_000)
    entries = [entry("2026-03-01T00:00:00Z", "2026-03-16T12:00:00Z", "PU1")]
    thing = LAYERS | {"final_schedule": {"rendered_schedule_entries": entries}}
    at_half_past = FIRST.model_copy(update={"now": now})
    done = run("get_schedule", {"schedule_id": "PA"}, {"schedule": thing}, call=at_half_past)
    assert done.result["gaps"] == []


def test_gaps_are_between_entries_that_overlap_or_not() -> None:
    def at(hour: int) -> datetime:
        return datetime(2026, 3, 2, hour, tzinfo=UTC)

    rows = [("01", "03"), ("02", "04"), ("06", "07")]
    entries = parse_layer_schedule(
        {
            "final_schedule": {
                "rendered_schedule_entries": [
                    entry(f"2026-03-02T{start}:00:00Z", f"2026-03-02T{end}:00:00Z", "PU")
                    for start, end in rows
                ]
            }
        }
    ).entries
    assert find_gaps(entries, at(0), at(8)) == [(at(0), at(1)), (at(4), at(6)), (at(7), at(8))]
    assert find_gaps(entries, at(1), at(4)) == []
    assert find_gaps([], at(0), at(8)) == [(at(0), at(8))]


@pytest.mark.parametrize("value", [None, "x", 5, [None], {}, {"users": None}, [{"start": "x", "end": None}]])
def test_whatever_a_schedule_lacks_is_borne(value: Any) -> None:
    names = ("final_schedule", "rotations", "schedule_layers", "users", "teams", "escalation_policies")
    thing = dict.fromkeys(names, value) | {"final_schedule": {"rendered_schedule_entries": value}}
    assert parse_layer_schedule(thing).entries == ()
    assert parse_shift_schedule(dict.fromkeys(names, value)).entries == ()
