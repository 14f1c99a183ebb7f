"""Compare our union of a schedule's entries with the percentage that PagerDuty computed. Pure."""

from calmo_pagerduty.coverage.model import Agreement, RenderedComparison
from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds, union
from calmo_pagerduty.snapshots.model import Schedule
from calmo_pagerduty.snapshots.on_call import paged_entries

#: In percentage points.
TOLERANCE = 0.1


def compare(schedule: Schedule, rendered: Span) -> RenderedComparison:
    """Return both percentages over the rendered window, and why they differ if they do."""
    theirs = schedule.rendered_coverage_percentage
    if schedule.entries is None or rendered.seconds <= 0:
        return RenderedComparison(Agreement.NOT_COMPARED, None, theirs, "PagerDuty gave no entries")
    everyone = [Span(entry.start, entry.end) for entry in schedule.entries]
    paged = [Span(entry.start, entry.end) for entry in paged_entries(schedule) or ()]
    holes = [Span(hole.start, hole.end) for hole in schedule.intended_holes]
    ours = _share(paged, rendered)
    if theirs is None:
        return RenderedComparison(Agreement.NOT_COMPARED, ours, None, "PagerDuty gave no percentage")
    if _near(ours, theirs):
        return RenderedComparison(Agreement.AGREES, ours, theirs)
    for spans, explanation in (
        (everyone, "PagerDuty counts people of shadow rotations, who are not paged"),
        ([*paged, *holes], "PagerDuty counts unassigned shifts, in which nobody is on call"),
        ([*everyone, *holes], "PagerDuty counts shadow rotations and unassigned shifts"),
    ):
        if _near(_share(spans, rendered), theirs):
            return RenderedComparison(Agreement.EXPLAINED, ours, theirs, explanation)
    return RenderedComparison(
        Agreement.DIFFERS, ours, theirs, "the entries that PagerDuty gave don't add up to its percentage"
    )


def _share(spans: list[Span], rendered: Span) -> float:
    return round(100 * total_seconds(union(clip(spans, rendered))) / rendered.seconds, 3)


def _near(ours: float, theirs: float) -> bool:
    return abs(ours - theirs) <= TOLERANCE + 1e-9
