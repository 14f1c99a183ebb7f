"""What asks too much of a person: two duties at once, little rest, on call while away. Pure.

Duties are what the rendered schedules of some policy say; standing targets (a person directly on a level)
count for successive levels only, because they never change.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from calmo_pagerduty.coverage.model import Conflict, ConflictKind
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.intervals import Span, intersect, union
from calmo_pagerduty.snapshots.model import Policy
from calmo_pagerduty.snapshots.on_call import Shift, paged_entries

HOUR = 3_600
#: Source: Directive 2003/88/EC, article 3: eleven hours of rest in each 24.
MIN_REST_HOURS = 11.0


def find_conflicts(
    timelines: Timelines,
    policies: Sequence[Policy],
    away: Mapping[str, Sequence[Span]],
    min_rest_hours: float = MIN_REST_HOURS,
) -> tuple[Conflict, ...]:
    """Return all conflicts in the known window, by kind and person. `away` holds times by user id."""
    duties = _duties(timelines, policies)
    found = [
        *_successive_levels(timelines, policies),
        *_two_schedules(duties),
        *_little_rest(duties, round(min_rest_hours * HOUR)),
        *_away(duties, away),
    ]
    return tuple(
        sorted(
            found, key=lambda conflict: (conflict.kind, conflict.user_id, conflict.object_ids, conflict.spans)
        )
    )


def _duties(timelines: Timelines, policies: Sequence[Policy]) -> dict[str, dict[str, list[Span]]]:
    """Return when each person is on call, by user and schedule, of schedules that some policy uses."""
    used = {target.id for policy in policies for rule in policy.rules for target in rule.targets}
    duties: dict[str, dict[str, list[Span]]] = {}
    known = timelines.known
    for schedule in timelines.index.snapshot.schedules:
        if schedule.id not in used:
            continue
        for entry in paged_entries(schedule) or ():
            start, end = max(entry.start, known.start), min(entry.end, known.end)
            if start < end:
                duties.setdefault(entry.user_id, {}).setdefault(schedule.id, []).append(Span(start, end))
    return {
        user_id: {schedule_id: union(spans) for schedule_id, spans in schedules.items()}
        for user_id, schedules in duties.items()
    }


def _successive_levels(timelines: Timelines, policies: Sequence[Policy]) -> Iterator[Conflict]:
    for policy in policies:
        both: dict[str, list[Span]] = {}
        levels = [timelines.index.level_shifts(rule, timelines.known) or () for rule in policy.rules]
        for first, second in pairwise(levels):
            for span, user_ids in _together(first, second):
                for user_id in user_ids:
                    both.setdefault(user_id, []).append(span)
        for user_id in sorted(both):
            yield Conflict(ConflictKind.SUCCESSIVE_LEVELS, user_id, tuple(union(both[user_id])), (policy.id,))


def _together(first: Sequence[Shift], second: Sequence[Shift]) -> Iterator[tuple[Span, set[str]]]:
    """Yield when people are on both levels, and who. Shifts stand in order and don't overlap."""
    i = j = 0
    while i < len(first) and j < len(second):
        left, right = first[i], second[j]
        span = Span(max(left.start, right.start), min(left.end, right.end))
        people = set(left.user_ids).intersection(right.user_ids)
        if span.seconds > 0 and people:
            yield span, people
        i, j = i + (left.end <= right.end), j + (right.end <= left.end)


def _two_schedules(duties: Mapping[str, Mapping[str, list[Span]]]) -> Iterator[Conflict]:
    for user_id, schedules in duties.items():
        both: dict[tuple[str, str], list[Span]] = {}
        running: list[tuple[int, str]] = []
        for start, end, id in sorted((*span, id) for id, spans in schedules.items() for span in spans):
            running = [(until, other) for until, other in running if until > start]
            for until, other in running:
                both.setdefault((min(id, other), max(id, other)), []).append(Span(start, min(end, until)))
            running.append((end, id))
        for pair in sorted(both):
            yield Conflict(ConflictKind.TWO_SCHEDULES, user_id, tuple(union(both[pair])), pair)


def _little_rest(duties: Mapping[str, Mapping[str, list[Span]]], min_rest: int) -> Iterator[Conflict]:
    """Yield rests between two duties that are too short; each span is the rest itself."""
    for user_id, schedules in duties.items():
        on_call = union(span for spans in schedules.values() for span in spans)
        rests = [
            Span(before.end, after.start)
            for before, after in pairwise(on_call)
            if after.start - before.end < min_rest
        ]
        if rests:
            shortest = min(rest.seconds for rest in rests) / HOUR
            ids = tuple(sorted(schedules))
            yield Conflict(ConflictKind.LITTLE_REST, user_id, tuple(rests), ids, round(shortest, 2))


def _away(
    duties: Mapping[str, Mapping[str, list[Span]]], away: Mapping[str, Sequence[Span]]
) -> Iterator[Conflict]:
    for user_id in sorted(away):
        schedules = duties.get(user_id, {})
        hit = {id: spans for id in sorted(schedules) if (spans := intersect(schedules[id], away[user_id]))}
        if hit:
            spans = union(span for parts in hit.values() for span in parts)
            yield Conflict(ConflictKind.AWAY, user_id, tuple(spans), tuple(hit))
