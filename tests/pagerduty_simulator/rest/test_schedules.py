"""Schedules of both kinds, their overrides, and who is on call by them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pagerduty_simulator.account import Account
from pagerduty_simulator.clocks import ManualClock
from pagerduty_simulator.layer_schedules import Layer, LayerSchedule
from pagerduty_simulator.shift_schedules import Rotation, RotationEvent, ShiftSchedule
from pagerduty_simulator.shifts import Shift, coverage_percentage
from tests.support.rest_account import Api

WEEK = {"since": "2026-01-05T00:00:00Z", "until": "2026-01-12T00:00:00Z"}
BERLIN = ZoneInfo("Europe/Berlin")


def final(answer: Any) -> list[tuple[str, str, str]]:
    entries = answer["schedule"]["final_schedule"]["rendered_schedule_entries"]
    return [(entry["start"], entry["end"], entry["user"]["summary"]) for entry in entries]


async def test_layers_are_rendered_in_the_schedule_s_zone_and_the_later_layer_wins(api: Api) -> None:
    answer = await api.get(f"/schedules/{api.schedule_id('Storefront primary')}", **WEEK)
    entries = final(answer)
    assert entries[0][0] == "2026-01-05T01:00:00+01:00"
    assert ("2026-01-10T08:00:00+01:00", "2026-01-10T20:00:00+01:00", "Sofia Castro") in entries
    assert any(start == "2026-01-05T09:00:00+01:00" for start, _, _ in entries)
    assert answer["schedule"]["final_schedule"]["rendered_coverage_percentage"] == 100.0


async def test_what_restrictions_leave_out_is_a_gap(api: Api) -> None:
    answer = await api.get(f"/schedules/{api.schedule_id('Platform office hours')}", **WEEK)
    assert len(final(answer)) == 5
    assert answer["schedule"]["final_schedule"]["rendered_coverage_percentage"] == 23.8


async def test_without_a_time_nothing_is_rendered(api: Api) -> None:
    answer = await api.get(f"/schedules/{api.schedule_id('Storefront primary')}")
    assert final(answer) == []
    assert answer["schedule"]["final_schedule"]["rendered_coverage_percentage"] is None


async def test_an_id_of_the_other_kind_is_400_with_a_hint(api: Api) -> None:
    layered, shifted = (api.schedule_id(name) for name in ("Storefront primary", "Payments around the clock"))
    for path, words in ((f"/schedules/{shifted}", "v3"), (f"/v3/schedules/{layered}", "v2")):
        response = await api.send("GET", path)
        assert response.status_code == 400
        assert words in response.json()["error"]["message"]
        assert "code" not in response.json()["error"]


async def test_overrides_are_answered_one_by_one_under_201(api: Api) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}"
    mei = {"id": api.user_id("Mei Tanaka"), "type": "user_reference"}
    wanted = [
        {"start": "2026-01-08T10:00:00Z", "end": "2026-01-08T12:00:00Z", "user": mei},
        {"start": "2026-01-08T12:00:00Z", "end": "2026-01-08T12:00:00Z", "user": mei},
    ]
    response = await api.send("POST", f"{path}/overrides", {"overrides": wanted})
    assert response.status_code == 201
    assert [answer["status"] for answer in response.json()] == [201, 400]
    assert response.json()[1]["errors"] == ["Override must end after its start"]
    covering = ("2026-01-08T11:00:00+01:00", "2026-01-08T13:00:00+01:00", "Mei Tanaka")
    assert covering in final(await api.get(path, **WEEK))
    listed = (await api.get(f"{path}/overrides", **WEEK))["overrides"]
    assert [override["id"] for override in listed] == [response.json()[0]["override"]["id"]]
    assert (await api.send("GET", f"{path}/overrides")).status_code == 400


async def test_deleting_an_override_depends_on_whether_it_has_begun(api: Api, clock: ManualClock) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}/overrides"
    mei = {"id": api.user_id("Mei Tanaka"), "type": "user_reference"}
    times = (
        ("2026-01-07T11:00:00Z", "2026-01-07T14:00:00Z"),
        ("2026-01-09T10:00:00Z", "2026-01-09T11:00:00Z"),
    )
    body = {"overrides": [{"start": start, "end": end, "user": mei} for start, end in times]}
    running, future = (answer["override"]["id"] for answer in (await api.send("POST", path, body)).json())
    assert (await api.send("DELETE", f"{path}/{future}")).status_code == 204
    assert (await api.send("DELETE", f"{path}/{running}")).status_code == 200
    clock.advance(timedelta(seconds=1))
    assert (await api.send("DELETE", f"{path}/{running}")).status_code == 400
    (left,) = (await api.get(path, **WEEK))["overrides"]
    assert left["end"] == "2026-01-07T13:00:00+01:00"


async def test_a_layer_left_out_of_an_update_ends_now(api: Api) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}"
    schedule = (await api.get(path, **WEEK))["schedule"]
    schedule["schedule_layers"] = schedule["schedule_layers"][:1]
    assert (await api.send("PUT", path, {"schedule": schedule})).status_code == 200
    read = await api.get(path, **WEEK)
    ended = {layer["name"]: layer["end"] for layer in read["schedule"]["schedule_layers"]}
    assert ended == {"Weekly": None, "Saturdays": "2026-01-07T13:00:00+01:00"}
    assert "Sofia Castro" not in {name for _, _, name in final(read)}


async def test_changes_of_a_schedule_are_audited_page_by_page(api: Api) -> None:
    path = f"/schedules/{api.schedule_id('Storefront primary')}"
    schedule = (await api.get(path))["schedule"]
    for number in range(5):
        await api.send("PUT", path, {"schedule": schedule | {"name": f"Name {number}"}})
    names, cursor = [], None
    while True:
        page = await api.get(f"{path}/audit/records", limit=2, **({"cursor": cursor} if cursor else {}))
        names += [record["details"]["fields"][0]["value"] for record in page["records"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"Name {number}" for number in reversed(range(5))]


async def shifts_of(api: Api, **query: Any) -> Any:
    path = f"/v3/schedules/{api.schedule_id('Payments around the clock')}"
    answer = await api.get(path, **{**WEEK, "include[]": "final_schedule", **query})
    return answer["schedule"]["final_schedule"]


async def test_gaps_of_a_shift_schedule_are_told_as_empty_members(api: Api) -> None:
    rendered = await shifts_of(api)
    shifts = rendered["computed_shift_assignments"]
    empty = [shift for shift in shifts if shift["member"]["type"] == "empty_member"]
    assert empty
    assert rendered["rendered_coverage_percentage"] < 100
    covered = sorted((shift["start_time"], shift["end_time"]) for shift in shifts)
    assert covered[0][0] == WEEK["since"]
    assert max(end for _, end in covered) == WEEK["until"]


async def test_an_override_of_shifts_replaces_one_member_in_one_source(api: Api) -> None:
    shifts = (await shifts_of(api))["computed_shift_assignments"]
    shift = next(it for it in shifts if it["member"].get("user_id") and it["start_time"] > "2026-01-08")
    sofia = {"type": "user_member", "user_id": api.user_id("Sofia Castro")}
    body = {"type": "override_shift", "rotation_id": shift["source"]["rotation_id"]}
    body |= {"start_time": shift["start_time"], "end_time": shift["end_time"]}
    body |= {"overridden_member": shift["member"], "overriding_member": sofia}
    path = f"/v3/schedules/{api.schedule_id('Payments around the clock')}/overrides"
    made = (await api.send("POST", path, {"overrides": [body]})).json()["overrides"][0]
    replaced = [
        it
        for it in (await shifts_of(api))["computed_shift_assignments"]
        if it["source"].get("override_id") == made["id"]
    ]
    assert [(it["start_time"], it["member"]) for it in replaced] == [(shift["start_time"], sofia)]
    both = await api.send("POST", path, {"overrides": [body | {"custom_shift_id": "X"}]})
    assert isinstance(both.json()["error"]["errors"], dict)
    late = await api.send("POST", path, {"overrides": [body | {"start_time": "soon"}]})
    assert (late.status_code, late.json()["error"]["errors"]) == (400, {"base": ["start_time is not a date"]})
    assert (await api.send("DELETE", f"{path}/{made['id']}")).status_code == 204


async def test_a_custom_shift_adds_a_person_and_wants_exactly_one(api: Api) -> None:
    path = f"/v3/schedules/{api.schedule_id('Payments around the clock')}/custom_shifts"
    member = {"type": "user_member", "user_id": api.user_id("Mei Tanaka")}
    shift = {"type": "custom_shift", "start_time": "2026-01-10T00:00:00Z", "end_time": "2026-01-10T06:00:00Z"}
    assigned = [{"type": "shift_assignment", "member": member}]
    twice = await api.send("POST", path, {"custom_shifts": [shift | {"assignments": assigned * 2}]})
    assert twice.status_code == 400
    assert (await api.send("POST", path, {"custom_shifts": [shift | {"assignments": assigned}]})).is_success
    members = [assignment["member"] for assignment in (await shifts_of(api))["computed_shift_assignments"]]
    assert member in members


async def test_an_active_event_s_members_are_frozen(api: Api, account: Account) -> None:
    schedule = account.belongings.schedules[api.schedule_id("Payments around the clock")]
    assert isinstance(schedule, ShiftSchedule)
    rotation = next(iter(schedule.rotations.values()))
    path = f"/v3/schedules/{schedule.id}/rotations/{rotation.id}/events/{next(iter(rotation.events))}"
    event = (await api.get(path))["event"]
    frozen = {"event": {"assignment_strategy": event["assignment_strategy"]}}
    assert (await api.send("PUT", path, frozen)).status_code == 400
    assert (await api.send("PUT", path, {"event": {"name": "By day"}})).json()["event"]["name"] == "By day"
    assert (await api.send("DELETE", path)).status_code == 204
    assert (await api.get(path))["event"]["effective_until"] == "2026-01-07T12:00:00Z"


@pytest.mark.parametrize("body", [{"rotations": []}, {"name": "Only a name"}])
async def test_a_shift_schedule_s_update_takes_name_and_zone_only(api: Api, body: Any) -> None:
    path = f"/v3/schedules/{api.schedule_id('Payments around the clock')}"
    assert (await api.send("PUT", path, {"schedule": body})).status_code == 400
    whole = {"schedule": {"name": "Payments", "time_zone": "UTC"}}
    assert (await api.send("PUT", path, whole)).json()["schedule"]["name"] == "Payments"


async def test_on_call_rows_come_from_both_kinds_and_from_users_themselves(api: Api) -> None:
    rows = (await api.get("/oncalls", limit=100))["oncalls"]
    kinds = {row["schedule"]["type"] if row["schedule"] else None for row in rows}
    assert kinds == {"schedule_reference", "schedule_v3_reference", None}
    permanent = [row for row in rows if row["schedule"] is None]
    assert {(row["start"], row["end"]) for row in permanent} == {(None, None)}
    never = {"schedule_ids[]": api.schedule_id("Old pager list")}
    assert (await api.get("/oncalls", **never))["oncalls"] == []


async def test_earliest_keeps_one_row_of_each_policy_level_and_user(api: Api) -> None:
    query = {
        "schedule_ids[]": api.schedule_id("Storefront primary"),
        "limit": 100,
        "until": "2026-02-05T00:00:00Z",
    }
    rows = (await api.get("/oncalls", **query))["oncalls"]
    earliest = (await api.get("/oncalls", earliest="true", **query))["oncalls"]
    assert len(rows) > len(earliest) == 3
    first: dict[tuple[str, int, str], Any] = {}
    for row in rows:
        first.setdefault(row["user"]["id"], row["start"])
    assert {row["user"]["id"]: row["start"] for row in earliest} == first
    too_far = {"until": "2026-06-01T00:00:00Z"}
    assert (await api.send("GET", "/oncalls", params=too_far)).status_code == 400


async def test_an_incident_pages_whoever_is_on_call(api: Api) -> None:
    on_call = (await api.get("/oncalls", **{"schedule_ids[]": api.schedule_id("Storefront primary")}))[
        "oncalls"
    ]
    made = await api.incident()
    assert [assignment["assignee"]["id"] for assignment in made["assignments"]] == [
        row["user"]["id"] for row in on_call
    ]


def test_a_handover_stays_at_nine_when_the_clocks_change() -> None:
    start = datetime(2026, 3, 23, 8, tzinfo=UTC)
    layer = Layer("L", "Weekly", start, ("A", "B"), timedelta(weeks=1), start)
    schedule = LayerSchedule("S", "S", "Europe/Berlin", (layer,))
    shifts = schedule.final_shifts(start, start + timedelta(days=20))
    assert {shift.start.astimezone(BERLIN).time() for shift in shifts} == {time(9)}
    assert [shift.user_id for shift in shifts] == ["A", "B", "A"]


def test_every_second_week_belongs_to_the_next_member() -> None:
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    rule = ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",)
    end = start + timedelta(hours=8)
    event = RotationEvent("E", "E", start, end, "UTC", start, rule, ("A", "B"))
    schedule = ShiftSchedule("S", "S", "UTC", {"R": Rotation("R", {"E": event})})
    shifts = schedule.final_shifts(start, start + timedelta(weeks=6))
    assert [(shift.start.day, shift.user_id) for shift in shifts] == [(5, "A"), (19, "B"), (2, "A")]


def test_overlapping_people_are_not_covered_twice() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    half = start + timedelta(hours=12)
    whole = start + timedelta(hours=24)
    shifts = [Shift(start, half, "A"), Shift(start, half, "B"), Shift(half, whole, None)]
    assert coverage_percentage(shifts, start, whole) == 50.0
