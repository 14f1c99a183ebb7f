"""A rotation's draft is what PagerDuty's web editor can load."""

from dataclasses import replace
from typing import Any

import pytest

from calmo_pagerduty.scheduling.drafts import editor_problems, event_body
from calmo_pagerduty.scheduling.scenarios import NewRotation
from calmo_pagerduty.scheduling.schedule_edits import rotation_event
from calmo_pagerduty.snapshots.model import AssignmentStrategy, RotationEvent

START = "2026-10-05T09:00:00+01:00"


def rotation(**parts: Any) -> RotationEvent:
    change = NewRotation.model_validate({"schedule": "S", "users": ["a"], "start": START, **parts})
    return rotation_event(change, ("UA", "UB"), "Europe/London")


@pytest.mark.parametrize(
    ("parts", "rule", "per_member"),
    [
        ({}, "RRULE:FREQ=WEEKLY", 1),
        ({"turn_days": 14}, "RRULE:FREQ=WEEKLY;INTERVAL=2", 1),
        ({"turn_days": 1}, "RRULE:FREQ=DAILY", 1),
        ({"turn_days": 3}, "RRULE:FREQ=DAILY;INTERVAL=3", 1),
        ({"from_clock": "09:00", "to_clock": "17:00"}, "RRULE:FREQ=DAILY", 7),
        (
            {"from_clock": "22:00", "to_clock": "06:00", "days": ["FR", "MO"], "turn_days": 14},
            "RRULE:FREQ=WEEKLY;BYDAY=MO,FR",
            4,
        ),
    ],
)
def test_a_new_rotation_is_valid_for_the_editor(parts: dict[str, Any], rule: str, per_member: int) -> None:
    event = rotation(**parts)
    assert (event.recurrence, event.shifts_per_member) == ((rule,), per_member)
    assert editor_problems(event) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"recurrence": ()}, "exactly one RRULE"),
        ({"recurrence": ("RRULE:FREQ=DAILY", "RRULE:FREQ=DAILY")}, "exactly one RRULE"),
        ({"recurrence": ("RRULE:FREQ=YEARLY",)}, "FREQ must be one of"),
        ({"recurrence": ("RRULE:INTERVAL=2",)}, "FREQ must be one of"),
        ({"recurrence": ("RRULE:FREQ=MONTHLY;BYDAY=1MO",)}, "two-letter days"),
        (
            {"recurrence": ("RRULE:FREQ=WEEKLY;BYDAY=MO,TU",), "shifts_per_member": 3},
            "divisible by the 2 days",
        ),
        ({"recurrence": ("RRULE:FREQ=DAILY", "X-OTHER:1")}, "EXDATE and RDATE only"),
        ({"member_ids": ()}, "1 to 20 members"),
        ({"first_end": 0}, "end after its start"),
    ],
)
def test_what_the_editor_cannot_load_is_said(change: dict[str, Any], problem: str) -> None:
    [found] = editor_problems(replace(rotation(), **change))
    assert problem in found


def test_exceptions_are_allowed_beside_the_rule() -> None:
    assert (
        editor_problems(replace(rotation(), recurrence=("RRULE:FREQ=DAILY", "EXDATE:20261224T080000Z"))) == []
    )


def test_the_body_is_that_of_create_event() -> None:
    event = replace(rotation(), member_ids=("UA", None))
    body = event_body(event)
    assert body["start_time"] == {"date_time": "2026-10-05T08:00:00Z", "time_zone": "Europe/London"}
    assert body["assignment_strategy"] == {
        "type": "rotating_member_assignment_strategy",
        "members": [{"type": "user_member", "user_id": "UA"}, {"type": "empty_member"}],
        "shifts_per_member": 1,
    }
    every = event_body(replace(event, strategy=AssignmentStrategy.EVERY_MEMBER))
    assert every["assignment_strategy"]["type"] == "every_member_assignment_strategy"
