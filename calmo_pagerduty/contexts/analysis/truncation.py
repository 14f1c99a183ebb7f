"""What there was too much of, in words: nothing is left out in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from calmo_pagerduty.contexts.analysis import document as facts
from calmo_pagerduty.contexts.analysis.correlation import CorrelationWindow
from calmo_pagerduty.contexts.analysis.dependency_graph import MAX_EDGES
from calmo_pagerduty.contexts.analysis.inputs import AssessmentInput, Change, PastIncident

#: More are not looked at: the newest are, and rates are counted over the time that they reach back.
MAX_PAST_INCIDENTS = 20_000
MAX_CHANGES = 50_000


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_Identified)


def truncate_input(inputs: AssessmentInput) -> AssessmentInput:
    """Return no more than can be looked at in good time, newest first, each once, without this incident."""
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
    """Return what was left out of the surroundings as they came, and out of the document."""
    seen, it = window.inputs, window.neighbourhood
    rows = [
        ("past incidents were looked at", MAX_PAST_INCIDENTS, len(inputs.past)),
        ("changes were looked at", MAX_CHANGES, len(inputs.changes)),
        ("dependencies were looked at", MAX_EDGES, len(inputs.dependencies.edges)),
        ("alerts are listed", facts.MAX_ALERTS, len(seen.alerts)),
        ("notes are listed", facts.MAX_NOTES, len(seen.notes)),
        ("changes near the incident are listed", facts.MAX_CHANGES, changes_near),
        ("incidents around it are listed", facts.MAX_OTHER_INCIDENTS, len(seen.open_incidents)),
        ("people on call are listed", facts.MAX_ON_CALL, len(seen.on_call)),
        ("maintenance windows are listed", facts.MAX_MAINTENANCE, len(seen.maintenance)),
    ]
    if it is not None:
        rows += [
            ("services upstream are listed", facts.MAX_DEPENDENCY_NODES, len(it.upstream)),
            ("services downstream are listed", facts.MAX_DEPENDENCY_NODES, len(it.downstream)),
            ("dependencies around it are listed", facts.MAX_EDGES_SHOWN, len(it.edges)),
            ("circles of dependencies are listed", facts.MAX_CYCLES, len(it.cycles)),
        ]
    return tuple(f"{most:,} of {count:,} {words}" for words, most, count in rows if count > most)


def _deduplicated(things: Iterable[T]) -> list[T]:
    """Leave out what was read twice, as pages that move while they are read bring it."""
    return list({thing.id: thing for thing in things}.values())


def _incident_order(incident: PastIncident) -> tuple[datetime, str]:
    return incident.created_at, incident.id


def _change_order(change: Change) -> tuple[datetime, str]:
    return change.at, change.id


def _since(since: datetime | None, newest_first: Sequence[datetime], most: int) -> datetime | None:
    if since is None or len(newest_first) <= most:
        return since
    return max(since, newest_first[most - 1])
