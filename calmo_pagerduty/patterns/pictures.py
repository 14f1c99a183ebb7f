"""What the plots of patterns show, from their documents: the CLI has nothing else. Pure."""

from collections.abc import Sequence

from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.patterns.texts import kind_text
from calmo_pagerduty.plots.figures import pairs_figure, stacks_figure
from calmo_pagerduty.plots.model import Fill, PairRow, StackRow
from calmo_pagerduty.plots.svg import Figure

MOST = 15


def noise_bars(rows: Sequence[JsonObject]) -> list[StackRow]:
    """Return the pages of the noisiest services: those somebody acted on, and the others."""
    return [
        StackRow(
            row["name"],
            (
                (Fill.ACTED_ON, float(row["pages"] - row["quiet_pages"])),
                (Fill.QUIET, float(row["quiet_pages"])),
            ),
            f"{row['cumulative_share']:.0%} with those above",
        )
        for row in rows[:MOST]
        if row["pages"]
    ]


def avoided_pairs(document: JsonObject) -> list[PairRow]:
    """Return the pages before and after each advised setting."""
    pauses = [
        PairRow(
            f"{row['name']}: pause {'' if row['kind'] is None else kind_text(row)}".rstrip(),
            float(row["pages"]),
            float(row["pages"] - row["chosen"]["avoided_pages"]),
        )
        for row in document["auto_pause"]
    ]
    groupings = [
        PairRow(
            f"{row['name']}: grouped",
            float(row["pages"]),
            float(row["pages"] - row["chosen"]["avoided_pages"]),
        )
        for row in document["alert_grouping"]
    ]
    return [pair for pair in (*pauses, *groupings) if pair.before][:MOST]


def avoided_figure(document: JsonObject) -> Figure:
    title = f"Pages of the last {document['days']} days, and had the advice been followed"
    return pairs_figure("avoided", title, "pages", avoided_pairs(document))


def noise_figure(document: JsonObject) -> Figure:
    title = f"Which services page most (n = {document['pages']} pages)"
    return stacks_figure("noise", title, "pages", noise_bars(document["noise"]))


def pattern_figures(document: JsonObject) -> list[Figure]:
    """Return the plots that have something to show."""
    return [
        *([avoided_figure(document)] if avoided_pairs(document) else []),
        *([noise_figure(document)] if noise_bars(document["noise"]) else []),
    ]
