"""Drafts: what to write to PagerDuty, in the form of our tools' arguments. Nothing is applied here. Pure.

Swaps and handovers become overrides and custom shifts (`apply_schedule_draft`). A rotation's event is checked
against what PagerDuty's web editor can load (`editor_problems`).
Source: PagerDuty's OpenAPI document, "UI editor constraints" of shift-based schedules (June 2026).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.pagerduty.schedule_versions import draft_version
from calmo_pagerduty.scheduling.on_call_roster import OnCallRoster
from calmo_pagerduty.snapshots.model import AssignmentStrategy, Entry, RotationEvent

TOOL = "apply_schedule_draft"
EDITOR_FREQUENCIES = ("WEEKLY", "DAILY", "MONTHLY", "HOURLY")
_DAYS = frozenset({"MO", "TU", "WE", "TH", "FR", "SA", "SU"})
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
        problems += _rule_problems(rule, event)
    return problems


def _rule_problems(rule: str, event: RotationEvent) -> list[str]:
    pairs = [part.partition("=") for part in rule.partition(":")[2].split(";") if part]
    parts = {name.upper(): value.upper() for name, _, value in pairs}
    problems = []
    frequency = parts.get("FREQ", "")
    if frequency not in EDITOR_FREQUENCIES:
        problems.append(
            f"FREQ must be one of {', '.join(EDITOR_FREQUENCIES)}, not {frequency[:20] or 'nothing'}"
        )
    days = [day for day in parts.get("BYDAY", "").split(",") if day]
    if not set(days) <= _DAYS:
        problems.append("BYDAY must hold two-letter days, such as MO")
    is_rotating = event.strategy is AssignmentStrategy.ROTATING
    if is_rotating and frequency == "WEEKLY" and event.shifts_per_member % max(1, len(days)):
        problems.append(
            f"shifts_per_member ({event.shifts_per_member}) must be divisible by the {len(days)} days"
        )
    return problems


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
