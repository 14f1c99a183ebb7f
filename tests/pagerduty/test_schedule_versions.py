"""A schedule's version changes with who is on call, and with nothing else."""

from typing import Any

import pytest

from calmo_pagerduty.pagerduty.schedule_versions import draft_version, structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind

LAYERS: dict[str, Any] = {
    "time_zone": "Europe/London",
    "name": "Primary",
    "schedule_layers": [
        {
            "id": "L1",
            "start": "2026-10-01T09:00:00+01:00",
            "end": None,
            "rotation_virtual_start": "2026-10-01T09:00:00+01:00",
            "rotation_turn_length_seconds": 604800,
            "users": [{"user": {"id": "A"}}, {"user": {"id": "B"}}],
            "restrictions": [],
            "rendered_schedule_entries": [],
        }
    ],
}


def test_names_rendered_entries_and_the_zone_of_times_make_no_difference() -> None:
    layer = LAYERS["schedule_layers"][0] | {
        "start": "2026-10-01T08:00:00Z",
        "name": "renamed",
        "rendered_schedule_entries": [{"start": "2026-10-01T08:00:00Z"}],
    }
    same = LAYERS | {"name": "other", "schedule_layers": [layer]}
    assert structure_version(ScheduleKind.LAYERS, same) == structure_version(ScheduleKind.LAYERS, LAYERS)


@pytest.mark.parametrize(
    "change",
    [
        {"users": [{"user": {"id": "B"}}, {"user": {"id": "A"}}]},
        {"end": "2026-12-01T00:00:00Z"},
        {"rotation_turn_length_seconds": 86400},
        {"restrictions": [{"type": "daily_restriction", "start_time_of_day": "09:00:00"}]},
    ],
)
def test_a_changed_layer_is_another_version(change: dict[str, Any]) -> None:
    changed = LAYERS | {"schedule_layers": [LAYERS["schedule_layers"][0] | change]}
    assert structure_version(ScheduleKind.LAYERS, changed) != structure_version(ScheduleKind.LAYERS, LAYERS)


def test_a_rotation_with_another_member_is_another_version() -> None:
    def rotation(user: str) -> dict[str, Any]:
        strategy = {"type": "rotating", "members": [{"type": "user_member", "user_id": user}]}
        return {"rotations": [{"id": "R", "events": [{"id": "E", "assignment_strategy": strategy}]}]}

    versions = {structure_version(ScheduleKind.SHIFTS, rotation(user)) for user in "AAB"}
    assert len(versions) == 2


def test_a_draft_ignores_where_entries_are_split_and_notices_an_override() -> None:
    whole = draft_version("v", [(0, 10, "A"), (10, 20, "B")])
    assert draft_version("v", [(10, 20, "B"), (4, 10, "A"), (0, 4, "A")]) == whole
    assert draft_version("v", [(0, 10, "A"), (10, 15, "B"), (15, 20, "C")]) != whole
    assert draft_version("w", [(0, 10, "A"), (10, 20, "B")]) != whole
