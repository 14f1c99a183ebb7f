"""Drafts: what to write to PagerDuty, in the form of our tools' arguments. Nothing is applied here. Pure.

Swaps and handovers become overrides and custom shifts (`apply_schedule_draft`), new rotations and layers
become arguments of `add_schedule_rotation`. A rotation's event is checked
against what PagerDuty's web editor can load (`editor_problems`).
Source: PagerDuty's OpenAPI document, "UI editor constraints" of shift-based schedules (June 2026).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.pagerduty.editor_rules import rule_problems
from calmo_pagerduty.pagerduty.schedule_versions import draft_version
from calmo_pagerduty.scheduling.on_call_roster import OnCallRoster
from calmo_pagerduty.snapshots.model import AssignmentStrategy, Entry, Layer, RotationEvent, Schedule

TOOL = "apply_schedule_draft"
ROTATION_TOOL = "add_schedule_rotation"
_EXTRA_LINES = re.compile(r"^(EXDATE|RDATE)[;:]", re.IGNORECASE)


def draft_of(roster: OnCallRoster, owners: Mapping[str, str]) -> JsonObject | None:
    """Return the arguments of `apply_schedule_draft` for new owners of shifts; None if nothing changes."""
    entries = [
        (entry, user_id)
        for shift_id, user_id in owners.items()
        for entry in roster.entries_of[shift_id]
        if entry.user_id != user_id
    ]
    if not entries:
        return None
    entries.sort(key=lambda pair: (pair[0].start, pair[0].end, pair[0].source))
    window = Span(min(entry.start for entry, _ in entries), max(entry.end for entry, _ in entries))
    return {
        "schedule_id": roster.schedule.id,
        "version": version_of(roster, window),
        "since": _iso(window.start),
        "until": _iso(window.end),
        "changes": [
            {
                "start": _iso(entry.start),
                "end": _iso(entry.end),
                "user_id": user_id,
                "replaced_user_id": entry.user_id,
            }
            for entry, user_id in entries
        ],
    }


def version_of(roster: OnCallRoster, window: Span) -> str:
    """Return the version that a draft within the window is bound to."""
    entries = roster.schedule.entries or ()
    inside = [_inside(entry, window) for entry in entries if entry.start < window.end]
    return draft_version(roster.schedule.version, [part for part in inside if part[0] < part[1]])


def draft_digest(draft: JsonObject) -> str:
    """Return the hash of a draft: of the schedule's version and the list of changes together."""
    text = json.dumps(draft, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def editor_problems(event: RotationEvent) -> list[str]:
    """Return why PagerDuty or its web editor would not take a rotation's event; [] if both do."""
    rules = [line for line in event.recurrence if line.upper().startswith("RRULE:")]
    others = [line for line in event.recurrence if line not in rules]
    problems = []
    if len(rules) != 1:
        problems.append(f"it needs exactly one RRULE, not {len(rules)}")
    if any(not _EXTRA_LINES.match(line) for line in others):
        problems.append("beside the RRULE there may be EXDATE and RDATE only")
    if not 1 <= len(event.member_ids) <= 20:
        problems.append(f"it needs 1 to 20 members, not {len(event.member_ids)}")
    if event.first_end <= event.first_start:
        problems.append("its first shift must end after its start")
    for rule in rules[:1]:
        is_rotating = event.strategy is AssignmentStrategy.ROTATING
        problems += rule_problems(rule, event.shifts_per_member if is_rotating else None)
    return problems


def layer_draft(schedule: Schedule, layer: Layer, *, replaces: bool) -> JsonObject:
    """Return the arguments of `add_schedule_rotation` for a new layer."""
    restrictions = [
        {
            "type": str(restriction.kind),
            "start_time_of_day": f"{timedelta(seconds=restriction.start_time_of_day)!s:0>8}",
            "duration_seconds": restriction.duration,
            **(
                {}
                if restriction.start_day_of_week is None
                else {"start_day_of_week": restriction.start_day_of_week}
            ),
        }
        for restriction in layer.restrictions
    ]
    return {
        "schedule_id": schedule.id,
        "version": schedule.version,
        "name": layer.name,
        "user_ids": list(layer.user_ids),
        "starts_at": _iso(layer.start),
        "first_shift_start": _iso(layer.rotation_virtual_start),
        "replaces": replaces,
        "turn_seconds": layer.turn_seconds,
        "restrictions": restrictions,
    }


def event_draft(schedule: Schedule, event: RotationEvent, *, replaces: bool) -> JsonObject:
    """Return the arguments of `add_schedule_rotation` for a new rotation's event."""
    return {
        "schedule_id": schedule.id,
        "version": schedule.version,
        "name": event.name,
        "user_ids": [member for member in event.member_ids if member is not None],
        "starts_at": _iso(event.effective_since),
        "first_shift_start": _iso(event.first_start),
        "replaces": replaces,
        "first_shift_end": _iso(event.first_end),
        "time_zone": event.time_zone,
        "recurrence": event.recurrence[0],
        "shifts_per_member": event.shifts_per_member,
    }


def event_body(event: RotationEvent) -> JsonObject:
    """Return a rotation's event as the body of PagerDuty's `createEvent`. Times keep their zone."""
    members = [
        {"type": "empty_member"} if user_id is None else {"type": "user_member", "user_id": user_id}
        for user_id in event.member_ids
    ]
    strategy: JsonObject = {"type": f"{event.strategy}_member_assignment_strategy", "members": members}
    if event.strategy is AssignmentStrategy.EVERY_MEMBER:
        strategy["type"] = "every_member_assignment_strategy"
    else:
        strategy["shifts_per_member"] = event.shifts_per_member
    return {
        "name": event.name,
        "start_time": {"date_time": _iso(event.first_start), "time_zone": event.time_zone},
        "end_time": {"date_time": _iso(event.first_end), "time_zone": event.time_zone},
        "effective_since": _iso(event.effective_since),
        "recurrence": list(event.recurrence),
        "assignment_strategy": strategy,
    }


def _inside(entry: Entry, window: Span) -> tuple[int, int, str]:
    return max(entry.start, window.start), min(entry.end, window.end), entry.user_id


def _iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))
