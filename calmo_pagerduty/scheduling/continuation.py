"""Continue a schedule that was read before: PagerDuty's own entries, and after them our rendering. Pure."""

from collections.abc import Iterable
from dataclasses import replace

from calmo_pagerduty.kernel.explained_error import ExplainedError
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.scheduling.proof import prove
from calmo_pagerduty.scheduling.rendering import Interpretation, render, render_holes
from calmo_pagerduty.snapshots.model import Entry, IntendedHole, Schedule


def continue_schedule(schedule: Schedule, rendered: Span, window: Span) -> Schedule | None:
    """Return the schedule with entries for a later window; None if our rendering can't be relied on.

    `rendered` is the window of the schedule's entries. They stay; what comes after them is rendered by us, if
    our rendering gives PagerDuty's own entries, to the second, for all of the time in which they are known.
    PagerDuty's percentage was of another window, so it is unknown.
    """
    own = Span(rendered.start, schedule.continued_from or rendered.end)
    interpretation = prove(schedule, own).interpretation
    if interpretation is None or not rendered.start <= window.start <= rendered.end <= window.end:
        return None
    later = Span(rendered.end, window.end)
    try:
        if not _has_proved_holes(schedule, own, interpretation):
            return None
        entries = render(schedule, later, interpretation)
        holes = render_holes(schedule, later, interpretation)
    except ExplainedError:
        return None
    kept_holes = (hole for hole in schedule.intended_holes if hole.end > window.start)
    return replace(
        schedule,
        entries=_joined(schedule.entries or (), entries, window),
        intended_holes=tuple(
            sorted(
                {
                    IntendedHole(max(hole.start, window.start), hole.end, hole.source)
                    for hole in (*kept_holes, *holes)
                },
                key=lambda hole: (hole.start, hole.end, hole.source),
            )
        ),
        overrides=tuple(override for override in schedule.overrides if override.end > window.start),
        custom_shifts=tuple(shift for shift in schedule.custom_shifts if shift.end > window.start),
        rendered_coverage_percentage=None,
        continued_from=own.end,
    )


def _has_proved_holes(schedule: Schedule, own: Span, interpretation: Interpretation) -> bool:
    """Tell whether we find the same intended holes as PagerDuty showed."""
    theirs = {hole for hole in schedule.intended_holes if hole.start < own.end}
    clipped = {IntendedHole(hole.start, min(hole.end, own.end), hole.source) for hole in theirs}
    return clipped == set(render_holes(schedule, own, interpretation))


def _joined(before: Iterable[Entry], after: Iterable[Entry], window: Span) -> tuple[Entry, ...]:
    """Return both, cut to the window; a shift that goes on from one to the other is one entry."""
    cut = [
        replace(entry, start=max(entry.start, window.start)) for entry in before if entry.end > window.start
    ]
    ending = {(entry.end, entry.user_id, entry.source): number for number, entry in enumerate(cut)}
    for entry in after:
        number = ending.pop((entry.start, entry.user_id, entry.source), None)
        if number is None:
            cut.append(entry)
        else:
            cut[number] = replace(cut[number], end=entry.end)
    return tuple(sorted(cut, key=lambda entry: (entry.start, entry.end, entry.user_id, entry.source)))
