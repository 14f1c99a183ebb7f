"""Plots: a simulation minute by minute, and a policy's ladder with its observed curves. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from calmo_pagerduty.escalation.model import Assignment, Outcome, Simulation
from calmo_pagerduty.escalation.response import PolicyResponse
from calmo_pagerduty.escalation.simulation_report import CHANNEL_WORDS, OUTCOME_WORDS, person_name
from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.plots.model import Bar, Fill, Lane, Marker, Row, StepCurve
from calmo_pagerduty.snapshots.on_call import OnCallIndex

MINUTE = 60
#: How long the last assignment is drawn: it has no end.
TAIL_MINUTES = 10
#: How long a page is drawn.
PAGE_MINUTES = 1
_FILL_OF_LEVEL: Mapping[int, Fill] = MappingProxyType({1: Fill.LEVEL_1, 2: Fill.LEVEL_2})


def fill_of_level(level: int) -> Fill:
    return _FILL_OF_LEVEL.get(level, Fill.LEVEL_3)


def simulation_window(simulation: Simulation) -> Span:
    """Return the time that the plot shows: up to the last page or the end, and a little more."""
    last = max(
        [simulation.at, simulation.ended_at or 0]
        + [page.at for page in simulation.pages]
        + [step.at for step in simulation.assignments]
    )
    return Span(simulation.at, last + TAIL_MINUTES * MINUTE)


def simulation_lanes(index: OnCallIndex, simulation: Simulation) -> tuple[Lane, ...]:
    """Return a lane per assignment: a bar while the level has it, and below it each person's pages.

    If PagerDuty would create no incident, a single lane says so.
    """
    window = simulation_window(simulation)
    if not simulation.assignments:
        fill = Fill.UNKNOWN if simulation.outcome is Outcome.UNKNOWN else Fill.GAP
        bar = Bar(window, fill, OUTCOME_WORDS[simulation.outcome])
        return (Lane("no page", (Row((bar,)),), note=str(simulation.outcome)),)
    return tuple(_lane(index, simulation, step, window) for step in simulation.assignments)


def _lane(index: OnCallIndex, simulation: Simulation, step: Assignment, window: Span) -> Lane:
    fill = fill_of_level(step.level)
    span = Span(step.at, window.end if step.until is None else step.until)
    names = " or ".join(
        ", ".join(person_name(index, user_id) for user_id in group) for group in step.candidates
    )
    rows = [Row((Bar(span, fill, names),), names)]
    for user_id in step.user_ids:
        bars = tuple(
            Bar(
                Span(page.at, page.at + PAGE_MINUTES * MINUTE),
                fill,
                "unknown channel" if page.channel is None else CHANNEL_WORDS[page.channel],
            )
            for page in simulation.pages
            if (page.level, page.pass_number, page.user_id) == (step.level, step.pass_number, user_id)
            and span.start <= page.at < max(span.end, page.at + 1)
        )
        if bars:
            rows.append(Row(bars, f"pages of {person_name(index, user_id)}"))
    passes = f", pass {step.pass_number}" if step.pass_number > 1 else ""
    minutes = (step.at - simulation.at) // MINUTE
    note = f"+{minutes} min{', any of them' if step.is_one_of else ''}"
    return Lane(f"level {step.level}{passes}", tuple(rows), note=note)


def response_curves(response: PolicyResponse) -> tuple[tuple[StepCurve, ...], tuple[Marker, ...]]:
    """Return a policy's curves of unanswered assignments, with a dashed line at each level's delay.

    A level without enough data has an empty curve: the plot says so.
    """
    curves, markers = [], []
    for level in response.levels:
        points: list[tuple[float, float]] = []
        band: list[tuple[float, float, float]] = []
        if level.curve is not None:
            points = [(0.0, 1.0), *((point.time, point.survival) for point in level.curve.points)]
            points.append((max(level.curve.longest, points[-1][0]), points[-1][1]))
            for point in level.curve.points:
                interval = level.curve.interval_at(point.time)
                if interval is not None:
                    band.append((point.time, interval.low, interval.high))
        whose = "" if level.curve is None or level.borrowed is None else " (others' data)"
        doubt = ": too few data" if level.curve is None else ""
        name = f"level {level.level}{whose}, n = {level.own.count}{doubt}"
        curves.append(StepCurve(name, tuple(points), tuple(band), fill_of_level(level.level)))
        text = f"level {level.level} moves on: {level.delay_minutes} min"
        markers.append(Marker(float(level.delay_minutes), text))
    return tuple(curves), tuple(markers)
