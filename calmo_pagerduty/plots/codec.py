"""Lanes as JSON, and back, so that a command can print what the service computed."""

from collections.abc import Sequence

from calmo_pagerduty.kernel.intervals import Span
from calmo_pagerduty.kernel.json_values import JsonObject
from calmo_pagerduty.plots.model import Bar, Fill, Lane, Row


def lanes_to_json(lanes: Sequence[Lane]) -> list[JsonObject]:
    """Return the lanes; a bar is `[start, end, fill, text]` with times in epoch seconds."""
    return [
        {
            "name": lane.name,
            "rows": [{"label": row.label, "bars": _bars(row.bars)} for row in lane.rows],
            "across": _bars(lane.across),
            "note": lane.note,
            "group": lane.group,
        }
        for lane in lanes
    ]


def lanes_from_json(documents: Sequence[JsonObject]) -> list[Lane]:
    """Return the lanes of `lanes_to_json`. Raises ValueError, KeyError for another shape."""
    return [
        Lane(
            name=document["name"],
            rows=tuple(Row(_bars_of(row["bars"]), row["label"]) for row in document["rows"]),
            across=_bars_of(document["across"]),
            note=document["note"],
            group=document["group"],
        )
        for document in documents
    ]


def _bars(bars: Sequence[Bar]) -> list[list[object]]:
    return [[bar.span.start, bar.span.end, bar.fill.value, bar.text] for bar in bars]


def _bars_of(rows: Sequence[tuple[int, int, str, str]]) -> tuple[Bar, ...]:
    return tuple(Bar(Span(start, end), Fill(fill), text) for start, end, fill, text in rows)
