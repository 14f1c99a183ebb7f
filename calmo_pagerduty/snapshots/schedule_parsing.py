"""Parse PagerDuty's schedules of both kinds: layers (v2) and rotations (v3). Pure.

Source: PagerDuty's REST API, `GET /schedules`, `/schedules/{id}/overrides`, `/v3/schedules/{id}`,
`/v3/schedules/{id}/custom_shifts`, `/v3/schedules/{id}/overrides`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from calmo_pagerduty.kernel.intervals import Span, intersect, subtract, total_seconds, union
from calmo_pagerduty.kernel.json_values import JsonObject, as_object, as_objects
from calmo_pagerduty.pagerduty.schedule_versions import structure_version
from calmo_pagerduty.pagerduty.schedules import ScheduleKind as ApiKind, assignment_source, member_id
from calmo_pagerduty.snapshots.model import (
    AssignmentStrategy,
    CustomShift,
    Entry,
    IntendedHole,
    Layer,
    Override,
    Restriction,
    RestrictionKind,
    Rotation,
    RotationEvent,
    Schedule,
    ScheduleKind,
)
from calmo_pagerduty.snapshots.parsing import (
    is_id,
    parse_all,
    parse_count,
    parse_id,
    parse_ids,
    parse_name,
    parse_time,
    parse_time_of_day,
    parse_url,
    parse_zone,
)

_DAY = 86_400
_UTC = "Etc/UTC"
_EVERY_MEMBER = "every_member_assignment_strategy"
_EMPTY_MEMBER = "empty_member"
_ROTATION = "schedule_rotation"
#: Sources of a v3 schedule's entries that only its own lists tell more about.
CUSTOM_SHIFT, OVERRIDE = "custom_shift", "override"


def is_rendered(item: JsonObject) -> bool:
    """Tell whether PagerDuty sent the schedule with its final schedule for the requested window."""
    final = as_object(item.get("final_schedule"))
    return isinstance(final.get("rendered_schedule_entries"), list) and isinstance(
        final.get("rendered_coverage_percentage"), int | float
    )


def parse_layer_schedule(item: JsonObject, overrides: Sequence[JsonObject] | None = None) -> Schedule | None:
    """Parse a schedule of layers. Without PagerDuty's list of overrides, its rendering stands for it."""
    schedule_id = parse_id(item)
    if schedule_id is None:
        return None
    final = as_object(item.get("final_schedule"))
    rendered = as_object(item.get("overrides_subschedule")).get("rendered_schedule_entries")
    listed = as_objects(rendered) if overrides is None else overrides
    return Schedule(
        id=schedule_id,
        name=parse_name(item, schedule_id),
        html_url=parse_url(item),
        kind=ScheduleKind.LAYERS,
        time_zone=parse_zone(item.get("time_zone")) or _UTC,
        team_ids=parse_ids(item.get("teams")),
        layers=parse_all(_layer, _by_precedence(item)),
        overrides=parse_all(_layer_override, listed),
        entries=_entries(final.get("rendered_schedule_entries")) if is_rendered(item) else None,
        rendered_coverage_percentage=_percentage(final),
        version=structure_version(ApiKind.LAYERS, item),
    )


def rendered_overrides(item: JsonObject) -> tuple[Override, ...]:
    """Return a layer schedule's overrides as rendered: cut to the window, mostly without ids."""
    rows = as_object(item.get("overrides_subschedule")).get("rendered_schedule_entries")
    return parse_all(_layer_override, as_objects(rows))


def known_overrides(item: JsonObject, before: Schedule | None, window: Span) -> tuple[Override, ...] | None:
    """Return the overrides of a rendered schedule, if all of them are known from `before`; else None.

    PagerDuty renders overrides without their ids. To read the ids takes a request for each schedule.
    """
    known: dict[tuple[int, int, str | None], Override] = {}
    for override in before.overrides if before else ():
        start, end = max(override.start, window.start), min(override.end, window.end)
        known[start, end, override.user_id] = override
    shown = rendered_overrides(item)
    found = [known.get((override.start, override.end, override.user_id)) for override in shown]
    return None if None in found else tuple(override for override in found if override)


def _by_precedence(item: JsonObject) -> list[JsonObject]:
    """Return the layers, the one that wins first.

    In PagerDuty's editor the last layer wins. Its API was observed to list layers in either order, so the
    final schedule decides: where layers overlap, it shows which one won. Without such evidence the first
    layer wins, as in the lists that Terraform's provider reverses.
    """
    layers = as_objects(item.get("schedule_layers"))
    final = _entries(as_object(item.get("final_schedule")).get("rendered_schedule_entries"))
    overrides = _entries(as_object(item.get("overrides_subschedule")).get("rendered_schedule_entries"))
    covered = union(Span(entry.start, entry.end) for entry in overrides)
    shown = [_of_people(_entries(layer.get("rendered_schedule_entries"))) for layer in layers]
    first_wins = _agreement(shown, _of_people(final), covered)
    last_wins = _agreement(shown[::-1], _of_people(final), covered)
    return layers[::-1] if last_wins > first_wins else layers


def _agreement(
    layers: Sequence[Mapping[str, list[Span]]], final: Mapping[str, list[Span]], overridden: list[Span]
) -> int:
    """Return the seconds in which the final schedule is the one of the first layer that covers them."""
    agreed, taken = 0, overridden
    for layer in layers:
        for user_id, spans in layer.items():
            agreed += total_seconds(intersect(subtract(spans, taken), final.get(user_id, ())))
        taken = union((*taken, *(span for spans in layer.values() for span in spans)))
    return agreed


def _of_people(entries: Iterable[Entry]) -> Mapping[str, list[Span]]:
    spans: dict[str, list[Span]] = {}
    for entry in entries:
        spans.setdefault(entry.user_id, []).append(Span(entry.start, entry.end))
    return {user_id: union(found) for user_id, found in spans.items()}


def _layer(layer: JsonObject) -> Layer | None:
    start = parse_time(layer.get("start"))
    virtual_start, turn = (
        parse_time(layer.get("rotation_virtual_start")),
        parse_count(layer.get("rotation_turn_length_seconds")),
    )
    if start is None or not turn:
        return None
    users = (parse_id(row.get("user")) for row in as_objects(layer.get("users")))
    return Layer(
        id=parse_id(layer) or "",
        name=parse_name(layer),
        start=start,
        end=parse_time(layer.get("end")),
        rotation_virtual_start=start if virtual_start is None else virtual_start,
        turn_seconds=turn,
        user_ids=tuple(user_id for user_id in users if user_id),
        restrictions=parse_all(_restriction, as_objects(layer.get("restrictions"))),
    )


def _restriction(item: JsonObject) -> Restriction | None:
    start, duration = (
        parse_time_of_day(item.get("start_time_of_day")),
        parse_count(item.get("duration_seconds")),
    )
    kind, day = item.get("type"), parse_count(item.get("start_day_of_week"))
    if start is None or not duration or kind not in tuple(RestrictionKind):
        return None
    weekly = kind == RestrictionKind.WEEKLY
    return Restriction(RestrictionKind(kind), start % _DAY, duration, (day or 1) if weekly else None)


def _layer_override(item: JsonObject) -> Override | None:
    start, end = parse_time(item.get("start")), parse_time(item.get("end"))
    user_id = parse_id(item.get("user"))
    if start is None or end is None or start >= end:
        return None
    # A rendered override has no id of its own.
    return Override(parse_id(item) or f"{start}:{user_id}", start, end, user_id)


def _entries(value: object) -> tuple[Entry, ...]:
    entries = (_entry(row, parse_id(row.get("user"))) for row in as_objects(value))
    return tuple(sorted((entry for entry in entries if entry), key=_entry_order))


def _entry(
    row: JsonObject,
    user_id: str | None,
    names: tuple[str, str] = ("start", "end"),
    source: str = "final_schedule",
) -> Entry | None:
    start, end = (parse_time(row.get(name)) for name in names)
    if user_id is None or start is None or end is None or start >= end:
        return None
    return Entry(start, end, user_id, source)


def _entry_order(entry: Entry) -> tuple[Any, ...]:
    return entry.start, entry.end, entry.user_id, entry.source


def parse_shift_schedule(
    item: JsonObject, custom_shifts: Sequence[JsonObject] = (), overrides: Sequence[JsonObject] = ()
) -> Schedule | None:
    """Parse a schedule of shifts. An empty member makes no entry: the hole is intended."""
    schedule_id = parse_id(item)
    if schedule_id is None:
        return None
    final = as_object(item.get("final_schedule"))
    rows = final.get("computed_shift_assignments")
    rotations = parse_all(_rotation, as_objects(item.get("rotations")))
    return Schedule(
        id=schedule_id,
        name=parse_name(item, schedule_id),
        html_url=parse_url(item),
        kind=ScheduleKind.SHIFTS,
        time_zone=parse_zone(item.get("time_zone")) or _UTC,
        team_ids=parse_ids(item.get("teams")),
        rotations=rotations,
        custom_shifts=parse_all(_custom_shift, custom_shifts),
        overrides=parse_all(_shift_override, overrides),
        entries=_assignments(rows) if isinstance(rows, list) else None,
        rendered_coverage_percentage=_percentage(final),
        version=structure_version(ApiKind.SHIFTS, item),
        intended_holes=_intended_holes(rows, rotations),
    )


def shift_sources(item: JsonObject) -> frozenset[str]:
    """Return which of CUSTOM_SHIFT and OVERRIDE the final schedule names: their lists are worth reading."""
    rows = as_objects(as_object(item.get("final_schedule")).get("computed_shift_assignments"))
    sources = {assignment_source(row).partition(":")[0] for row in rows}
    found = {CUSTOM_SHIFT for source in sources if source.startswith(CUSTOM_SHIFT)}
    return frozenset(found | {OVERRIDE for source in sources if source.endswith(OVERRIDE)})


def _assignments(rows: object) -> tuple[Entry, ...]:
    entries = (
        _entry(row, _member(row.get("member")), ("start_time", "end_time"), assignment_source(row))
        for row in as_objects(rows)
    )
    return tuple(sorted((entry for entry in entries if entry), key=_entry_order))


def _intended_holes(rows: object, rotations: Iterable[Rotation]) -> tuple[IntendedHole, ...]:
    """Return the shifts that were given to nobody on purpose.

    PagerDuty fills time that nobody covers with the empty member too. So a hole counts as intended only
    if its rotation has that member, or if a custom shift or an override has it.
    """
    with_holes = {
        rotation.id for rotation in rotations if any(None in event.member_ids for event in rotation.events)
    }
    holes: set[tuple[int, int, str]] = set()
    for row in as_objects(rows):
        start, end = parse_time(row.get("start_time")), parse_time(row.get("end_time"))
        source = assignment_source(row)
        kind, _, identity = source.partition(":")
        is_intended = kind != _ROTATION or identity in with_holes
        if start is None or end is None or start >= end or not is_intended:
            continue
        if as_object(row.get("member")).get("type") == _EMPTY_MEMBER:
            holes.add((start, end, source))
    return tuple(IntendedHole(*hole) for hole in sorted(holes))


def _member(value: object) -> str | None:
    user_id = member_id(value)
    return user_id if is_id(user_id) else None


def _rotation(item: JsonObject) -> Rotation | None:
    rotation_id = parse_id(item)
    if rotation_id is None:
        return None
    events = parse_all(_event, as_objects(item.get("events")))
    # PagerDuty's editor knows shadow rotations; its API's document does not say yet how it names them.
    is_shadow = item.get("shadow") is True or item.get("is_shadow") is True
    return Rotation(rotation_id, parse_name(item), events, is_shadow)


def _event(item: JsonObject) -> RotationEvent | None:
    event_id = parse_id(item)
    first, last = as_object(item.get("start_time")), as_object(item.get("end_time"))
    start, end = parse_time(first.get("date_time")), parse_time(last.get("date_time"))
    if event_id is None or start is None or end is None or start >= end:
        return None
    strategy = as_object(item.get("assignment_strategy"))
    every_member = strategy.get("type") == _EVERY_MEMBER
    recurrence = item.get("recurrence")
    since = parse_time(item.get("effective_since"))
    return RotationEvent(
        id=event_id,
        name=parse_name(item),
        first_start=start,
        first_end=end,
        time_zone=parse_zone(first.get("time_zone")) or _UTC,
        effective_since=start if since is None else since,
        effective_until=parse_time(item.get("effective_until")),
        recurrence=tuple(line for line in recurrence if isinstance(line, str))
        if isinstance(recurrence, list)
        else (),
        strategy=AssignmentStrategy.EVERY_MEMBER if every_member else AssignmentStrategy.ROTATING,
        shifts_per_member=parse_count(strategy.get("shifts_per_member")) or 1,
        member_ids=tuple(_member(member) for member in as_objects(strategy.get("members"))),
    )


def _custom_shift(item: JsonObject) -> CustomShift | None:
    shift_id = parse_id(item)
    start, end = parse_time(item.get("start_time")), parse_time(item.get("end_time"))
    if shift_id is None or start is None or end is None or start >= end:
        return None
    assignment = next(iter(as_objects(item.get("assignments"))), {})
    return CustomShift(shift_id, start, end, _member(assignment.get("member")))


def _shift_override(item: JsonObject) -> Override | None:
    override_id = parse_id(item)
    start, end = parse_time(item.get("start_time")), parse_time(item.get("end_time"))
    if override_id is None or start is None or end is None or start >= end:
        return None
    rotation_id, custom_shift_id = item.get("rotation_id"), item.get("custom_shift_id")
    return Override(
        id=override_id,
        start=start,
        end=end,
        user_id=_member(item.get("overriding_member")),
        rotation_id=rotation_id if is_id(rotation_id) else None,
        custom_shift_id=custom_shift_id if is_id(custom_shift_id) else None,
        overridden_user_id=_member(item.get("overridden_member")),
    )


def _percentage(final: JsonObject) -> float | None:
    value = final.get("rendered_coverage_percentage")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
