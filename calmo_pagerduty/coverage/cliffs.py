"""Dates from which on a schedule has gaps, because a layer, a rotation or the last override ends. Pure."""

from collections.abc import Iterable

from calmo_pagerduty.coverage.model import ENDINGS, Cause, Cliff, GapCause, ScheduleGap
from calmo_pagerduty.kernel.intervals import Span


def find_cliffs(schedule_id: str, gaps: Iterable[ScheduleGap], known: Span) -> list[Cliff]:
    """Return a schedule's cliffs within the known window, earliest first.

    What ended before the window began is a gap and no cliff any more. Of overrides only the last is a cliff:
    after it the schedule stays empty to the end of what is known.
    """
    by_cause: dict[GapCause, list[Span]] = {}
    for gap in gaps:
        span, why = gap.span, gap.why
        is_last = why.cause is not Cause.OVERRIDE_ENDED or span.end >= known.end
        if why.cause in ENDINGS and is_last and known.start < (why.ended_at or 0) < known.end:
            by_cause.setdefault(why, []).append(span)
    return sorted(
        (Cliff(schedule_id, why, spans[0].start, tuple(spans)) for why, spans in by_cause.items()),
        key=lambda cliff: (cliff.at, cliff.why.part_id or ""),
    )
