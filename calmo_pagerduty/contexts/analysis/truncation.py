"""Cut oversized inputs, and report each cut in the document: nothing is left out silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from calmo_pagerduty.contexts.analysis import document
from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_EDGES
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change, PastIncident

#: Only the newest are used, and rates are counted over the time that those reach back.
MAX_PAST_INCIDENTS = 20_000
MAX_CHANGES = 50_000


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


def truncate_input(inputs: AssessmentInput) -> AssessmentInput:
    """Return the inputs cut to the limits: newest first, without duplicates, without this incident."""
    past = sorted(_deduplicated(inputs.past), key=_incident_order, reverse=True)
    past = [incident for incident in past if incident.id != inputs.incident.id]
    changes = sorted(_deduplicated(inputs.changes), key=_change_order, reverse=True)
    return replace(
        inputs,
        past=tuple(past[:MAX_PAST_INCIDENTS]),
        past_since=_since(inputs.past_since, [incident.created_at for incident in past], MAX_PAST_INCIDENTS),
        changes=tuple(changes[:MAX_CHANGES]),
        changes_since=_since(inputs.changes_since, [change.at for change in changes], MAX_CHANGES),
        open_incidents=tuple(_deduplicated(inputs.open_incidents)),
        alerts=tuple(_deduplicated(inputs.alerts)),
    )


def truncations(inputs: AssessmentInput, window: CorrelationWindow, changes_near: int) -> tuple[str, ...]:
    """Return one text for each list that was cut: of `inputs` as gathered, and of the document."""
    truncated, neighbourhood = window.inputs, window.neighbourhood
    rows = [
        ("past incidents were looked at", MAX_PAST_INCIDENTS, len(inputs.past)),
        ("changes were looked at", MAX_CHANGES, len(inputs.changes)),
        ("dependencies were looked at", MAX_EDGES, len(inputs.dependencies.edges)),
        ("alerts are listed", document.MAX_ALERTS, len(truncated.alerts)),
        ("notes are listed", document.MAX_NOTES, len(truncated.notes)),
        ("changes near the incident are listed", document.MAX_CHANGES, changes_near),
        ("incidents around it are listed", document.MAX_OTHER_INCIDENTS, len(truncated.open_incidents)),
        ("people on call are listed", document.MAX_ON_CALL, len(truncated.on_call)),
        ("maintenance windows are listed", document.MAX_MAINTENANCE, len(truncated.maintenance)),
    ]
    if neighbourhood is not None:
        rows += [
            ("services upstream are listed", document.MAX_DEPENDENCY_NODES, len(neighbourhood.upstream)),
            ("services downstream are listed", document.MAX_DEPENDENCY_NODES, len(neighbourhood.downstream)),
            ("dependencies around it are listed", document.MAX_EDGES_SHOWN, len(neighbourhood.edges)),
            ("circles of dependencies are listed", document.MAX_CYCLES, len(neighbourhood.cycles)),
        ]
    return tuple(f"{most:,} of {count:,} {text}" for text, most, count in rows if count > most)


def _deduplicated(items: Iterable[T]) -> list[T]:
    """Leave out items that were read twice, because pages moved during the reading."""
    return list({item.id: item for item in items}.values())


def _incident_order(incident: PastIncident) -> tuple[datetime, str]:
    return incident.created_at, incident.id


def _change_order(change: Change) -> tuple[datetime, str]:
    return change.at, change.id


def _since(since: datetime | None, newest_first: Sequence[datetime], most: int) -> datetime | None:
    if since is None or len(newest_first) <= most:
        return since
    return max(since, newest_first[most - 1])
