"""The plots of performance, from its document. Pure."""

from collections.abc import Sequence

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.performance.speed import Milestone
from calmo_pagerduty.plots.figures import pairs_figure, steps_figure
from calmo_pagerduty.plots.model import Fill, PairRow, StepCurve
from calmo_pagerduty.plots.svg import Figure

MINUTE = 60.0
#: A plot of all groups shows those with the most incidents.
MAX_ROWS = 20


def median_rows(groups: Sequence[JsonObject], milestone: Milestone) -> list[PairRow]:
    """Return each group's median in minutes, in the window before and in this one."""
    return [
        PairRow(row["name"], _minutes(row[milestone]["before"]["median"]), _minutes(row[milestone]["median"]))
        for row in groups[:MAX_ROWS]
    ]


def waiting_curves(row: JsonObject, milestone: Milestone) -> list[StepCurve]:
    """Return the share of incidents that still wait, in minutes, now and in the window before."""
    speed = row[milestone]
    named = (("this window", "curve", Fill.LEVEL_1), ("the window before", "curve_before", Fill.LEVEL_2))
    return [
        StepCurve(name, ((0.0, 1.0), *((at / MINUTE, share) for at, share in speed[key])), fill=fill)
        for name, key, fill in named
        if speed[key]
    ]


def performance_figure(document: JsonObject, milestone: Milestone) -> Figure:
    """Return the medians of all groups."""
    title = f"Median time to {milestone}, in the window before and in this one"
    return pairs_figure(f"median-{milestone}", title, "min", median_rows(document["groups"], milestone))


def group_figures(row: JsonObject) -> list[Figure]:
    """Return the curves of one group."""
    figures = []
    for milestone in Milestone:
        if curves := waiting_curves(row, milestone):
            title = f"{row['name']}: incidents that still wait to be {_DONE[milestone]}"
            title += f" (n = {row[milestone]['n']})"
            figures.append(steps_figure(f"waiting-{milestone}", title, "min", curves))
    return figures


_DONE = {Milestone.ACKNOWLEDGE: "acknowledged", Milestone.RESOLVE: "resolved"}


def _minutes(quantile: JsonObject) -> float | None:
    return None if quantile["seconds"] is None else round(quantile["seconds"] / MINUTE, 2)
