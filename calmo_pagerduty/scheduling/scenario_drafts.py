"""What to write to PagerDuty so that a scenario comes true: drafts in the form of tools' arguments. Pure.

Nothing is applied here. Who takes turns is changed by `update_schedule`; new rotations are added by
`add_schedule_rotation` and single times changed by `apply_schedule_draft`, both bound to the version.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from calmo_pagerduty.kernel.instants import format_iso_utc
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.pagerduty.schedule_versions import draft_version
from calmo_pagerduty.scheduling.applying import Applied
from calmo_pagerduty.scheduling.comparison import Comparison, Handover
from calmo_pagerduty.scheduling.drafts import (
    ROTATION_TOOL,
    draft_digest,
    editor_problems,
    event_body,
    event_draft,
    layer_draft,
)
from calmo_pagerduty.snapshots.model import Schedule

#: How ids of what PagerDuty doesn't know yet begin.
NEW = "new:"
#: The most changes that `apply_schedule_draft` takes.
MAX_CHANGES = 100


def scenario_drafts(comparison: Comparison) -> list[JsonObject]:
    """Return drafts for the changed schedules: new orders of people, new rotations, and single times."""
    applied = comparison.applied
    before = {schedule.id: schedule for schedule in applied.before.schedules}
    after = {schedule.id: schedule for schedule in applied.after.schedules}
    drafts: list[JsonObject] = []
    for change in comparison.schedules:
        drafts += _orders(before[change.schedule_id], after[change.schedule_id])
        drafts += _new_rotations(before[change.schedule_id], after[change.schedule_id])
        drafts += _single_times(applied, before[change.schedule_id], change.handovers)
    return drafts


def _orders(before: Schedule, after: Schedule) -> Iterator[JsonObject]:
    """Yield the parts that other people take turns in. PagerDuty applies them at once."""
    orders = {layer.id: (layer.user_ids, layer.start) for layer in after.layers}
    orders |= {
        event.id: (tuple(member for member in event.member_ids if member), event.effective_since)
        for rotation in after.rotations
        for event in rotation.events
        if None not in event.member_ids
    }
    known = {layer.id: layer.user_ids for layer in before.layers}
    known |= {
        event.id: tuple(member for member in event.member_ids if member)
        for rotation in before.rotations
        for event in rotation.events
    }
    for part_id, (user_ids, at) in orders.items():
        is_new_person = any(user_id.startswith(NEW) for user_id in user_ids)
        if part_id in known and user_ids and user_ids != known[part_id] and not is_new_person:
            arguments = {"schedule_id": after.id, "part_id": part_id, "user_ids": list(user_ids)}
            yield {"tool": "update_schedule", "apply_at": _iso(at), "arguments": arguments}


def _new_rotations(before: Schedule, after: Schedule) -> Iterator[JsonObject]:
    """Yield new layers and rotations as arguments of our tool.

    Events come with PagerDuty's own body too, and with what its web editor has against them.
    """
    known = {layer.id for layer in before.layers} | {rotation.id for rotation in before.rotations}
    for layer in after.layers:
        if layer.id not in known and layer.id.startswith(NEW):
            arguments = layer_draft(before, layer, replaces=_replaces(before, after, layer.start))
            yield from _rotation_draft(arguments)
    for rotation in after.rotations:
        for event in rotation.events if rotation.id not in known else ():
            replaces = _replaces(before, after, event.effective_since)
            for draft in _rotation_draft(event_draft(before, event, replaces=replaces)):
                yield {
                    **draft,
                    "operation": "createEvent",
                    "schedule_id": after.id,
                    "body": {"event": event_body(event)},
                    "editor_problems": editor_problems(event),
                }


def _rotation_draft(arguments: JsonObject) -> Iterator[JsonObject]:
    if not any(user_id.startswith(NEW) for user_id in arguments["user_ids"]):
        yield {"tool": ROTATION_TOOL, "arguments": arguments, "sha256": draft_digest(arguments)}


def _replaces(before: Schedule, after: Schedule, start: int) -> bool:
    """Tell whether the schedule's other parts end when the new one begins."""
    ends = [layer.end for layer in after.layers if not layer.id.startswith(NEW)]
    ends += [
        event.effective_until
        for rotation in after.rotations
        if not rotation.id.startswith(NEW)
        for event in rotation.events
    ]
    had_parts = bool(before.layers or before.rotations)
    return had_parts and all(end is not None and end <= start for end in ends)


def _single_times(
    applied: Applied, schedule: Schedule, handovers: tuple[Handover, ...]
) -> Iterator[JsonObject]:
    """Yield one draft of overrides, if every changed time goes from one person or nobody to one person."""
    simple = all(len(handover.after) == 1 and len(handover.before) <= 1 for handover in handovers)
    people = {user.id for user in applied.before.users}
    known = all(user_id in people for handover in handovers for user_id in handover.after)
    if not simple or not known or len(handovers) > MAX_CHANGES or schedule.entries is None:
        return
    window = Span(handovers[0].start, handovers[-1].end)
    inside = [
        (max(entry.start, window.start), min(entry.end, window.end), entry.user_id)
        for entry in schedule.entries
        if entry.start < window.end and entry.end > window.start
    ]
    arguments = {
        "schedule_id": schedule.id,
        "version": draft_version(schedule.version, inside),
        "since": _iso(window.start),
        "until": _iso(window.end),
        "changes": [
            {
                "start": _iso(handover.start),
                "end": _iso(handover.end),
                "user_id": handover.after[0],
                **({"replaced_user_id": handover.before[0]} if handover.before else {}),
            }
            for handover in handovers
        ],
    }
    yield {"tool": "apply_schedule_draft", "arguments": arguments, "sha256": draft_digest(arguments)}


def _iso(at: int) -> str:
    return format_iso_utc(datetime.fromtimestamp(at, UTC))
