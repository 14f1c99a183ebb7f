"""Each kind of scenario, by hand: who is on call after it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from calmo_pagerduty.scheduling.applying import Applied, WhatIfRefused, apply_scenario
from calmo_pagerduty.scheduling.scenarios import Scenario, ScenarioInvalid, parse_scenario
from calmo_pagerduty.snapshots.model import AccountSnapshot, Target, TargetKind
from tests.support.rota_accounts import (
    HANDOFF,
    NAMES,
    WEEK,
    at,
    layer_schedule,
    rota_account,
    shift_schedule,
    weekly_layer,
)
from tests.support.small_accounts import DAY, HOUR

NOW = HANDOFF


def scenario(*changes: Mapping[str, Any], days: int = 35, **parts: Any) -> Scenario:
    return parse_scenario({"name": "What if", "changes": list(changes), "days": days, **parts})


def applied(snapshot: AccountSnapshot, *changes: Mapping[str, Any], **parts: Any) -> Applied:
    return apply_scenario(snapshot, scenario(*changes, **parts), NOW)


def turns(snapshot: AccountSnapshot, schedule: int = 0, limit: int = 5) -> list[str]:
    entries = snapshot.schedules[schedule].entries or ()
    return [NAMES.get(entry.user_id, entry.user_id) for entry in entries if entry.start >= NOW][:limit]


WEEKLY = rota_account(layer_schedule(weekly_layer("UA", "UB", "UC")))
DAILY = rota_account(shift_schedule("UA", "UB", "UC"))


def test_the_rota_before_any_change() -> None:
    assert turns(WEEKLY) == ["Cat", "Ann", "Ben", "Cat", "Ann"]
    assert turns(DAILY) == ["Cat", "Ann", "Ben", "Cat", "Ann"]


def test_nothing_changes_without_a_change() -> None:
    result = applied(WEEKLY)
    assert result.before == result.after == WEEKLY
    assert result.changed_schedules == ()


@pytest.mark.parametrize("account", [WEEKLY, DAILY])
def test_after_a_leaver_turns_go_on_with_the_next(account: AccountSnapshot) -> None:
    step = WEEK if account is WEEKLY else DAY
    leave_at = "2026-10-05T09:00:00+01:00"
    assert turns(applied(account, {"type": "leaver", "user": "Ann", "at": leave_at}).after) == [
        "Cat", "Ben", "Cat", "Ben", "Cat",
    ]  # fmt: skip
    # In the middle of Cat's turn, Ann is next.
    entries = (
        applied(account, {"type": "leaver", "user": "UC", "at": leave_at}).after.schedules[0].entries or ()
    )
    first = [entry for entry in entries if entry.start >= NOW][:2]
    assert [(entry.user_id, entry.start) for entry in first] == [("UA", NOW), ("UB", NOW + step)]


def test_a_leaver_leaves_policies_too() -> None:
    result = applied(WEEKLY, {"type": "leaver", "user": "Dan", "at": "2026-10-06T09:00:00Z"})
    assert result.after.policies[0].rules[1].targets == ()
    assert result.notes == ("Name of P1: Dan counts as gone from its levels all the time.",)


def test_the_last_person_who_leaves_leaves_a_gap() -> None:
    account = rota_account(layer_schedule(weekly_layer("UA")))
    after = applied(account, {"type": "leaver", "user": "UA", "at": "2026-10-06T08:00:00Z"}).after
    assert max(entry.end for entry in after.schedules[0].entries or ()) == at("2026-10-06T09:00")


def test_a_joiner_comes_after_the_others_and_may_be_unknown_to_pagerduty() -> None:
    when = "2026-10-05T09:00:00+01:00"
    joiner = {
        "type": "joiner",
        "new_user": "Eve",
        "time_zone": "Asia/Kolkata",
        "schedule": "Primary",
        "at": when,
    }
    assert turns(applied(WEEKLY, joiner).after) == ["Cat", "Ann", "Ben", "new:Eve", "Cat"]
    known = {"type": "joiner", "user": "Dan", "schedule": "S3", "after": "Cat", "at": when}
    assert turns(applied(DAILY, known).after) == ["Cat", "Dan", "Ann", "Ben", "Cat"]


def test_time_off_leaves_a_gap_or_has_a_cover() -> None:
    away = {
        "type": "time_off",
        "user": "Cat",
        "start": "2026-10-06T09:00:00+01:00",
        "end": "2026-10-07T09:00:00+01:00",
    }
    entries = applied(WEEKLY, away).after.schedules[0].entries or ()
    mine = [entry for entry in entries if NOW <= entry.start < NOW + WEEK]
    assert [(entry.user_id, entry.end - entry.start) for entry in mine] == [("UC", DAY), ("UC", 5 * DAY)]
    covered = applied(WEEKLY, away | {"cover": "Ben"}).after.schedules[0].entries or ()
    assert [entry.user_id for entry in covered if NOW <= entry.start < NOW + WEEK] == ["UC", "UB", "UC"]


def test_a_new_rotation_wins_or_replaces() -> None:
    rotation = {
        "type": "new_rotation", "schedule": "Primary", "users": ["Dan"], "start": "2026-10-05T09:00:00+01:00",
        "from_clock": "09:00", "to_clock": "17:00", "days": ["MO", "TU"],
    }  # fmt: skip
    after = applied(WEEKLY, rotation, days=7).after.schedules[0].entries or ()
    spans = [
        ((entry.start - NOW) // HOUR, (entry.end - NOW) // HOUR, entry.user_id)
        for entry in after
        if NOW <= entry.start < NOW + 2 * DAY
    ]
    assert spans == [(0, 8, "UD"), (8, 24, "UC"), (24, 32, "UD"), (32, 168, "UC")]
    replaced = applied(WEEKLY, rotation | {"replaces": True}, days=7).after.schedules[0].entries or ()
    assert {entry.user_id for entry in replaced if entry.start >= NOW} == {"UD"}


def test_a_new_rotation_of_shifts_takes_turns_by_weeks() -> None:
    rotation = {
        "type": "new_rotation", "schedule": "S3", "users": ["Dan", "Ben"],
        "start": "2026-10-05T09:00:00+01:00",
        "from_clock": "22:00", "to_clock": "06:00", "days": ["SA", "FR"], "replaces": True,
    }  # fmt: skip
    after = applied(DAILY, rotation).after.schedules[0]
    event = after.rotations[1].events[0]
    assert (event.recurrence, event.shifts_per_member) == (("RRULE:FREQ=WEEKLY;BYDAY=FR,SA",), 2)
    entries = [entry for entry in after.entries or () if entry.start >= NOW]
    assert [entry.user_id for entry in entries][:4] == ["UD", "UD", "UB", "UB"]
    assert [entry.end - entry.start for entry in entries][:2] == [8 * HOUR, 8 * HOUR]


def test_a_policy_gets_other_delays_targets_levels_and_loops() -> None:
    def rules(**change: Any) -> list[tuple[int, tuple[Target, ...]]]:
        policy = applied(WEEKLY, {"type": "policy", "policy": "P1", **change}).after.policies[0]
        return [(rule.delay_minutes, rule.targets) for rule in policy.rules]

    dan, primary = Target(TargetKind.USER, "UD"), Target(TargetKind.SCHEDULE, "S1")
    assert rules(level=1, delay_minutes=5) == [(5, (primary,)), (30, (dan,))]
    assert rules(level=2, remove=True) == [(15, (primary,))]
    assert rules(level=3, targets=["Primary"]) == [(15, (primary,)), (30, (dan,)), (30, (primary,))]
    loops = applied(WEEKLY, {"type": "policy", "policy": "P1", "num_loops": 3}).after.policies[0].num_loops
    assert loops == 3
    with pytest.raises(ScenarioInvalid):
        rules(level=9, delay_minutes=5)


def test_a_clock_change_is_compared_with_a_clock_that_stays() -> None:
    result = applied(WEEKLY, {"type": "clock_change"})
    assert result.changed_schedules == ("S1",)
    change = at("2026-10-26T09:00")
    after = {entry.start for entry in result.after.schedules[0].entries or ()}
    before = {entry.start for entry in result.before.schedules[0].entries or ()}
    assert change in after and change not in before and change - HOUR in before


def test_a_holiday_closes_schedules() -> None:
    holiday = {"type": "holiday", "day": "2026-10-12", "name": "Closed", "closed": ["Primary"]}
    result = applied(WEEKLY, holiday)
    assert result.holidays == {"2026-10-12": "Closed"}
    entries = result.after.schedules[0].entries or ()
    assert not any(
        entry.start < at("2026-10-13T00:00") and entry.end > at("2026-10-12T00:00") for entry in entries
    )


def test_a_schedule_that_is_not_proved_is_refused_in_names() -> None:
    schedule = WEEKLY.schedules[0]
    wrong = tuple(replace(entry, user_id="UD") for entry in schedule.entries or ())
    account = replace(WEEKLY, schedules=(replace(schedule, entries=wrong),))
    with pytest.raises(WhatIfRefused, match="PagerDuty has Dan on call, our rendering has"):
        applied(account, {"type": "leaver", "user": "Ann", "at": "2026-10-06T09:00:00Z"})
    # Time off and policies need no rendering.
    applied(account, {"type": "policy", "policy": "P1", "num_loops": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"type": "leaver", "user": "Nobody", "at": "2026-10-06T09:00:00Z"},
        {"type": "leaver", "user": "UA"},
        {"type": "unknown"},
        {"type": "joiner", "schedule": "S1", "at": "2026-10-06T09:00:00Z"},
        {"type": "joiner", "user": "Ann", "schedule": "S1", "at": "2026-10-06T09:00:00Z"},
        {"type": "time_off", "user": "UA", "start": "2026-10-06T09:00:00Z", "end": "2026-10-06T09:00:00Z"},
        {"type": "policy", "policy": "P1", "level": 1},
        {"type": "holiday", "day": "2026-02-30"},
        {"type": "new_rotation", "schedule": "S1", "users": [], "start": "2026-10-06T09:00:00Z"},
    ],
)
def test_what_makes_no_sense_is_refused(change: Mapping[str, Any]) -> None:
    with pytest.raises(ScenarioInvalid):
        applied(WEEKLY, change)


def test_the_same_scenario_gives_the_same_account() -> None:
    change = {"type": "leaver", "user": "Ann", "at": "2026-10-06T09:00:00Z"}
    assert applied(WEEKLY, change) == applied(WEEKLY, change)
    assert (
        scenario(change).digest()
        == parse_scenario({"name": "Other name", "changes": [change], "days": 35}).digest()
    )
