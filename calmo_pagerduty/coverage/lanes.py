"""Coverage as lanes for plots: policies with their levels, and all schedules on a grid by team. Pure."""

import math
from collections.abc import Iterable, Sequence

from calmo_pagerduty.coverage.model import CoverageReport, PolicyCoverage, ScheduleCoverage
from calmo_pagerduty.coverage.timelines import Timelines
from calmo_pagerduty.kernel.durations import format_duration
from calmo_pagerduty.kernel.intervals import Span, clip, total_seconds
from calmo_pagerduty.plots.model import Bar, Fill, Lane, Row
from calmo_pagerduty.snapshots.model import Schedule
from calmo_pagerduty.snapshots.on_call import Shift

_FILL_OF_LEVEL = (Fill.LEVEL_1, Fill.LEVEL_2)
NO_TEAM = "No team"


def policy_lanes(timelines: Timelines, report: CoverageReport, window: Span | None = None) -> list[Lane]:
    """Return a lane per policy: a row per level where somebody is on call, and gaps across all levels.

    Lanes stand by expected dropped incidents, then by time without anybody. Red is only where all are empty.
    """
    shown = window or report.window
    return [
        _policy_lane(timelines, policy, shown)
        for policy in sorted(report.policies, key=lambda policy: _rank(timelines, policy))
    ]


def schedule_lanes(timelines: Timelines, report: CoverageReport, window: Span | None = None) -> list[Lane]:
    """Return a lane per schedule, grouped by team: shifts of people, and every gap with its length."""
    shown = window or report.window
    results = {schedule.schedule_id: schedule for schedule in report.schedules}
    teams = {team.id: team.name for team in timelines.index.snapshot.teams}
    lanes = [
        _schedule_lane(timelines, schedule, results[schedule.id], shown, _team(schedule, teams))
        for schedule in timelines.index.snapshot.schedules
        if schedule.id in results
    ]
    return sorted(lanes, key=lambda lane: (lane.group == NO_TEAM, lane.group, lane.name))


def _rank(timelines: Timelines, policy: PolicyCoverage) -> tuple[float, int, str, str]:
    name = timelines.index.policies[policy.policy_id].name
    seconds = total_seconds([gap.span for gap in policy.gaps])
    return -(policy.expected_dropped_incidents or 0), -seconds, name, policy.policy_id


def _policy_lane(timelines: Timelines, policy: PolicyCoverage, window: Span) -> Lane:
    rows = [
        Row(
            tuple(
                Bar(span, _FILL_OF_LEVEL[level.number - 1] if level.number <= 2 else Fill.LEVEL_3,
                    f"level {level.number}")
                for span in clip(level.coverage.covered, window)
            ),
            str(level.number),
        )
        for level in policy.levels
    ]  # fmt: skip
    return Lane(
        name=timelines.index.policies[policy.policy_id].name,
        rows=tuple(rows),
        across=(
            *_bars((gap.span for gap in policy.gaps), window, Fill.GAP, "nobody"),
            *_bars(policy.intended, window, Fill.INTENDED, "intended"),
            *_bars(policy.coverage.unknown, window, Fill.UNKNOWN, "unknown"),
        ),
        note=_note(policy),
    )


def _note(policy: PolicyCoverage) -> str:
    if not policy.gaps:
        return "covered" if policy.coverage.percentage is not None else "unknown"
    count = _gap_count(len(policy.gaps))
    if not policy.service_ids:
        return f"{count}, no active service"
    if policy.expected_dropped_incidents is None:
        return f"{count}, insufficient data"
    return f"{count}, {policy.expected_dropped_incidents:.2g} incidents dropped"


def _gap_count(count: int) -> str:
    return "1 gap" if count == 1 else f"{count} gaps"


def percent_text(share: float) -> str:
    """Return a percentage with one decimal, rounded down so that only all is 100 %."""
    return f"{math.floor(share * 10 + 1e-6) / 10:g} %"


def _schedule_lane(
    timelines: Timelines, schedule: Schedule, result: ScheduleCoverage, window: Span, team: str
) -> Lane:
    if result.coverage is None:
        unknown = Bar(window, Fill.UNKNOWN, "could not be rendered")
        return Lane(schedule.name, (), (unknown,), "unknown", team)
    share = result.coverage.percentage
    return Lane(
        name=schedule.name,
        rows=(Row(tuple(_shift_bars(timelines, schedule.id, window))),),
        across=(
            *_bars((gap.span for gap in result.gaps), window, Fill.GAP, "nobody"),
            *_bars(result.intended, window, Fill.INTENDED, "unassigned"),
            *_bars(result.coverage.unknown, window, Fill.UNKNOWN, "unknown"),
        ),
        note="unknown" if share is None else f"{percent_text(share)} covered, {_gap_count(len(result.gaps))}",
        group=team,
    )


def _shift_bars(timelines: Timelines, schedule_id: str, window: Span) -> Iterable[Bar]:
    """Yield a schedule's shifts with people; neighbours differ in their fill, so that a change is seen."""
    shifts: Sequence[Shift] = timelines.index.schedule_shifts(schedule_id) or ()
    number = 0
    for shift in shifts:
        people = [user_id for user_id in shift.user_ids if not timelines.is_gone(user_id)]
        for span in clip([Span(shift.start, shift.end)], window):
            if people:
                names = ", ".join(person_name(timelines, user_id) for user_id in people)
                yield Bar(span, (Fill.SHIFT, Fill.OTHER_SHIFT)[number % 2], names)
                number += 1


def person_name(timelines: Timelines, user_id: str) -> str:
    """Return a person's name, or the id if the snapshot doesn't have the person."""
    user = timelines.index.users.get(user_id)
    return user_id if user is None else user.name


def _bars(spans: Iterable[Span], window: Span, fill: Fill, word: str) -> list[Bar]:
    return [Bar(span, fill, f"{word} {format_duration(span.seconds)}") for span in clip(spans, window)]


def _team(schedule: Schedule, teams: dict[str, str]) -> str:
    """Return the schedule's first team by name."""
    names = sorted(teams[team_id] for team_id in schedule.team_ids if team_id in teams)
    return names[0] if names else NO_TEAM
