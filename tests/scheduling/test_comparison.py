"""Before and after a change, in names and by hand."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.pagerduty.schedule_drafts import DraftChange, draft_state
from calmo_pagerduty.scheduling.comparison_document import comparison_document
from calmo_pagerduty.scheduling.scenarios import parse_scenario
from calmo_pagerduty.scheduling.what_if import what_if, what_if_document
from calmo_pagerduty.snapshots.model import AccountSnapshot, Incident, Urgency
from calmo_pagerduty.tools.arguments import parse_arguments
from calmo_pagerduty.tools.catalogue import TOOLS
from calmo_pagerduty.workload.rules import PayRules, WorkloadSettings
from tests.support.rota_accounts import (
    HANDOFF,
    at,
    layer_schedule,
    rota_account,
    shift_schedule,
    weekly_layer,
)
from tests.support.small_accounts import DAY, HOUR, MONDAY, level, policy

WEEKLY = rota_account(layer_schedule(weekly_layer("UA", "UB", "UC")))
LEAVER = {"type": "leaver", "user": "Ann", "at": "2026-10-05T09:00:00+01:00"}


def everybody(_user_id: str) -> bool:
    return True


def document(account: AccountSnapshot, *changes: Mapping[str, Any], days: int = 28) -> dict[str, Any]:
    scenario = parse_scenario({"name": "What if", "changes": list(changes), "days": days})
    return what_if_document(account, scenario, HANDOFF, everybody)


def alone() -> AccountSnapshot:
    """Return an account whose only level is Ann, with an incident an hour for 30 days."""
    account = rota_account(layer_schedule(weekly_layer("UA")), policies=(policy(level("E1", 15, "S1")),))
    incidents = tuple(
        Incident(f"Q{hour}", hour, None, "V1", "P1", Urgency.HIGH, at, at + 60, "resolved")
        for hour, at in enumerate(range(MONDAY - 28 * DAY, MONDAY, HOUR))
    )
    sections = tuple(
        replace(section, since=MONDAY - 28 * DAY) if section.name in ("incidents", "log_entries") else section
        for section in account.sections
    )
    return replace(account, incidents=incidents, sections=sections)


def test_the_hours_of_a_leaver_go_to_the_others() -> None:
    result = document(WEEKLY, LEAVER)
    hours = {row["name"]: (row["before"]["hours"], row["after"]["hours"]) for row in result["people"]}
    # Weeks of Cat, Ann, Ben, Cat become Cat, Ben, Cat, Ben. Summer time ends in the third: it has 169 hours,
    # and so the window of 28 times 24 hours ends an hour before the fourth does.
    assert hours == {"Ann": (168.0, 0.0), "Ben": (169.0, 335.0), "Cat": (335.0, 337.0)}
    before, after = (sum(row[side]["hours"] for row in result["people"]) for side in ("before", "after"))
    assert before == after
    assert result["totals"]["max_load"]["after"] == {"name": "Cat", "hours": 337.0}


def test_the_diff_names_who_is_on_call_before_and_after() -> None:
    [change] = document(WEEKLY, LEAVER)["schedules"]
    assert change["name"] == "Primary"
    assert change["changes"][0] == {
        "start": "2026-10-12T08:00:00Z",
        "end": "2026-10-19T08:00:00Z",
        "before": ["Ann"],
        "after": ["Ben"],
    }


def test_a_gap_has_its_expected_dropped_incidents() -> None:
    away = {"type": "time_off", "user": "Ann", "start": "2026-10-06T08:00:00Z", "end": "2026-10-07T08:00:00Z"}
    result = document(alone(), away)
    [effect] = result["policies"]
    assert (effect["before"]["gap_hours"], effect["after"]["gap_hours"]) == (0.0, 24.0)
    assert effect["before"]["expected_dropped_incidents"] == 0.0
    # One incident an hour is 24 in a day.
    assert abs(effect["after"]["expected_dropped_incidents"] - 24.0) < 0.5
    assert result["totals"]["gap_hours"] == {"before": 0.0, "after": 24.0}


def test_an_unknown_past_gives_no_expected_incidents() -> None:
    away = {"type": "time_off", "user": "Cat", "start": "2026-10-06T08:00:00Z", "end": "2026-10-07T08:00:00Z"}
    [effect] = document(WEEKLY, away)["policies"]
    assert effect["after"]["first_level_gap_hours"] == 24.0
    assert effect["after"]["expected_second_level_pages"] is None


def test_a_policys_change_is_said_line_by_line() -> None:
    result = document(
        WEEKLY,
        {"type": "policy", "policy": "P1", "level": 1, "delay_minutes": 5, "targets": ["Ben"]},
        {"type": "policy", "policy": "P1", "level": 3, "targets": ["Primary"], "num_loops": 2},
    )
    assert result["policies"][0]["rule_changes"] == [
        "~ level 1 delay: 15 → 5 min",
        "~ level 1 targets: schedule Primary → Ben",
        "+ level 3: schedule Primary, 30 min",
        "~ repeats: 0 → 2",
    ]


def test_a_holiday_counts_after_the_change_only() -> None:
    result = document(WEEKLY, {"type": "holiday", "day": "2026-10-06"})
    [person] = result["people"]
    assert (person["name"], person["before"]["holiday_hours"], person["after"]["holiday_hours"]) == (
        "Cat",
        0.0,
        24.0,
    )


def test_the_end_of_summer_time_gives_somebody_an_hour_more() -> None:
    result = document(WEEKLY, {"type": "clock_change"})
    changes = {row["name"]: row["after"]["hours"] - row["before"]["hours"] for row in result["people"]}
    # Ben has the night of the change; the window ends an hour earlier in Cat's next week.
    assert changes == {"Ben": 1.0, "Cat": -1.0}


def test_pay_follows_the_published_rules_and_the_scenarios_holiday() -> None:
    pay = PayRules(currency="GBP", base_rate=Decimal(10), holiday_rate=Decimal(30))
    scenario = parse_scenario({"name": "x", "days": 7, "changes": [{"type": "holiday", "day": "2026-10-06"}]})
    comparison = what_if(WEEKLY, scenario, HANDOFF, WorkloadSettings(pay=pay))
    result = comparison_document(comparison, scenario, HANDOFF, everybody)
    # A week of 168 hours at 10, of which a day of 24 hours is then paid 30.
    assert result["totals"]["pay"] == {"currency": "GBP", "before": "1680.00", "after": "2160.00"}
    [person] = result["people"]
    assert (person["before"]["pay"], person["after"]["pay"]) == ("1680.00", "2160.00")
    assert document(WEEKLY, LEAVER)["totals"]["pay"] is None


def test_a_leaver_is_a_new_order_of_the_layer_from_then_on() -> None:
    order, times = document(WEEKLY, LEAVER)["drafts"]
    assert order == {
        "tool": "update_schedule",
        "apply_at": "2026-10-05T08:00:00Z",
        "arguments": {"schedule_id": "S1", "part_id": "L1", "user_ids": ["UC", "UB"]},
    }
    assert times["tool"] == "apply_schedule_draft"
    parse_arguments(TOOLS["update_schedule"], order["arguments"])
    parse_arguments(TOOLS["apply_schedule_draft"], times["arguments"])


def test_the_draft_of_a_cover_fits_the_schedule() -> None:
    away = {"type": "time_off", "user": "Cat", "start": "2026-10-06T08:00:00Z", "end": "2026-10-07T08:00:00Z"}
    [draft] = document(WEEKLY, away | {"cover": "Ben"})["drafts"]
    assert draft["arguments"]["changes"] == [
        {
            "start": "2026-10-06T08:00:00Z",
            "end": "2026-10-07T08:00:00Z",
            "user_id": "UB",
            "replaced_user_id": "UC",
        }
    ]
    schedule = WEEKLY.schedules[0]
    entries = [(entry.start, entry.end, entry.user_id) for entry in schedule.entries or ()]
    since, until = (at(draft["arguments"][name][:-1], "UTC") for name in ("since", "until"))
    change = DraftChange(since, until, "UB", "UC")
    version = draft["arguments"]["version"]
    assert draft_state(schedule.version, entries, Span(since, until), version, [change]).is_current
    # Without a cover there is nothing that an override could say.
    assert document(WEEKLY, away)["drafts"] == []


def test_a_new_rotation_of_shifts_is_an_event_that_the_editor_loads() -> None:
    account = rota_account(shift_schedule("UA", "UB"))
    rotation = {
        "type": "new_rotation",
        "schedule": "S3",
        "users": ["Cat", "Dan"],
        "start": "2026-10-05T09:00:00+01:00",
        "replaces": True,
    }
    drafts = document(account, rotation)["drafts"]
    [event] = [draft for draft in drafts if draft.get("operation") == "createEvent"]
    assert event["editor_problems"] == []
    assert event["body"]["event"]["recurrence"] == ["RRULE:FREQ=WEEKLY"]


def test_whom_the_reader_may_not_see_is_counted_only() -> None:
    scenario = parse_scenario({"name": "What if", "changes": [LEAVER]})
    result = what_if_document(WEEKLY, scenario, HANDOFF, lambda user_id: user_id == "UB")
    assert [row["name"] for row in result["people"]] == ["Ben"]
    assert result["people_hidden"] == 2
    assert result["totals"]["max_load"]["before"]["name"] is None


def test_the_same_question_gives_the_same_bytes() -> None:
    shifts = rota_account(shift_schedule("UA", "UB", None, "UC", shifts_per_member=2))
    joiner = {"type": "joiner", "user": "Dan", "schedule": "S3", "at": "2026-10-09T10:00:00Z"}
    texts = {json.dumps(document(shifts, joiner), sort_keys=True) for _ in range(3)}
    assert len(texts) == 1


def test_the_order_of_people_and_policies_makes_no_difference() -> None:
    turned = replace(WEEKLY, users=WEEKLY.users[::-1])
    assert document(turned, LEAVER)["people"] == document(WEEKLY, LEAVER)["people"]
